"""What clicks and drags on the canvas do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class Tools(QObject):
    """The tool in hand.

    Signals
    -------
    changed
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
