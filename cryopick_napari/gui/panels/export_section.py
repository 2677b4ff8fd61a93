"""The part of the Export panel that writes coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.coordinates import FORMATS
from cryopick_napari.exporting import FilesExistError, Summary, Written
from cryopick_napari.material import Choice

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

SOURCES = {
    "corrected": "Picks corrected by my labels",
    "picks": "Picks above the threshold",
    "labels": "My labels",
}
SOURCE_TIP = (
    "Corrected: picks above the threshold, without those you marked as no particle, with the particles you "
    "labelled that it missed, and nothing in excluded areas.\nPicks above the threshold: as the model made "
    "them.\nMy labels: only what you clicked or accepted."
)
NAMES = {
    "relion": "RELION star files",
    "particles": "One particles.star (cryoSPARC)",
    "cbox": "crYOLO cbox files",
    "box": "EMAN box files",
    "topaz": "Topaz text",
    "cryoppp": "CryoPPP tables",
    "csv": "CSV tables",
}
WAIT = 150  # ms, for further changes before particles are counted anew
LARGEST_BORDER = 10_000


class ExportSection(QWidget):
    """Choose what is written and how, see how much that is, and write it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._summary: Summary | None = None
        self._export: Callable[..., None] | None = None  # the last one, with what was chosen then
        self._make_widgets()
        self._lay_out()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT)
        self._soon.timeout.connect(self._count)
        self._listen()
        self._refresh()

    # what it is made of

    def _make_widgets(self) -> None:
        self.source, self.scope, self.format = QComboBox(), QComboBox(), QComboBox()
        for name, text in SOURCES.items():
            self.source.addItem(text, name)
        self.source.setToolTip(SOURCE_TIP)
        self.scope.addItems(["All picked micrographs", "Only this micrograph"])
        self.scope.setToolTip("Which micrographs coordinates are written of.")
        for name, kind in FORMATS.items():
            self.format.addItem(NAMES.get(name, name), name)
            self.format.setItemData(self.format.count() - 1, kind.description, Qt.ItemDataRole.ToolTipRole)
        self.format.setToolTip("The program that is to read the coordinates.")
        self.border = QSpinBox()
        self.border.setRange(0, LARGEST_BORDER)
        self.border.setSuffix(" px")
        self.border.setToolTip("Leaves out particles whose centre is nearer than this to an edge.")
        self.flip_y = QCheckBox("Count rows from the bottom (flip y)")
        self.flip_y.setToolTip(
            "Only for programs that show the picks upside down; RELION, crYOLO, EMAN2 and Topaz need it off."
        )
        self.preview, self.result = QLabel(), QLabel()
        for label in (self.preview, self.result):
            label.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)  # its path
        self.result.hide()
        self.button = QPushButton("Export...")

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Particles", self.source)
        form.addRow("Micrographs", self.scope)
        form.addRow("Format", self.format)
        form.addRow("Border", self.border)
        form.addRow("", self.flip_y)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        for widget in (self.preview, self.button, self.result):
            layout.addWidget(widget)

    def _listen(self) -> None:
        session, picking = self.session, self.session.picking
        for box in (self.source, self.scope, self.format):
            box.currentIndexChanged.connect(self._refresh)
        self.border.valueChanged.connect(self._refresh)
        self.border.valueChanged.connect(self._note)
        self.format.currentIndexChanged.connect(self._note)
        self.button.clicked.connect(self._on_click)
        for signal in (
            *(session.project_changed, session.micrographs_changed, session.current_changed),
            session.choice_changed,
            *(session.size_changed, session.model_changed, session.review.threshold_changed),
            *(picking.materials.changed, picking.changed),
        ):
            signal.connect(self._refresh)
        session.project_changed.connect(self._forget)
        picking.previewed.connect(self._on_previewed)
        picking.exported.connect(self._on_exported)
        picking.clashed.connect(self._on_clash)

    # what is chosen

    def choice(self) -> Choice:
        """Give what is chosen."""
        return self.session.picking.choice(self.source.currentData(), self.border.value())

    def paths(self) -> list[Path]:
        """List the micrographs that are chosen."""
        session = self.session
        if self.scope.currentIndex() == 0:
            return session.accepted
        return [path for path in session.accepted if path == session.current]

    # questions

    def choose_folder(self) -> Path | None:
        """Ask where to write."""
        name = QFileDialog.getExistingDirectory(self, "Export coordinates to a folder")
        return Path(name) if name else None

    def may_replace(self, error: FilesExistError) -> bool:
        """Ask whether files may be replaced."""
        count = "One file is" if len(error.files) == 1 else f"{len(error.files):,} files are"
        text = f"{count} there already, such as {error.files[0].name}. Replace?"
        return bool(QMessageBox.question(self, "Replace files?", text) == QMessageBox.StandardButton.Yes)

    # what a person does, and what comes of it

    def _on_click(self) -> None:
        folder = self.choose_folder()
        if folder is not None:
            kind, flip = self.format.currentData(), self.flip_y.isChecked()
            export = self.session.picking.export
            self._export = partial(export, folder, kind, self.choice(), self.paths(), flip)
            self.session.guarded(self._export)

    def _on_clash(self, error: FilesExistError) -> None:
        if self._export is not None and self.may_replace(error):
            self.session.guarded(partial(self._export, overwrite=True))

    def _on_exported(self, written: Written) -> None:
        told = written.summary
        lines = [f"{_counted(told)} written to {written.folder}", written.advice]
        if written.older:
            are = (
                "file of an earlier export is" if len(written.older) == 1 else "files of earlier exports are"
            )
            lines.append(
                f"{len(written.older):,} {are} there too, such as {written.older[0].name}: "
                "delete what is no longer wanted."
            )
        lines += [f"Left out: {problem}" for problem in told.problems[:3]]
        self.result.setText("\n".join(lines))
        self.result.show()

    def _forget(self) -> None:
        """Say nothing of another project, and export as that was exported before."""
        self._summary = None
        self.result.hide()
        view = self.session.view
        with QSignalBlocker(self.border), QSignalBlocker(self.format):
            self.border.setValue(view.border)
            self.format.setCurrentIndex(max(0, self.format.findData(view.format)))
        self._refresh()

    def _note(self) -> None:
        self.session.note(border=self.border.value(), format=self.format.currentData())

    def _refresh(self) -> None:
        self._soon.start()
        self._show()

    def _count(self) -> None:
        picking = self.session.picking
        if self.isVisible() and picking.materials.is_complete:
            picking.preview(self.choice(), self.paths())

    def _on_previewed(self, summary: Summary) -> None:
        self._summary = summary
        self._show()

    def _show(self) -> None:
        why = self._why_not()
        self.button.setEnabled(not why)
        self.button.setToolTip(why or "Asks for a folder, and writes the coordinates there.")
        self.preview.setText(why or self._preview_text())

    def _why_not(self) -> str:
        """Say why nothing can be written, if so."""
        session, summary = self.session, self._summary
        source = self.source.currentData()
        if not session.micrographs:
            return "Open micrographs to begin."
        if not self.paths():
            which = "All micrographs are" if self.scope.currentIndex() == 0 else "This micrograph is"
            return f"{which} rejected: accept under Micrographs what is to be exported."
        if session.settings.model is None and source != "labels":
            untrained = session.learning.untrained
            first = f"Keep the {untrained} first, above" if untrained else "Train a model first"
            return f"{first}, or export your labels."
        if session.picking.is_writing:
            return "Coordinates are being written."
        if summary is None:
            return "Being counted..."
        if summary.micrographs:
            return ""
        if summary.problems:
            return f"Nothing can be exported: {summary.problems[0]}"
        return "Label some particles first." if source == "labels" else "Pick micrographs first."

    def _preview_text(self) -> str:
        summary, choice = self._summary, self.choice()
        assert summary is not None
        text = _counted(summary)
        if choice.source != "labels":
            text += f", at a score of {choice.threshold:.2f} or more"
        text += f", as {NAMES.get(self.format.currentData(), self.format.currentData())}"
        return text + (
            f" ({len(summary.problems)} left out: {summary.problems[0]})" if summary.problems else ""
        )


def _counted(summary: Summary) -> str:
    of = f" of {summary.total:,}" if summary.total > 1 else ""
    particles = "particle" if summary.particles == 1 else "particles"
    return f"{summary.particles:,} {particles} from {summary.micrographs:,}{of} micrographs"
