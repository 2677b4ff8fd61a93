"""What lies on a grid beside the particles: the edge of the carbon film, ice crystals, gold, uneven ice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOLE = 6000.0  # radius of a hole in the film in Å, as in a common 1.2 µm grid


@dataclass(frozen=True)
class Hole:
    """A round hole in the carbon film, with vitreous ice inside.

    Attributes
    ----------
    y, x : float
        Centre in px.
    radius : float
        In px; infinite where there is no film in sight.
    """

    y: float = 0.0
    x: float = 0.0
    radius: float = math.inf

    def depth(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Compute the distance to the edge in px, positive on ice; ``y`` and ``x`` broadcast together."""
        return np.asarray(self.radius - np.hypot(y - self.y, x - self.x))


def hole(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Hole:
    """Place a hole so that the film covers about a fifth of a field, at a random side.

    Parameters
    ----------
    shape : (h, w)
        Of the field in px.
    spacing : float
        In Å/px.
    rng : Generator
        Chooses the side.
    """
    angle = rng.uniform(0, 2 * math.pi)
    direction = np.asarray([math.sin(angle), math.cos(angle)])
    half = np.asarray(shape) / 2
    # where the edge crosses the line from the middle of the field to its border
    edge = rng.uniform(0.45, 0.6) * float((half / np.maximum(np.abs(direction), 1e-9)).min())
    y, x = half + direction * (edge - HOLE / spacing)
    return Hole(float(y), float(x), HOLE / spacing)


def waves(
    shape: tuple[int, int], shortest: float, longest: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Make a smooth random field (h, w) of zero mean and about unit variance.

    It is a sum of 40 plane waves in random directions, of wavelengths between
    ``shortest`` and ``longest`` px.
    """
    count = 40
    angle, phase = rng.uniform(0, 2 * math.pi, (2, count))
    frequency = 2 * math.pi / np.exp(rng.uniform(math.log(shortest), math.log(longest), count))
    rows = np.arange(shape[0])[:, None] * (frequency * np.sin(angle)) + phase
    columns = (frequency * np.cos(angle))[:, None] * np.arange(shape[1])
    # cos(a + b) as two matrix products: no array of the size of the field for each wave
    field = np.cos(rows).astype(np.float32) @ np.cos(columns).astype(np.float32)
    field -= np.sin(rows).astype(np.float32) @ np.sin(columns).astype(np.float32)
    return np.asarray(field * np.float32(math.sqrt(2 / count)))


def crystal(size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw an ice crystal of about ``size`` px: its thickness (n, n), between 0 outside and 1."""
    reach = math.ceil(0.7 * size)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    angle = np.arctan2(y, x)
    edge = np.full(angle.shape, size / 2)
    for order, strength in ((2, 0.16), (3, 0.08), (5, 0.04)):
        edge *= 1 + strength * rng.uniform(-1, 1) * np.cos(order * angle + rng.uniform(0, 2 * math.pi))
    dome = np.clip(1 - (np.hypot(y, x) / edge) ** 2, 0, 1)
    return np.asarray(dome ** rng.uniform(0.25, 0.6), np.float32)


def bead(size: float) -> NDArray[np.float32]:
    """Draw a ball of ``size`` px: its thickness (n, n), 1 in the middle."""
    reach = math.ceil(size / 2)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.sqrt(np.clip(1 - (y**2 + x**2) / (size / 2) ** 2, 0, 1)), np.float32)


def stamp(canvas: NDArray[np.float32], mark: NDArray[np.float32], centre: NDArray[np.float64]) -> None:
    """Add a mark (n, n), n odd, about the pixel next to ``centre`` (y, x), in place, cut to the canvas."""
    corner = np.rint(centre).astype(int) - len(mark) // 2
    low = np.maximum(-corner, 0)
    high = np.minimum(np.asarray(canvas.shape) - corner, len(mark))
    if (low >= high).any():
        return
    (top, left), (bottom, right) = corner + low, corner + high
    canvas[top:bottom, left:right] += mark[low[0] : high[0], low[1] : high[1]]
