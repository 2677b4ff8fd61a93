"""What every coordinate format reads and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks


@dataclass(frozen=True, eq=False)
class CoordinateSet:
    """The picks of one micrograph, with what a file format needs to place them.

    Attributes
    ----------
    micrograph : str
        The micrograph's name as the file writes it, folders included; empty if the file has none.
    picks : Picks
        Centres in the convention of `Picks`.
    shape : (int, int) or None
        Rows and columns of the micrograph; needed to flip. Columns are 0 where only the height is known.
    spacing : float or None
        Å/px.
    diameter : float or None
        Particle diameter in px of the micrograph (the side of a box).
    extra : mapping
        Further columns by name, each (n,): kept where the format has room.
    """

    micrograph: str
    picks: Picks
    shape: tuple[int, int] | None = None
    spacing: float | None = None
    diameter: float | None = None
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def flipped_y(self, height: int | None = None) -> CoordinateSet:
        """Mirror the positions top to bottom: row r becomes height - 1 - r.

        Parameters
        ----------
        height : int, optional
            Rows of the micrograph, for a set whose shape is not known.

        Raises
        ------
        CryopickError
            If the micrograph's height is not known.
        """
        rows = self.shape[0] if self.shape else height
        if rows is None:
            raise CryopickError(
                f"{self.micrograph or 'these coordinates'}: flipping y needs the height of the micrograph; "
                "give --micrographs (to cryopick convert, --height does as well)"
            )
        yx = self.picks.yx.copy()
        yx[:, 0] = np.float32(rows - 1) - yx[:, 0]
        return replace(self, picks=Picks(yx, self.picks.score))

    def flipped_x(self) -> CoordinateSet:
        """Mirror the positions left to right: column c becomes width - 1 - c.

        Raises
        ------
        CryopickError
            If the micrograph's width is not known.
        """
        if self.shape is None or not self.shape[1]:
            raise CryopickError(
                f"{self.micrograph or 'these coordinates'}: flipping x needs the width of the micrograph; "
                "give --micrographs"
            )
        yx = self.picks.yx.copy()
        yx[:, 1] = np.float32(self.shape[1] - 1) - yx[:, 1]
        return replace(self, picks=Picks(yx, self.picks.score))

    def transposed(self) -> CoordinateSet:
        """Exchange x and y, for files that name them the other way round; the micrograph stays as it is."""
        return replace(self, picks=Picks(self.picks.yx[:, ::-1].copy(), self.picks.score))


@dataclass(frozen=True)
class About:
    """What is known of a micrograph before it has picks.

    Attributes
    ----------
    name : str
        As the project's files write it.
    shape : (int, int) or None
        Rows and columns.
    spacing : float or None
        Å/px.
    values : mapping of str to float
        Microscope and defocus by RELION's labels.
    is_listed : bool
        Whether the name is that of a program's own list, which its picks must have letter for letter.
    """

    name: str
    shape: tuple[int, int] | None = None
    spacing: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    is_listed: bool = False

    def of(self, rows: CoordinateSet) -> CoordinateSet:
        """Say what is known to picks that do not know it themselves; their name stays theirs."""
        count = len(rows.picks)
        own = {name: np.full(count, value) for name, value in self.values.items()}
        return replace(
            rows,
            shape=self.shape or rows.shape,
            spacing=self.spacing or rows.spacing,
            extra={**own, **rows.extra},
        )


def merged(sets: Sequence[CoordinateSet]) -> CoordinateSet:
    """Join several sets of one micrograph into one, keeping the extra columns that all of them have."""
    first, *others = sets
    for other in others:
        shared = [key for key in first.extra if key in other.extra]
        first = CoordinateSet(
            first.micrograph,
            first.picks.joined(other.picks),
            first.shape or other.shape,
            first.spacing or other.spacing,
            first.diameter or other.diameter,
            {key: np.concatenate([first.extra[key], other.extra[key]]) for key in shared},
        )
    return first


def by_micrograph(names: Sequence[str], rows: CoordinateSet) -> list[CoordinateSet]:
    """Split the rows of one file by the micrograph each names, in the order of first appearance."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return [
        replace(
            rows,
            micrograph=name,
            picks=rows.picks.where(np.array(where, dtype=np.intp)),
            extra={key: column[where] for key, column in rows.extra.items()},
        )
        for name, where in places.items()
    ]
