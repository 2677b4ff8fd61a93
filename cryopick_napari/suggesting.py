"""How large the particles of a field are, before anyone has said it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.config import GENERAL, ParticleSize
from cryopick_napari.general import general_picker
from cryopick_napari.metrics import STRICT
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.mixture import expected_f1
from cryopick_napari.picker import Picker

ANGSTROM = 60.0, 450.0  # least and largest diameter that is tried ...
STEP = 1.2  # ... and the ratio of neighbours
LEAST_PIXELS = 10.0  # of a diameter; fewer show no particle
WINDOW = 300  # network px that are looked at
NARROWEST = 120  # network px across a field; fewer hold too few particles to judge by
SURE, CONFIRMED = 0.45, 0.35  # sureness from which on a diameter is worth suggesting; if there are clicks
POLARITIES = "dark", "light"


@dataclass(frozen=True)
class Suggestion:
    """What the particles' diameter may be.

    Attributes
    ----------
    diameter : float
        Px of the micrograph.
    sureness : float
        F1 that the general model expects of its own picks at this diameter, 0 to 1, less what it may be by
        chance; the geometric mean with its scores at the clicks, if there are some.
    """

    diameter: float
    sureness: float

    def in_round_numbers(self, spacing: float | None) -> ParticleSize:
        """Say it as a person would: in tens of Å at a pixel size (Å/px), or else in whole pixels."""
        if spacing is None:
            return ParticleSize(float(round(self.diameter)), in_angstrom=False)
        return ParticleSize(float(10 * round(self.diameter * spacing / 10)))


def suggested_diameter(
    micrograph: Micrograph, clicks: NDArray[np.float32] | None = None
) -> Suggestion | None:
    """Suggest the diameter at which the general model is surest of what it sees.

    Parameters
    ----------
    micrograph : Micrograph
        Diameters from 60 to 450 Å are tried on a part of it; without a pixel size, all that it has room for.
    clicks : (n, 2) float32, optional
        Particles, px. The model should be sure of them as well.

    Returns
    -------
    Suggestion or None
        None if it is not sure of any.
    """
    tried = list(_tried(micrograph, clicks))
    if not tried:
        return None
    diameters, sureness = np.array(tried).T
    best = int(np.argmax(sureness))
    # What is still rising where no more can be tried has no top.
    if sureness[best] < (SURE if clicks is None else CONFIRMED) or not 0 < best < len(tried) - 1:
        return None
    diameter = float(diameters[best]) * STEP ** _vertex(sureness, best)
    return Suggestion(diameter, float(sureness[best]))


def _tried(micrograph: Micrograph, clicks: NDArray[np.float32] | None) -> Iterator[tuple[float, float]]:
    """Try diameters (px), each with how sure the model is."""
    scale = GENERAL["network_diameter"]
    largest = scale * min(micrograph.shape) / NARROWEST
    low, high = LEAST_PIXELS, largest
    if micrograph.spacing is not None:
        low, high = (angstrom / micrograph.spacing for angstrom in ANGSTROM)
    diameter = max(low, LEAST_PIXELS)
    while diameter <= min(high, largest):
        part, inside = _window(micrograph, clicks, round(WINDOW * max(1.0, diameter / scale)))
        picker = general_picker(diameter).configured(averaging=False)
        sureness = max(
            _sureness(picker.configured(polarity=polarity), part, inside) for polarity in POLARITIES
        )
        yield diameter, sureness
        diameter *= STEP


def _window(
    micrograph: Micrograph, clicks: NDArray[np.float32] | None, side: int
) -> tuple[Micrograph, NDArray[np.float32] | None]:
    """Cut a square out of the middle, or around the clicks, and give the clicks in it."""
    middle = np.array(micrograph.shape) / 2 if clicks is None or not len(clicks) else clicks.mean(axis=0)
    room = np.array(micrograph.shape) - side
    top, left = np.clip(middle - side / 2, 0, np.maximum(room, 0)).astype(int)
    cut = np.s_[top : top + side, left : left + side]
    mask = (
        None if micrograph.mask is None or micrograph.mask.shape != micrograph.shape else micrograph.mask[cut]
    )
    part = replace(micrograph, image=np.ascontiguousarray(micrograph.image[cut]), spacing=None, mask=mask)
    if clicks is None:
        return part, None
    moved = clicks - np.array([top, left], np.float32)
    return part, moved[((moved >= 0) & (moved < part.shape)).all(axis=1)]


def _sureness(picker: Picker, micrograph: Micrograph, clicks: NDArray[np.float32] | None) -> float:
    """Compute how sure a model is of what it picks, and of the clicks."""
    scaled = picker.scale(micrograph)
    picks = picker.picks(picker.probability(scaled), scaled)
    if not len(picks):
        return 0.0
    # Of few picks, some may be sure by chance.
    sureness = float(expected_f1(picks.score).max()) - 1 / math.sqrt(picks.score.sum())
    if clicks is None or not len(clicks):
        return sureness
    apart = np.hypot(*(clicks[:, None] - picks.yx[None]).transpose(2, 0, 1))
    near = np.where(apart <= STRICT * picker.config.diameter, picks.score, 0.0)
    return math.sqrt(max(0.0, sureness) * float(near.max(axis=1).mean()))


def _vertex(values: NDArray[np.float64], best: int) -> float:
    """Find the top of the parabola through the highest value and its neighbours, in steps from it."""
    if not 0 < best < len(values) - 1:
        return 0.0
    before, top, after = values[best - 1 : best + 2]
    bend = before - 2 * top + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
