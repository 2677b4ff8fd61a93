"""The question before coordinates become labels: do they sit on particles?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.gallery_grid import pixmap

if TYPE_CHECKING:
    from cryopick_napari.flip import FlipCheck, Way
    from cryopick_napari.importing import Found

CENTRE = Qt.AlignmentFlag.AlignHCenter
ALL_PARTICLES = (
    "Tick this if every particle of these micrographs is in the file, as after a complete picking: the "
    "rest of them is then learned as background. Leave it off for a few picks."
)


class ImportDialog(QDialog):
    """Shows positions as they were read and mirrored top to bottom; the likelier way is chosen at first."""

    def __init__(self, found: Found, total: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import coordinates")
        self._group = QButtonGroup(self)  # exclusive before the buttons are laid out
        self.as_read, self.mirrored = QRadioButton("As in the file"), QRadioButton("Mirrored top to bottom")
        self.as_read.setToolTip("Rows are counted from the first row of the file.")
        self.mirrored.setToolTip("Rows are counted from the other end, as some programs do.")
        self.all_particles = QCheckBox("These are all the particles of their micrographs")
        self.all_particles.setToolTip(ALL_PARTICLES)
        self.all_particles.setChecked(found.looks_complete)
        layout = QVBoxLayout(self)
        for text in _lines(found, total):
            layout.addWidget(_wrapped(text))
        for button in (self.as_read, self.mirrored):
            self._group.addButton(button)
        self.as_read.setChecked(True)
        if found.flip is not None:
            layout.addWidget(_wrapped(_question(found.flip)))
            layout.addLayout(self._ways(found.flip))
        layout.addWidget(self.all_particles)
        layout.addWidget(self._buttons())

    def _ways(self, flip: FlipCheck) -> QGridLayout:
        """Lay both ways side by side, the average particle below the field."""
        self.mirrored.setChecked(flip.is_mirrored)
        grid = QGridLayout()
        for column, (button, way) in enumerate(
            [(self.as_read, flip.as_read), (self.mirrored, flip.mirrored)]
        ):
            grid.addWidget(button, 0, column, CENTRE)
            for row, picture in enumerate(_pictures(way), start=1):
                grid.addWidget(picture, row, column, CENTRE)
        return grid

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox()
        self.import_button = buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons


def _lines(found: Found, total: int) -> list[str]:
    """Say what was found, and what was left out."""
    particles = sum(map(len, found.picks.values()))
    lines = [f"<b>{particles:,} particles on {len(found.picks):,} of {total:,} micrographs</b>"]
    if found.strangers:
        names = ", ".join(found.strangers[:3]) + (", ..." if len(found.strangers) > 3 else "")
        lines.append(f"Left out, for no micrograph of this project is called so: {names}")
    return lines + [f"Left out: {problem}" for problem in found.problems[:1]]


def _question(flip: FlipCheck) -> str:
    from cryopick_napari.flip import FLIP_Y, WORDS

    if flip.better not in ("", FLIP_Y):
        return (
            f"These seem to sit on particles <b>{WORDS[flip.better]}</b>, which is not offered here: "
            f"turn the file first, by cryopick convert {flip.better}."
        )
    if not flip.is_clear:
        return (
            "Programs count rows from different ends. Both ways look alike here: which one sits on particles?"
        )
    way = "mirrored top to bottom" if flip.is_mirrored else "as they are in the file"
    return f"Programs count rows from different ends. These seem to sit on particles <b>{way}</b>."


def _pictures(way: Way) -> list[QLabel]:
    field, mean = QLabel(), QLabel()
    field.setPixmap(_coloured(way.field))
    field.setToolTip("A part of a micrograph: the circles should sit on particles.")
    mean.setPixmap(pixmap(way.average).scaledToWidth(way.field.shape[1] // 2))
    mean.setToolTip("The average of what is in the circles: a particle should stand out in the middle.")
    return [field, mean]


def _coloured(picture: NDArray[np.uint8]) -> QPixmap:
    height, width = picture.shape[:2]
    image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)


def _wrapped(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
