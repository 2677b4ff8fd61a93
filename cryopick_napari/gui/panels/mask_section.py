"""The part of the Export panel that reads and writes masks of contamination."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QPushButton, QWidget

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

ABOUT = "Areas that other programs masked become excluded areas, which you can change under Label."


class MaskSection(QWidget):
    """Choose a folder of masks, or where to write them."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.read, self.write, self.stop = (
            QPushButton(text) for text in ("Import masks...", "Write masks...", "Stop")
        )
        self.read.setToolTip(
            "A folder with one image a micrograph, of the same name (.png, .mrc, .tif) and of the whole "
            "field at any scale; what is not 0 is contaminated."
        )
        self.write.setToolTip(
            "One PNG a micrograph, white where nothing is picked: excluded areas, and carbon, ice and dirt "
            "as long as they are left out under Review."
        )
        self.read.clicked.connect(self._read)
        self.write.clicked.connect(self._write)
        self.stop.clicked.connect(session.masking.stop)
        self.note = QLabel(ABOUT)
        self.note.setWordWrap(True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.note, 0, 0, 1, 2)
        grid.addWidget(self.read, 1, 0)
        grid.addWidget(self.write, 1, 1)
        grid.addWidget(self.stop, 2, 0, 1, 2)
        session.masking.changed.connect(self._show)
        session.micrographs_changed.connect(self._show)
        self._show()

    def _read(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Import masks from a folder")
        if name:
            self.session.guarded(self.session.masking.read, Path(name))

    def _write(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Write masks to a folder")
        if name:
            self.session.guarded(self.session.masking.write, Path(name))

    def _show(self) -> None:
        masking, is_open = self.session.masking, bool(self.session.micrographs)
        for button in (self.read, self.write):
            button.setEnabled(is_open and not masking.is_running)
        self.stop.setVisible(masking.is_running)
        self.note.setText(self._text() if is_open else "Open the micrographs first.")

    def _text(self) -> str:
        masking = self.session.masking
        step, folder, count = masking.step, masking.written, masking.count
        if step is None:
            return "Getting ready..." if masking.is_running else ABOUT
        if masking.is_running:
            return f"{step.done:,} of {step.total:,} done..."
        if folder is None:
            return f"{count:,} of {step.total:,} masks are excluded areas now. Undo takes them back."
        what = "" if masking.finds_contamination else " They hold the areas you excluded, and nothing else."
        return f"{count:,} of {step.total:,} masks written to {folder}.{what}"
