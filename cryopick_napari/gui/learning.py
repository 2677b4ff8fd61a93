"""Train beside the window, and keep the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class Learning(QObject):
    """The training of a session, and the model in use.

    Signals
    -------
    progressed
    changed
    """

    progressed = Signal(object)
    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
