"""A particle as a density on a grid, projected by slices through its Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from cryopick_napari.phantom import longest_side, turned_at_random
from cryopick_napari.specimen import stamp

SEEN = 0.05  # of the highest density: what is lower does not make a particle larger


@dataclass(frozen=True, eq=False)
class Volume:
    """A density about its centre of mass, in one orientation.

    Attributes
    ----------
    spectrum : (n, n, n // 2 + 1) complex64
        Fourier transform of the projected phase a length (rad/Å), times the volume of a voxel; the first
        two axes run from the lowest frequency to the highest, the last from 0.
    mass : float
        Integral of the projected phase, in rad Å².
    spacing : float
        Å a voxel.
    diameter : float
        Longest side in Å.
    reach : float
        Largest distance of any density from the centre of mass, in Å.
    turn : Rotation
        Of positions (z, y, x).
    """

    spectrum: NDArray[np.complex64]
    mass: float
    spacing: float
    diameter: float
    reach: float
    turn: Rotation

    @classmethod
    def of(cls, density: NDArray[np.floating], spacing: float) -> Volume:
        """Transform a density (d, h, w) in rad/Å, none of it negative and some above 0."""
        filled = np.argwhere(density > 0)
        low, high = filled.min(axis=0), filled.max(axis=0) + 1
        part = np.asarray(density[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], np.float32)
        weights = part[part > 0].astype(float)
        points = filled - low  # in the order of weights
        centre = np.average(points, axis=0, weights=weights)
        reach = float(np.linalg.norm(points - centre, axis=1).max()) + 1
        side = longest_side(points[weights > SEEN * weights.max()] * spacing) + spacing
        # twice as wide as it is, so that linear interpolation between frequencies is good
        size = scipy.fft.next_fast_len(math.ceil(4 * reach) + 2, real=True)
        size += size % 2
        for axis, middle in enumerate(centre):
            # which fades what is far from the centre as sinc^2, undone here
            fade = np.sinc((np.arange(part.shape[axis]) - middle) / size) ** 2
            part = np.asarray(part / _along(axis, fade), np.float32)
        spectrum = scipy.fft.rfftn(part, (size,) * 3, overwrite_x=True)
        spectrum = scipy.fft.fftshift(_moved(spectrum, centre) * np.float32(spacing**3), axes=(0, 1))
        return cls(
            spectrum, float(weights.sum()) * spacing**3, spacing, side, reach * spacing, Rotation.identity()
        )

    def rotated(self, rng: np.random.Generator) -> Volume:
        """Turn it at random; all orientations are equally likely."""
        return replace(self, turn=turned_at_random(rng))

    def draw(self, canvas: NDArray[np.float32], centre: NDArray[np.float64], spacing: float) -> None:
        """Add the projection along z to a canvas, in place; see `Phantom.draw`."""
        side = 2 * math.ceil(self.reach / spacing) + 5
        rows = scipy.fft.fftfreq(side)[:, None]
        columns = scipy.fft.rfftfreq(side)[None]
        y, x = centre - np.rint(centre) + side // 2
        shift = np.exp(-2j * math.pi * (rows * y + columns * x))
        image = scipy.fft.irfft2(self._slice(rows / spacing, columns / spacing) * shift, s=(side, side))
        stamp(canvas, np.asarray(image / spacing**2, np.float32), centre)

    def _slice(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Interpolate the transform of the projection along z at frequencies (h, 1) and (1, w) in 1/Å.

        It is the plane through the origin, perpendicular to z (Bracewell 1956).
        """
        size = len(self.spectrum)
        y, x = np.broadcast_arrays(rows, columns)
        known = np.hypot(y, x) * self.spacing < 0.5 - 1.5 / size
        directions = np.stack([np.zeros(known.sum()), y[known], x[known]], axis=1)
        at = self.turn.inv().apply(directions) * (size * self.spacing)
        mirrored = at[:, 2] < 0  # a real density has a symmetric transform: only half is there
        at[mirrored] *= -1
        at[:, :2] += size // 2
        values = map_coordinates(self.spectrum, at.T, order=1)
        plane = np.zeros(y.shape, complex)
        plane[known] = np.where(mirrored, values.conj(), values)
        # the one place that is never between frequencies, where undoing what interpolation fades is wrong
        plane[0, 0] = self.mass
        return plane


def _moved(spectrum: NDArray[np.complex64], centre: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Move the voxel at ``centre`` to the origin, in place."""
    size = len(spectrum)
    for axis, middle in enumerate(centre):
        frequency = scipy.fft.rfftfreq(size) if axis == 2 else scipy.fft.fftfreq(size)
        spectrum *= _along(axis, np.exp(2j * math.pi * frequency * middle)).astype(np.complex64)
    return spectrum


def _along(axis: int, values: NDArray[Any]) -> NDArray[Any]:
    """Lay values (n,) along one of three axes."""
    return np.expand_dims(values, [n for n in range(3) if n != axis])
