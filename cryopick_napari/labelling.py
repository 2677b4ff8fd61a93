"""How labels change under a person's hands: every change is a new value, and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_napari.labels import Labels, Polygon
from cryopick_napari.picks import Picks

SAME = 0.25  # diameters: two clicks nearer than this mean one particle
MOST_UNDOS = 200


def with_particle(labels: Labels, yx: ArrayLike, diameter: float) -> Labels:
    """Label a particle at a position (row, column; px); one that is labelled there stays as it is.

    A mark "not a particle" at that place goes away.
    """
    cleared = replace(labels, negatives=away_from(labels.negatives, yx, SAME * diameter))
    return replace(cleared, positives=_with(cleared.positives, yx, SAME * diameter))


def with_non_particle(labels: Labels, yx: ArrayLike, diameter: float) -> Labels:
    """Mark a position (row, column; px) as "not a particle"; a particle labelled there goes away."""
    cleared = replace(labels, positives=away_from(labels.positives, yx, diameter / 2))
    return replace(cleared, negatives=_with(cleared.negatives, yx, SAME * diameter))


def with_particles(labels: Labels, picks: Picks, diameter: float) -> Labels:
    """Label the particles of picks that are not labelled yet."""
    for yx in picks.yx:
        labels = with_particle(labels, yx, diameter)
    return labels


def with_non_particles(labels: Labels, picks: Picks, diameter: float) -> Labels:
    """Mark picks as "not a particle"."""
    for yx in picks.yx:
        labels = with_non_particle(labels, yx, diameter)
    return labels


def without_nearest(labels: Labels, yx: ArrayLike, reach: float) -> Labels:
    """Take the label nearest to a position away, if one lies within ``reach`` px of it."""
    distances = [distance(picks, yx) for picks in (labels.positives, labels.negatives)]
    nearest = [part.min(initial=np.inf) for part in distances]
    if min(nearest) > reach:
        return labels
    if nearest[0] <= nearest[1]:
        return replace(labels, positives=_without(labels.positives, int(distances[0].argmin())))
    return replace(labels, negatives=_without(labels.negatives, int(distances[1].argmin())))


def without_within(labels: Labels, yx: ArrayLike, radius: float) -> Labels:
    """Take away all labels within ``radius`` px of a position."""
    positives, negatives = (away_from(picks, yx, radius) for picks in (labels.positives, labels.negatives))
    if len(positives) == len(labels.positives) and len(negatives) == len(labels.negatives):
        return labels
    return replace(labels, positives=positives, negatives=negatives)


def distance(picks: Picks, yx: ArrayLike) -> NDArray[np.float32]:
    """Return the distance (n,) of each pick from a position, px."""
    apart: NDArray[np.float32] = np.linalg.norm(picks.yx - np.asarray(yx, np.float32), axis=1)
    return apart


def away_from(picks: Picks, yx: ArrayLike, radius: float) -> Picks:
    """Keep the picks that are more than ``radius`` px from a position."""
    return picks.where(distance(picks, yx) > radius)


def same(one: Labels, other: Labels) -> bool:
    """Whether two values say the same."""
    return (
        np.array_equal(one.positives.yx, other.positives.yx)
        and np.array_equal(one.negatives.yx, other.negatives.yx)
        and _same_areas(one.complete, other.complete)
        and _same_areas(one.excluded, other.excluded)
    )


@dataclass(frozen=True, eq=False)
class History:
    """Labels, what they were before, and what was undone."""

    labels: Labels
    past: tuple[Labels, ...] = ()
    future: tuple[Labels, ...] = ()

    def changed(self, labels: Labels) -> History:
        """Go on to other labels; what was undone before is forgotten."""
        if same(labels, self.labels):
            return self
        return History(labels, (*self.past, self.labels)[-MOST_UNDOS:])

    def undone(self) -> History:
        """Go one change back, if there was one."""
        if not self.past:
            return self
        return History(self.past[-1], self.past[:-1], (self.labels, *self.future))

    def redone(self) -> History:
        """Take the last undoing back, if there was one."""
        if not self.future:
            return self
        return History(self.future[0], (*self.past, self.labels), self.future[1:])


def _with(picks: Picks, yx: ArrayLike, apart: float) -> Picks:
    """Add a position unless a pick is nearer to it than ``apart`` px."""
    if (distance(picks, yx) < apart).any():
        return picks
    return picks.joined(Picks.of(np.atleast_2d(yx)))


def _without(picks: Picks, index: int) -> Picks:
    return picks.where(np.arange(len(picks)) != index)


def _same_areas(some: Sequence[Polygon], others: Sequence[Polygon]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))
