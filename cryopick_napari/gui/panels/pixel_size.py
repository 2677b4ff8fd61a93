"""How large a pixel is: what the file says, or what a person types where it says nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

ORANGE = "#ffa726"
UNKNOWN = "Pixel size unknown: type Å/px to use sizes in Å"


class PixelSizeLine(QWidget):
    """The pixel size of the micrographs, Å/px."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.entry = QLineEdit()
        self.entry.setFixedWidth(70)
        self.entry.setToolTip(
            "Size of a pixel in Å, for files that do not say it themselves. Press Enter to apply; "
            "empty it to leave it to the files."
        )
        self.entry.editingFinished.connect(self._apply)
        self.title, self.unit, self.note = QLabel("Pixel size"), QLabel("Å/px"), QLabel()
        self.unknown = QLabel(UNKNOWN)
        self.unknown.setStyleSheet(f"color: {ORANGE}")
        self.unknown.setWordWrap(True)
        row = QHBoxLayout()
        for part in (self.title, self.entry, self.unit):
            row.addWidget(part)
        row.addWidget(self.note, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.unknown)
        for signal in (session.project_changed, session.size_changed, session.field_shown):
            signal.connect(self._show)
        self._show()

    def _apply(self) -> None:
        if self.entry.text() != self._text():
            self.session.guarded(self._set)
            self._show()

    def _set(self) -> None:
        text = self.entry.text().strip().replace(",", ".")
        self.session.set_spacing(_number(text) if text else None)

    def _text(self) -> str:
        spacing = self.session.spacing
        return "" if spacing is None else f"{spacing:.5g}"

    def _show(self) -> None:
        session = self.session
        is_unknown = session.field is not None and session.spacing is None
        self.entry.setText(self._text())
        self.entry.setStyleSheet(f"border: 1px solid {ORANGE}" if is_unknown else "")
        self.unknown.setVisible(is_unknown)
        if session.spacing is None:
            self.note.setText("")
        else:
            self.note.setText("(from the file)" if session.settings.spacing is None else "(typed)")


def _number(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise CryopickError(f"pixel size: {text!r} is not a number above 0; write 1.77 for 1.77 Å/px")
    return number
