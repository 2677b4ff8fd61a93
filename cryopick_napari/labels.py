"""What a person said about a micrograph, and the images a network learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

Polygon = NDArray[np.float32]  # (n, 2) corners, row and column, px of the micrograph

CLICKS_COVERAGE = 0.08  # share of a field under labelled particles; below it they are a few clicks


def no_picks() -> Picks:
    """Make an empty value."""
    return Picks.of([])


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of one micrograph, in its pixels.

    Attributes
    ----------
    positives, negatives : Picks
        Particles, and places that are none.
    complete : tuple of (n, 2) float32
        Polygons inside which every particle is labelled.
    excluded : tuple of (n, 2) float32
        Polygons to be left alone: neither learned from nor scored.
    """

    positives: Picks
    negatives: Picks = field(default_factory=no_picks)
    complete: tuple[Polygon, ...] = ()
    excluded: tuple[Polygon, ...] = ()

    @classmethod
    def of_whole_field(cls, positives: Picks, shape: tuple[int, int]) -> Labels:
        """Say that a field of ``shape`` px holds these particles and no others."""
        bottom, right = shape[0] - 0.5, shape[1] - 0.5
        corners = [(-0.5, -0.5), (-0.5, right), (bottom, right), (bottom, -0.5)]
        return cls(positives, complete=(np.array(corners, np.float32),))


@dataclass(frozen=True, eq=False)
class Example:
    """A micrograph and its labels."""

    micrograph: Micrograph
    labels: Labels


def look_complete(positives: Picks, shape: tuple[int, int], diameter: float) -> bool:
    """Guess whether labels cover a whole field rather than being a few clicks.

    Parameters
    ----------
    positives : Picks
        In pixels of the micrograph.
    shape : (int, int)
        Rows and columns of the micrograph, px.
    diameter : float
        Particle diameter, px.

    Returns
    -------
    bool
        True if the labelled particles cover at least 8 % of the field.
    """
    return len(positives) * np.pi * (diameter / 2) ** 2 >= CLICKS_COVERAGE * shape[0] * shape[1]


def areas_mask(
    polygons: tuple[Polygon, ...], shape: tuple[int, int], ratio: tuple[float, float]
) -> NDArray[np.bool_]:
    """Draw polygons given in source pixels into a (h, w) mask of scaled pixels.

    Parameters
    ----------
    polygons : tuple of (n, 2) float32
        Corners, rows and columns.
    shape : (int, int)
        Rows and columns of the mask.
    ratio : (float, float)
        Source pixels per pixel of the mask, rows and columns.
    """
    mask = np.zeros(shape, np.uint8)
    for polygon in filter(len, polygons):
        corners = np.rint(polygon / np.asarray(ratio))[:, ::-1].astype(np.int32)
        cv2.fillPoly(mask, [corners], 1)
    return mask.astype(bool)


def outside(picks: Picks, polygons: tuple[Polygon, ...], shape: tuple[int, int]) -> Picks:
    """Leave out the picks that lie in areas of a field of this shape, px."""
    if not polygons or not len(picks):
        return picks
    mask = areas_mask(polygons, shape, (1.0, 1.0))
    rows, columns = np.clip(np.rint(picks.yx).astype(int), 0, np.asarray(shape) - 1).T
    return picks.where(~mask[rows, columns])
