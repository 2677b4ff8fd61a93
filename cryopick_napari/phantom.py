"""Model proteins: sums of 3-D Gaussians, whose projections are exact sums of 2-D Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

# inner potential of protein over that of ice (V) times the interaction constant at 300 kV
PHASE = 3.5 * 6.53e-4  # rad/Å of thickness
LOBES = 14
LOBE = 0.115  # radius of a lobe, in particle diameters
AXES = (1.0, 0.9, 0.8)  # of the envelope, relative to the longest
GRAINS = 12  # Gaussians a lobe


@dataclass(frozen=True, eq=False)
class Phantom:
    """A sum of isotropic 3-D Gaussians about its centre of mass.

    Attributes
    ----------
    zyx : (k, 3) float64
        Centres in Å; their mean, weighted by ``mass``, is 0.
    sigma : (k,) float64
        Widths in Å.
    mass : (k,) float64
        Integrals of the projected phase, in rad Å².
    """

    zyx: NDArray[np.float64]
    sigma: NDArray[np.float64]
    mass: NDArray[np.float64]

    @property
    def radius(self) -> float:
        """Largest distance in Å from the centre of mass to the surface, at two sigma."""
        return float((np.linalg.norm(self.zyx, axis=1) + 2 * self.sigma).max())

    @property
    def diameter(self) -> float:
        """Longest side in Å, at one sigma: about where density has fallen to the half."""
        return longest_side(self.zyx) + 2 * float(self.sigma.max())

    def rotated(self, rng: np.random.Generator) -> Phantom:
        """Turn it at random; all orientations are equally likely."""
        return Phantom(turned_at_random(rng).apply(self.zyx), self.sigma, self.mass)

    def draw(self, canvas: NDArray[np.float32], centre: NDArray[np.float64], spacing: float) -> None:
        """Add the projection along z to a canvas, in place.

        Parameters
        ----------
        canvas : (h, w) float32
            Projected phase in rad.
        centre : (2,) float64
            Row and column of the centre of mass in px, pixel centres at integers.
        spacing : float
            Pixel size of the canvas in Å/px.
        """
        # four sigma: nothing is cut that could be seen
        reach = (self.radius + 2 * self.sigma.max()) / spacing
        low = np.maximum(np.ceil(centre - reach).astype(int), 0)
        high = np.minimum(np.floor(centre + reach).astype(int) + 1, canvas.shape)
        if (low >= high).any():
            return
        # a Gaussian is separable: all of them together are one matrix product
        rows, columns = (
            np.exp(-((((np.arange(a, b) - c) * spacing)[:, None] - at) ** 2) / (2 * self.sigma**2))
            for a, b, c, at in zip(low, high, centre, self.zyx[:, 1:].T, strict=True)
        )
        peak = self.mass / (2 * math.pi * self.sigma**2)
        canvas[low[0] : high[0], low[1] : high[1]] += (rows * peak) @ columns.T


def turned_at_random(rng: np.random.Generator) -> Rotation:
    """Draw a rotation; all are equally likely."""
    # normalised Gaussian quaternions are uniform over the rotations
    return Rotation.from_quat(rng.standard_normal(4))


def longest_side(points: NDArray[np.floating]) -> float:
    """Measure the longest extent of points (n, 3) among 200 directions, so to about a percent."""
    along = directions(200, np.random.default_rng(0)) @ points.T
    return float(np.ptp(along, axis=1).max())


def directions(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw unit vectors (count, 3) uniformly from the sphere."""
    vectors = rng.standard_normal((count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def lobed(centres: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Phantom:
    """Fill balls of ``radius`` Å about centres (n, 3) in Å with Gaussians, at the density of protein."""
    sigma = radius / 4
    count = len(centres) * GRAINS
    # the cube root makes points uniform in the ball
    grains = directions(count, rng) * np.cbrt(rng.random((count, 1))) * (radius - sigma)
    zyx = np.repeat(centres, GRAINS, axis=0) + grains
    mass = 4 / 3 * math.pi * radius**3 * PHASE / GRAINS
    return Phantom(zyx - zyx.mean(axis=0), np.full(count, sigma), np.full(count, mass))


def protein(diameter: float, seed: int) -> Phantom:
    """Invent an asymmetric, hollow, slightly elongated protein of lobes.

    Parameters
    ----------
    diameter : float
        Longest side in Å.
    seed : int
        Which protein; the same seed and diameter give the same one.
    """
    rng = np.random.default_rng(seed)
    radius = LOBE * diameter
    shell = np.asarray(AXES) * diameter / 2 - radius
    centres = shell * [[1, 0, 0], [-1, 0, 0]]  # both ends of the longest axis
    while len(centres) < LOBES:
        candidates = shell * directions(8, rng)
        distance = np.linalg.norm(candidates[:, None] - centres, axis=2).min(axis=1)
        centres = np.concatenate([centres, candidates[[distance.argmax()]]])
    return lobed(centres, radius, rng)


def debris(diameter: float, rng: np.random.Generator) -> Phantom:
    """Invent a smaller round protein or an unfolded chain; ``diameter`` is that of the particle in Å."""
    if rng.random() < 0.5:
        return lobed(np.zeros((1, 3)), rng.uniform(0.13, 0.28) * diameter, rng)
    radius = rng.uniform(0.8, 1.3) * LOBE * diameter
    steps = directions(int(rng.integers(2, 9)), rng) * 1.3 * radius
    return lobed(np.cumsum(steps, axis=0), radius, rng)
