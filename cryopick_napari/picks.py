"""Positions of particles in one micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Picks:
    """Particle centres and their scores.

    Attributes
    ----------
    yx : (n, 2) float32
        Row and column of each centre in pixels of the micrograph. Pixel
        centres are at integers, and the first row of the file is row 0:
        the convention of napari's points layers.
    score : (n,) float32
        Figure of merit of each pick; 1 where a person set it.
    """

    yx: NDArray[np.float32]
    score: NDArray[np.float32]

    @classmethod
    def of(cls, yx: ArrayLike, score: ArrayLike | None = None) -> Picks:
        """Make picks from anything array-like; scores default to 1.

        Raises
        ------
        ValueError
            If ``yx`` is not (n, 2), or there are not as many scores as positions.
        """
        positions = np.asarray(yx, dtype=np.float32)
        if positions.size == 0:
            positions = positions.reshape(0, 2)
        if positions.ndim != 2 or positions.shape[1] != 2:
            raise ValueError(f"positions must have the shape (n, 2), not {positions.shape}")
        scores = np.ones(len(positions)) if score is None else np.asarray(score)
        if scores.shape != (len(positions),):
            raise ValueError(f"{len(positions)} positions need as many scores, not {scores.shape}")
        return cls(positions, scores.astype(np.float32))

    def __len__(self) -> int:
        return len(self.yx)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Picks:
        """Select picks by a boolean mask or by indices."""
        return Picks(self.yx[keep], self.score[keep])

    def above(self, threshold: float) -> Picks:
        """Keep the picks that score at least ``threshold``."""
        return self.where(self.score >= threshold)

    def within(self, shape: tuple[int, int], margin: float = 0.0) -> Picks:
        """Keep the picks whose centre lies in a field, ``margin`` px or more from its edges."""
        high = np.asarray(shape) - 0.5 - margin
        inside: NDArray[np.bool_] = np.all((self.yx >= margin - 0.5) & (self.yx <= high), axis=1)
        return self.where(inside)

    def joined(self, other: Picks) -> Picks:
        """Append the picks of another value."""
        return Picks(np.concatenate([self.yx, other.yx]), np.concatenate([self.score, other.score]))


def falling_scores(found: Sequence[Picks]) -> NDArray[np.float32]:
    """List the scores (n,) of all picks of some fields, from the highest down."""
    falling: NDArray[np.float32] = np.sort(np.concatenate([some.score for some in found]))[::-1]
    return falling
