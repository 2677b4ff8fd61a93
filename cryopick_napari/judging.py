"""What was said of picks, and which one to ask about next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_napari.labelling import SAME
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks

Mask = NDArray[np.bool_]


def judged(picks: Picks, labels: Labels, diameter: float) -> tuple[Mask, Mask]:
    """Find which picks are labelled as particles, and which as "not a particle".

    Parameters
    ----------
    picks : Picks
    labels : Labels
    diameter : float
        Of a particle, px; a label within a quarter of it means the pick.

    Returns
    -------
    accepted, rejected : (n,) bool
    """
    accepted, rejected = (
        near(picks.yx, others.yx, SAME * diameter) for others in (labels.positives, labels.negatives)
    )
    return accepted, rejected


def most_uncertain(scores: NDArray[np.float32], threshold: float, known: Mask) -> int | None:
    """Choose the pick whose score (n,) is nearest to the threshold; None if all (n,) are ``known``."""
    if known.all():
        return None
    return int(np.where(known, np.inf, np.abs(scores - threshold)).argmin())


def near(yx: NDArray[np.float32], others: NDArray[np.float32], reach: float) -> Mask:
    """Whether each position (n, 2) has one of the others (m, 2) within ``reach``."""
    if not len(yx) or not len(others):
        return np.zeros(len(yx), bool)
    apart, _ = cKDTree(others).query(yx)
    return np.asarray(apart <= reach)
