"""Tables of how well picks agree with true positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cryopick_napari.metrics import STRICT, Score, best_threshold, chance_level, mirrored, score
from cryopick_napari.picks import Picks

FULL = 0.5  # farthest distance of a right pick in diameters, beside the strict one: a radius
APART = 0.5  # least distance of random picks, in diameters


@dataclass(frozen=True, eq=False)
class Compared:
    """Picks and true positions of one micrograph.

    Attributes
    ----------
    name : str
    picks, truth : Picks
        In its pixels.
    diameter : float
        Of a particle, px.
    shape : (int, int)
        Rows and columns, px.
    """

    name: str
    picks: Picks
    truth: Picks
    diameter: float
    shape: tuple[int, int]


@dataclass(frozen=True)
class Agreement:
    """Figures of one micrograph, or of all.

    Attributes
    ----------
    name : str
    picks, truth : int
    precision, recall, f1 : float
        One to one, centres within half a particle radius.
    f1_full_radius : float
        The same within a radius.
    best_f1, best_threshold : float
        The highest F1 that a threshold on the picks' scores gives, and that threshold.
    chance : float
        Mean F1 of 20 uniform sets of as many picks, at least half a diameter apart.
    flipped : float
        F1 of the picks mirrored top to bottom: higher than F1 means the rows are counted from the other end.
    """

    name: str
    picks: int
    truth: int
    precision: float
    recall: float
    f1: float
    f1_full_radius: float
    best_f1: float
    best_threshold: float
    chance: float
    flipped: float


def agreement(fields: Sequence[Compared], name: str) -> Agreement:
    """Score picks over one or several micrographs; counts are added up before anything is divided."""
    strict = sum((score(f.picks, f.truth, STRICT * f.diameter) for f in fields), Score(0, 0, 0))
    full = sum((score(f.picks, f.truth, FULL * f.diameter) for f in fields), Score(0, 0, 0))
    flipped = sum(
        (score(mirrored(f.picks, f.shape), f.truth, STRICT * f.diameter) for f in fields), Score(0, 0, 0)
    )
    unit = fields[0].diameter  # fields of other pixel sizes are brought to the first one's
    alike = [(resized(f.picks, unit / f.diameter), resized(f.truth, unit / f.diameter)) for f in fields]
    threshold, best = best_threshold(alike, STRICT * unit)
    chances = [
        chance_level(len(f.picks), f.truth, f.shape, STRICT * f.diameter, APART * f.diameter) for f in fields
    ]
    weights = [len(f.picks) + len(f.truth) for f in fields]
    chance = float(np.average(chances, weights=weights)) if sum(weights) else 0.0
    return Agreement(
        name,
        strict.picks,
        strict.truth,
        strict.precision,
        strict.recall,
        strict.f1,
        full.f1,
        best.f1,
        threshold,
        chance,
        flipped.f1,
    )


def resized(picks: Picks, factor: float) -> Picks:
    """Bring positions to another pixel size."""
    return Picks.of(picks.yx * factor, picks.score)


def evaluate(fields: Sequence[Compared]) -> list[Agreement]:
    """Score every micrograph, and last all of them together."""
    return [*(agreement([field], field.name) for field in fields), agreement(fields, "all")]


def extent(picks: Picks) -> tuple[int, int]:
    """Guess the rows and columns of a micrograph from the positions on it: the smallest that holds them."""
    height, width = np.ceil(picks.yx.max(axis=0) + 1).astype(int) if len(picks) else (1, 1)
    return max(1, int(height)), max(1, int(width))


def as_table(rows: Sequence[Agreement]) -> str:
    """Lay out figures for a terminal."""
    heads = (
        "micrograph",
        "picks",
        "truth",
        "precision",
        "recall",
        "F1",
        "F1 (R)",
        "best F1",
        "at",
        "chance",
        "flipped",
    )
    lines = [heads] + [tuple(_text(value) for value in asdict(row).values()) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def warnings_of(rows: Sequence[Agreement]) -> list[str]:
    """Say what the figures give reason to doubt."""
    total = rows[-1]
    said: list[str] = []
    if total.flipped > total.f1 and total.flipped > total.chance:
        said.append(
            f"flipped top to bottom the picks agree better ({total.flipped:.3f}): cryopick convert --flip-y"
        )
    if total.picks and total.f1 <= total.chance:
        said.append("the picks agree no better than chance: are diameter, pixel size and micrographs right?")
    return said


def as_values(rows: Sequence[Agreement]) -> Mapping[str, object]:
    """Arrange figures for JSON."""
    return {"micrographs": [asdict(row) for row in rows[:-1]], "all": asdict(rows[-1])}


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
