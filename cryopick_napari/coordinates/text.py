"""Between the words of a text file and numbers, with errors that name the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.naming import Lookup
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

# Ways to write "no value"; RELION fills the columns of a person's picks with -999.
MISSING = frozenset({"<NA>", "NA", "None", ""})
UNSET = -999.0
FAR = 1e9  # px; no micrograph is that large, and float32 ends soon after


@dataclass(frozen=True)
class Shapes:
    """Rows and columns of micrographs by name, and the height of all others if they share one."""

    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    height: int | None = None
    lookup: Lookup = field(default_factory=Lookup)

    @classmethod
    def of(cls, known: Mapping[str, tuple[int, int]], height: int | None = None) -> Shapes:
        """Make them ready to be looked up."""
        return cls(known, height, Lookup.of(known))

    def find(self, micrograph: str) -> tuple[int, int] | None:
        """Give rows and columns of a micrograph, or None when nobody knows."""
        found = self.lookup.find(micrograph)
        return self.known[found.name] if found else None


@dataclass(frozen=True)
class Source:
    """One coordinate file as its reader gets it: ``name`` is the micrograph's if the file does not say."""

    path: Path
    text: str
    name: str = ""
    shapes: Shapes = field(default_factory=Shapes)


@dataclass(frozen=True)
class Columns:
    """Rows of words, the line of the file each came from, and the name of each column."""

    path: Path
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def words(self, name: str) -> list[str]:
        """Give one column as text."""
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Give one column as numbers; a missing value is NaN.

        Raises
        ------
        CryopickError
            If a word is not a number; the message has its line.
        """
        words = ["nan" if word.strip() in MISSING else word for word in self.words(name)]
        try:
            return np.array(words, dtype=np.float64)
        except ValueError:
            bad = next(place for place, word in enumerate(words) if not is_number(word))
            raise self.complaint(bad, f"{name} is {words[bad]!r}, not a number") from None

    def complaint(self, row: int, what: str) -> CryopickError:
        """Say what is wrong with a row, where, and what to do."""
        return CryopickError(f"{self.path}, line {self.lines[row]}: {what}; correct or delete that line")

    def positions(self, x: str, y: str) -> NDArray[np.float64]:
        """Give (n, 2) rows and columns from two columns, in px.

        Raises
        ------
        CryopickError
            If a word is not a finite number.
        """
        yx = np.stack([self.numbers(y), self.numbers(x)], axis=1)
        bad = np.flatnonzero(~(np.abs(yx) < FAR).all(axis=1))  # NaN is not less either
        if len(bad):
            raise self.complaint(int(bad[0]), f"{x} or {y} is not a finite number")
        return yx

    def scores(self, name: str | None) -> NDArray[np.float64]:
        """Give the figures of merit; 1 for picks that have none, as those of a person."""
        if name is None or name not in self.names:
            return np.ones(len(self.rows))
        score = self.numbers(name)
        limit = np.finfo(np.float32).max
        return np.where(np.isnan(score) | (score == UNSET), 1.0, score.clip(-limit, limit))


def boxed_picks(columns: Columns, x: str, y: str, w: str, h: str, score: str) -> tuple[Picks, float | None]:
    """Read boxes given by a corner: picks at corner + side / 2, and the median of their longer sides (px)."""
    sides = columns.positions(w, h)
    picks = Picks.of(columns.positions(x, y) + sides / 2, columns.scores(score))
    diameter = float(np.median(sides.max(axis=1))) if len(picks) else 0.0
    return picks, diameter or None


def box_side(diameter: float | None, micrograph: str) -> int:
    """Give the side of a box in px: the diameter, rounded.

    Raises
    ------
    CryopickError
        If the diameter is not known.
    """
    if diameter is None or not diameter > 0:
        raise CryopickError(f"{micrograph}: a box needs a size; give --diameter-px")
    return max(1, round(diameter))


def is_number(word: str) -> bool:
    """Tell whether a word reads as a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def brief(value: float) -> str:
    """Write a number with up to six decimals, none where it is whole."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def precise(value: np.float32) -> str:
    """Write a float32 in the fewest digits that read back as the same number."""
    return np.format_float_positional(value, unique=True, trim="-")
