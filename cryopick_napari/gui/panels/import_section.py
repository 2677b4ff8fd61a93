"""The part of the Export panel that reads coordinates of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QPushButton, QWidget

from cryopick_napari.gui.import_dialog import ImportDialog

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.importing import Found

ABOUT = "Particles picked in RELION, crYOLO, EMAN2, Topaz or by hand become labels to learn from."
FILES = "Coordinates (*.star *.box *.cbox *.csv *.txt *.tsv);;All files (*)"


class ImportSection(QWidget):
    """Choose a file or a folder, and say how its positions are to be read."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.dialog: ImportDialog | None = None
        self._told = ""  # of the last import
        self.file, self.folder = QPushButton("Import file..."), QPushButton("Import folder...")
        self.file.setToolTip(
            "One file for all micrographs, such as autopick.star, or that of one micrograph."
        )
        self.folder.setToolTip(
            "A folder with a coordinate file for each micrograph, or a RELION picking job."
        )
        self.file.clicked.connect(lambda: self._read(self.choose_file()))
        self.folder.clicked.connect(lambda: self._read(self.choose_folder()))
        self.note = QLabel(ABOUT)
        self.note.setWordWrap(True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.note, 0, 0, 1, 2)
        grid.addWidget(self.file, 1, 0)
        grid.addWidget(self.folder, 1, 1)
        importing = session.picking.importing
        importing.found.connect(self._ask)
        importing.changed.connect(self._show)
        session.micrographs_changed.connect(self._show)
        self._show()

    def choose_file(self) -> Path | None:
        """Ask for a coordinate file."""
        name, _ = QFileDialog.getOpenFileName(self, "Import coordinates", "", FILES)
        return Path(name) if name else None

    def choose_folder(self) -> Path | None:
        """Ask for a folder of coordinate files."""
        name = QFileDialog.getExistingDirectory(self, "Import a folder of coordinates")
        return Path(name) if name else None

    def _read(self, source: Path | None) -> None:
        if source is not None:
            self.session.guarded(self.session.picking.importing.read, source)

    def _ask(self, found: Found) -> None:
        self.dialog = dialog = ImportDialog(found, len(self.session.micrographs), self)
        dialog.accepted.connect(lambda: self._take(found, dialog))
        dialog.open()

    def _take(self, found: Found, dialog: ImportDialog) -> None:
        ways = dialog.mirrored.isChecked(), dialog.all_particles.isChecked()
        if self.session.guarded(self.session.picking.importing.take, found, *ways):
            particles = sum(map(len, found.picks.values()))
            self._told = (
                f"{particles:,} particles on {_micrographs(len(found.picks))} are labels now. "
                "Undo takes them back, on each micrograph."
            )
            self._show()

    def _show(self) -> None:
        is_reading, is_open = self.session.picking.importing.is_reading, bool(self.session.micrographs)
        for button in (self.file, self.folder):
            button.setEnabled(is_open and not is_reading)
        if is_reading:
            self.note.setText("Reading, and looking whether the positions sit on particles...")
        elif is_open:
            self.note.setText(self._told or ABOUT)
        else:
            self.note.setText("Open the micrographs first, then import their coordinates.")
            self._told = ""


def _micrographs(count: int) -> str:
    return "one micrograph" if count == 1 else f"{count:,} micrographs"
