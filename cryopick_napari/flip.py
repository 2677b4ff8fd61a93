"""Whether positions sit on particles as they were read, or mirrored top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.display import default_filter, shown
from cryopick_napari.examples import network_diameter
from cryopick_napari.metrics import mirrored
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.overlay import draw_circles, draw_field
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled, to_network_scale
from cryopick_napari.template import BINS, REACH, radial_profile
from cryopick_napari.thumbnails import average, cut

INNER, OUTER = (
    0.3,
    0.5,
)  # radii in diameters: inside the first is particle, outside the second its surroundings
SURE = 3.0  # standard errors, from which a contrast is no chance ...
CLEARLY = 1.5  # ... and how much stronger than that of the other way it must be to leave no doubt
AVERAGE_SIDE = 1.6  # of the picture of the average, in diameters
WINDOW = 12.0  # side of the picture of the field, in diameters
PICTURE = 180  # px, of either
COLOUR = (64, 200, 255)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Way:
    """Positions read in one way.

    Attributes
    ----------
    evidence : float
        Contrast of what is there against its surroundings, in standard errors.
    field : (180, 180, 3) uint8
        A part of the first micrograph with its positions.
    average : (180, 180) uint8
        The average of that micrograph's particles.
    """

    evidence: float
    field: Picture
    average: Picture


@dataclass(frozen=True, eq=False)
class FlipCheck:
    """Positions as they were read, and mirrored top to bottom."""

    as_read: Way
    mirrored: Way

    @property
    def is_mirrored(self) -> bool:
        """Whether the mirrored positions sit on particles rather than those that were read."""
        return self.mirrored.evidence > self.as_read.evidence

    @property
    def is_clear(self) -> bool:
        """Whether there is no doubt."""
        low, high = sorted((self.as_read.evidence, self.mirrored.evidence))
        return high > max(SURE, CLEARLY * low)


def flip_check(fields: Iterable[tuple[Micrograph, Picks, float]]) -> FlipCheck | None:
    """Compare what is at positions with what is at the mirrored ones.

    Parameters
    ----------
    fields : iterable of (Micrograph, Picks, float)
        Micrographs, the positions on them, and the particle's diameter in px. One is in memory at a time.

    Returns
    -------
    FlipCheck or None
        None without positions.
    """
    found: tuple[list[float], list[float]] = ([], [])
    pictures: list[tuple[Picture, Picture]] = []
    for micrograph, picks, diameter in fields:
        ways = (picks, mirrored(picks, micrograph.shape))
        scaled = to_network_scale(micrograph, diameter, network_diameter(diameter, micrograph.shape))
        for values, way in zip(found, ways, strict=True):
            values += [contrast(scaled, place) for place in scaled.from_source(way.yx)]
        if not pictures and len(picks):
            pictures = [_pictures(micrograph, way, picks, diameter) for way in ways]
    if not pictures:
        return None
    as_read, other = (Way(evidence(values), *both) for values, both in zip(found, pictures, strict=True))
    return FlipCheck(as_read, other)


def contrast(scaled: Scaled, yx: NDArray[np.float32]) -> float:
    """Measure how much brighter a place (2,) is than its surroundings; ``yx`` in scaled px."""
    sums, counts = radial_profile(scaled.image, yx[None], scaled.diameter)
    inside, outside = (slice(round(INNER / REACH * BINS)), slice(round(OUTER / REACH * BINS), None))
    inner, outer = (sums[part].sum() / max(1, counts[part].sum()) for part in (inside, outside))
    return float(inner - outer)


def evidence(contrasts: list[float]) -> float:
    """Tell by how many standard errors contrasts differ from 0; gold and ice under a few have no say."""
    middle = float(np.median(contrasts))
    spread = 1.4826 * float(np.median(np.abs(np.subtract(contrasts, middle))))
    return abs(middle) * math.sqrt(len(contrasts)) / max(spread, 1e-12) if len(contrasts) > 1 else 0.0


def _pictures(micrograph: Micrograph, picks: Picks, read: Picks, diameter: float) -> tuple[Picture, Picture]:
    """Draw a part of a field with its positions, and the average particle."""
    display = shown(micrograph, default_filter(diameter, None))
    side = AVERAGE_SIDE * diameter / display.scale[0]
    parts = cut(display.image, display.from_source(picks.yx), side, PICTURE)
    mean = average(parts, picks.score)
    assert mean is not None
    return _window(micrograph, picks, read, diameter), mean


def _window(micrograph: Micrograph, picks: Picks, read: Picks, diameter: float) -> Picture:
    """Cut a square out of a field, the same for both ways, where the most positions were read."""
    side = int(min(WINDOW * diameter, *micrograph.shape))
    limit = np.asarray(micrograph.shape) - side
    corners = np.clip(np.rint(read.yx - side / 2).astype(int), 0, limit)[:200]
    inside = [((read.yx >= corner) & (read.yx < corner + side)).all(axis=1).sum() for corner in corners]
    row, column = corners[int(np.argmax(inside))]
    part = Micrograph(np.ascontiguousarray(micrograph.image[row : row + side, column : column + side]))
    there = Picks(picks.yx - np.array([row, column], np.float32), picks.score)
    picture = draw_field(part, diameter, PICTURE)
    return draw_circles(picture, there, part.shape, diameter, COLOUR)
