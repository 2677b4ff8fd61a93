"""Pick many micrographs beside the window, and write coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class Picking(QObject):
    """Picks of the whole project.

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
