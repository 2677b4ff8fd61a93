"""Accept or reject all picks that a circle is dragged over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from cryopick_napari.gui.tools import Tool

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

WORDS = {
    Tool.ACCEPT: ("Accept by circle", "Drag a circle over picks on the micrograph: they become labels."),
    Tool.REJECT: (
        "Reject by circle",
        'Drag a circle over picks on the micrograph: they become "not a particle".',
    ),
}


class CircleTools(QWidget):
    """Two buttons that take these tools in hand, and put them down again."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.buttons = {}
        for tool, (text, tip) in WORDS.items():
            self.buttons[tool] = button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(f"{tip} Click again to put it down.")
            # PySide6 would call a partial function without the state of the button.
            button.clicked.connect(lambda is_wanted, tool=tool: self._take(tool, is_wanted))
            layout.addWidget(button)
        session.tools.changed.connect(self._show)
        session.review.picks_changed.connect(self._show)
        self._show()

    def _take(self, tool: Tool, is_wanted: bool) -> None:
        self.session.guarded(self.session.tools.take, tool if is_wanted else Tool.INSPECT)

    def _show(self) -> None:
        for tool, button in self.buttons.items():
            button.setEnabled(len(self.session.review.picks) > 0)
            button.setChecked(tool is self.session.tools.tool)
