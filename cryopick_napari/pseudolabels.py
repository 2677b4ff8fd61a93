"""Confident answers about unlabelled ground, as labels to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_napari.config import TrainingConfig
from cryopick_napari.fields import Field, Mask, inside
from cryopick_napari.metrics import discs
from cryopick_napari.peaks import find_peaks


def has_spare_ground(field: Field) -> bool:
    """Whether training may use ground that nobody has labelled completely."""
    return bool((field.learned & ~field.complete).any())


def pseudo_labelled(
    field: Field, probability: NDArray[np.float32], config: TrainingConfig, whole: bool
) -> Field:
    """Add labels where a picker is confident; leave out where it is not.

    Parameters
    ----------
    field : Field
        What is labelled in it stays as it is.
    probability : (h, w) float32
        The picker's answer. Peaks of at least ``positive_threshold``, a diameter or more from
        each other and from labelled particles, become particles; pixels of at most
        ``negative_threshold`` become background; the others are no longer usable.
    config : TrainingConfig
    whole : bool
        Let each pixel of the background count as much as in a fully labelled area; otherwise all of
        it counts as much as the particles, as around clicks.

    Returns
    -------
    Field
    """
    told = field.complete | _discs(field, field.negatives, 1.0)
    peaks = find_peaks(probability, field.diameter, config.positive_threshold).yx
    peaks = peaks[inside(peaks, field.learned & ~told)]
    if len(field.positives):
        peaks = peaks[cKDTree(field.positives).query(peaks)[0] >= field.diameter]
    positives = np.concatenate([field.positives, peaks])
    particles = _discs(field, positives, config.target_radius)
    known = told | particles | (probability <= config.negative_threshold)
    complete = field.complete | known if whole else field.complete
    return replace(field, positives=positives, complete=complete, usable=field.usable & known)


def _discs(field: Field, yx: NDArray[np.float32], radius: float) -> Mask:
    """Mark discs; ``radius`` in particle radii."""
    return discs((field.held.shape[0], field.held.shape[1]), yx, radius * field.diameter / 2)
