"""Picks of the micrograph that is looked at, and what a person does with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.pick_settings import PickSettings
from cryopick_napari.judging import Mask, judged, most_uncertain, near
from cryopick_napari.labelling import SAME, distance, with_non_particles, with_particles
from cryopick_napari.labels import outside
from cryopick_napari.picks import Picks

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class ShownPicks(QObject):
    """All picks of a micrograph outside excluded areas; those below the threshold are not shown.

    Picks that were accepted or rejected stay among them: they are what the model says.

    Attributes
    ----------
    picks : Picks
        All peaks whatever their score, px of the micrograph, best first.
    index : int or None
        Of the selected pick.

    Signals
    -------
    picks_changed
        ``picks`` are others.
    threshold_changed : float
    selected : int
        Another pick is selected, or none (-1).
    """

    picks_changed = Signal()
    threshold_changed = Signal(float)
    selected = Signal(int)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.picks = Picks.of([])
        self.index: int | None = None
        self._everywhere, self._excluded = self.picks, session.labels.excluded
        self.settings = PickSettings(session)
        self._visited: list[tuple[float, float]] = []
        session.size_changed.connect(self.draw)
        session.labels_changed.connect(self._on_labels)

    def show(self, picks: Picks) -> None:
        """Show other picks; the one that was selected stays so if it is among them."""
        selected = None if self.index is None else self._place(self.index)
        self._everywhere, self._excluded, self.index = picks, self.session.labels.excluded, None
        field = self.session.field
        self.picks = picks if field is None else outside(picks, self._excluded, field.micrograph.shape)
        if selected is not None and len(self.picks):
            apart = distance(self.picks, selected)
            self.index = int(apart.argmin()) if apart.min() <= SAME * self.diameter else None
        self.draw()
        self.picks_changed.emit()
        if selected is not None:
            self.selected.emit(-1 if self.index is None else self.index)

    def _on_labels(self) -> None:
        if self.session.labels.excluded is not self._excluded:
            self.show(self._everywhere)

    def forget(self) -> None:
        """Show no picks; another micrograph is looked at."""
        self._visited.clear()
        self.select(None)
        self.show(Picks.of([]))

    @property
    def threshold(self) -> float:
        """Least score of a pick."""
        return self.settings["threshold"]

    def set_threshold(self, threshold: float | None) -> None:
        """Show the picks that score at least this much; None takes the model's own threshold."""
        self.settings.change("threshold", threshold)
        self._visited.clear()
        self.session.canvas.show_above(self.threshold)
        self.threshold_changed.emit(self.threshold)

    @property
    def diameter(self) -> float:
        """Of a particle, px of the micrograph: as the person says, else as the model does."""
        picker, known = self.session.learning.picker, self.session.known_diameter
        if known is None and picker is not None:
            return picker.config.diameter_at(self.session.spacing)
        return self.session.diameter

    def is_shown(self) -> Mask:
        """Whether each pick scores at least the threshold."""
        shown: Mask = self.picks.score >= self.threshold
        return shown

    def judged(self) -> tuple[Mask, Mask]:
        """Find which picks are labelled as particles, and which as "not a particle"."""
        return judged(self.picks, self.session.labels, self.diameter)

    def within(self, yx: tuple[float, float], radius: float) -> list[int]:
        """List the shown picks within ``radius`` px of a position."""
        inside = distance(self.picks, yx) <= radius
        found: list[int] = np.flatnonzero(inside & self.is_shown()).tolist()
        return found

    def accept(self, indices: Sequence[int]) -> None:
        """Label picks as particles, in one step."""
        labels = with_particles(self.session.labels, self._chosen(indices), self.diameter)
        self.session.edit(labels)

    def reject(self, indices: Sequence[int]) -> None:
        """Label picks as "not a particle", in one step."""
        labels = with_non_particles(self.session.labels, self._chosen(indices), self.diameter)
        self.session.edit(labels)

    def accept_all(self) -> None:
        """Label all shown picks as particles but those that were rejected.

        Raises
        ------
        CryopickError
            If there are none.
        """
        _, rejected = self.judged()
        indices = np.flatnonzero(self.is_shown() & ~rejected).tolist()
        if not indices:
            raise CryopickError("no pick is left to accept: lower the threshold")
        self.accept(indices)

    def select(self, index: int | None) -> None:
        """Select a pick: it is framed, and brought into view if it is out of it."""
        before, self.index = self.index, index
        self._draw_selected()
        if index is not None:
            yx = self._place(index)
            if not self.session.canvas.is_in_view(yx):
                self.session.canvas.look_at(yx)
        if index is not None or before is not None:
            self.selected.emit(-1 if index is None else index)

    def next_uncertain(self) -> None:
        """Select the pick without a label whose score is nearest the threshold; then the next, and so on.

        Raises
        ------
        CryopickError
            If all picks have labels.
        """
        known = np.logical_or(*self.judged())
        visited = near(self.picks.yx, Picks.of(self._visited).yx, SAME * self.diameter)
        index = most_uncertain(self.picks.score, self.threshold, known | visited)
        if index is None:
            self._visited.clear()  # round again
            index = most_uncertain(self.picks.score, self.threshold, known)
        if index is None:
            raise CryopickError("no pick is without a label here: go on to the next micrograph")
        self._visited.append(self._place(index))
        self.session.canvas.look_at(self._place(index))
        self.select(index)

    def draw(self) -> None:
        """Put the picks on the canvas, again if a person removed them."""
        self.session.canvas.show_picks(self.picks, self.diameter)
        self.session.canvas.show_above(self.threshold)
        self._draw_selected()

    def _draw_selected(self) -> None:
        place = None if self.index is None else self._place(self.index)
        self.session.canvas.show_selected(place, self.diameter)

    def _place(self, index: int) -> tuple[float, float]:
        row, column = self.picks.yx[index].tolist()
        return row, column

    def _chosen(self, indices: Sequence[int]) -> Picks:
        return self.picks.where(np.asarray(indices, np.intp))
