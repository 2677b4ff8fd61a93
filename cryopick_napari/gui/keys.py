"""All keys and mouse actions on one sheet."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from cryopick_napari.gui.panels.label import WORDS
from cryopick_napari.gui.panels.micrograph_list import KEYS as STEPS
from cryopick_napari.gui.panels.micrograph_list import REJECT
from cryopick_napari.gui.tools import KEYS as TOOLS

SHEET: Mapping[str, Mapping[str, str]] = {
    "Mouse, over the micrograph": {
        "click": "What the tool in hand does: label a particle, at first",
        "Shift + click": "Take a label away",
        "drag": "Move the view; with a drawing tool, draw",
        "wheel": "Zoom",
    },
    "Over the micrograph": {
        **{key.upper(): WORDS[tool][0] for key, tool in TOOLS.items()},
        "Ctrl + Z": "Undo",
        "Ctrl + Shift + Z": "Redo",
        STEPS[-1]: "Previous micrograph of the table",
        STEPS[1]: "Next micrograph of the table",
        REJECT: "Reject this micrograph, or accept it again",
    },
    "While the Review tab is open": {
        "A": "Accept the selected picks: they become labels",
        "X": "Reject the selected picks: they become “not a particle”",
        "U": "Select the most uncertain pick that has no label",
    },
    "In the gallery": {
        "arrow keys": "Go from pick to pick; with Shift, select several",
        "A": "Accept what is selected",
        "X or Delete": "Reject what is selected",
    },
    "On the score histogram": {
        "← →": "Move the threshold by 0.01",
        "Page Up, Page Down": "Move it by 0.1",
    },
    "Everywhere": {"Tab": "Go to the next field or button", "F1": "This sheet"},
}
NOTE = "napari's own keys work too: on a label layer 2 adds, 3 selects, Delete removes what is selected."


class KeySheet(QDialog):
    """The sheet in a window of its own, which may stay open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setColumnStretch(1, 1)
        for title, keys in SHEET.items():
            grid.addWidget(QLabel(f"<b>{title}</b>"), grid.rowCount(), 0, 1, 2)
            for key, what in keys.items():
                row = grid.rowCount()
                grid.addWidget(QLabel(key), row, 0)
                grid.addWidget(QLabel(what), row, 1)
        note = QLabel(NOTE)
        note.setWordWrap(True)
        grid.addWidget(note, grid.rowCount(), 0, 1, 2)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(inside.sizeHint().width() + 24)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(area)
        layout.addWidget(buttons)
        self.resize(self.sizeHint().width(), 640)
