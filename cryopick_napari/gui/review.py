"""What the model in use says about the micrograph that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class Review(QObject):
    """Picks and maps of the current micrograph.

    Signals
    -------
    picks_changed
    threshold_changed
    selected
    changed
    """

    picks_changed = Signal()
    threshold_changed = Signal(float)
    selected = Signal(int)
    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
