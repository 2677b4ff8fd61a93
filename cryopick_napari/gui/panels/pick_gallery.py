"""The gallery of the picks of the micrograph that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from cryopick_napari.gui.gallery import Gallery
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.picks import Picks
from cryopick_napari.thumbnails import cut

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

SIDE = 1.5  # particle diameters, of a thumbnail


class PickGallery(Gallery):
    """A gallery that follows the review: its picks, its threshold, the selected pick, what was said of each.

    Signals
    -------
    chosen_changed
        Other pictures are highlighted.
    """

    chosen_changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._review, self._session = session.review, session
        self._job: Job | None = None
        self._count = 0
        for button in (self._accept, self._reject):
            button.hide()  # the panel's own do the same, and more
        self._chosen.selectionChanged.connect(self.chosen_changed)
        self.accepted.connect(self._review.accept)
        self.rejected.connect(self._review.reject)
        self.selected.connect(self._review.select)
        self._review.picks_changed.connect(self._cut)
        self._review.threshold_changed.connect(self.set_threshold)
        self._review.selected.connect(self._follow)
        session.labels_changed.connect(self._mark)
        session.project_changed.connect(self._take_order)
        self._take_order()
        self._order.currentTextChanged.connect(lambda order: session.note(gallery=order))
        self.set_threshold(self._review.threshold)
        self._cut()

    def _take_order(self) -> None:
        """Show the picks in the order that they were shown in when the project was open before."""
        order = self._order.findText(self._session.view.gallery or "")
        if order >= 0:
            self._order.setCurrentIndex(order)

    def _cut(self) -> None:
        """Cut the pictures in a thread; those of picks that are no more are dropped."""
        picks, field = self._review.picks, self._session.field
        if self._job is not None:
            self._job.abandon()
        if field is None or not len(picks):
            self._job = None
            self._take(picks.where(np.zeros(len(picks), bool)), np.zeros((0, 1, 1), np.uint8))
            return
        shown = field.shown
        side = SIDE * self._review.diameter / shown.scale[0]
        job = Job(once(lambda: cut(shown.image, shown.from_source(picks.yx), side)), "thumbnails")
        job.returned.connect(lambda pictures: self._take(picks, pictures) if job is self._job else None)
        job.failed.connect(lambda error: self._session.say(error) if job is self._job else None)
        self._job = job.start()

    def _take(self, picks: Picks, pictures: NDArray[np.uint8]) -> None:
        self._count = len(picks)
        self.set_threshold(self._review.threshold)
        self.set_picks(pictures, picks.score)
        self._mark()
        if self._review.index is not None:
            self.select(self._review.index)

    def _follow(self, pick: int) -> None:
        """Highlight the pick that is selected, unless it is one of several that are."""
        if pick not in self.selection():
            self.select(pick)

    def _mark(self) -> None:
        """Show what was said of the picks; the pictures of the newest may still be on their way."""
        accepted, rejected = self._review.judged()
        if len(accepted) == self._count:
            self.set_marks(accepted, rejected)
