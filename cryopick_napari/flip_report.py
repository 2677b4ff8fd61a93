"""A picture of positions over their micrograph, read in every way that programs differ by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.config import UNKNOWN_DIAMETER
from cryopick_napari.coordinates import CoordinateSet, Turn, pair, read_sets
from cryopick_napari.coordinates.base import About
from cryopick_napari.errors import CryopickError
from cryopick_napari.flip import PICTURE, WAYS, WORDS, FlipCheck, flip_check
from cryopick_napari.micrograph import read_micrograph
from cryopick_napari.overlay import write_png

BAR = 24  # px, for the words above a picture
GAP = 6  # px, between pictures
CHOSEN, OTHER = (120, 255, 120), (200, 200, 200)

Picture = NDArray[np.uint8]


def check_file(
    source: Path,
    micrograph: Path,
    picture: Path,
    turn: Turn,
    diameter: float | None = None,
    format: str | None = None,
) -> Iterator[str]:
    """Compare the ways of reading positions against their micrograph; draw them, and say what was found.

    Parameters
    ----------
    source : Path
        A coordinate file, or a folder of them.
    micrograph : Path
        The one that is looked at.
    picture : Path
        The PNG to write: a column a way, a part of the field above the average particle.
    turn : Turn
        How the positions are to be turned before they are looked at.
    diameter : float, optional
        Of a particle, px; the file's own, or 50, by default.
    format : str, optional
        Of the file; recognised by content when not given.

    Yields
    ------
    str
        Lines for a terminal.

    Raises
    ------
    CryopickError
        If anything cannot be read, or there are no positions on this micrograph.
    """
    field = read_micrograph(micrograph)
    about = About(str(micrograph), field.shape)
    # The height is this micrograph's; what others of the same file come to with it is not looked at.
    sets = read_sets(source, {micrograph: about}, format, field.shape[0])
    rows = turn(about.of(_its_own(sets, micrograph, source)))
    size = diameter or rows.diameter or UNKNOWN_DIAMETER
    check = flip_check([(field, rows.picks, size)])
    if check is None:
        raise CryopickError(f"{source} holds no positions on {micrograph}: nothing to check")
    write_png(picture, _drawn(check))
    outside = len(rows.picks) - len(rows.picks.within(field.shape))
    yield f"{len(rows.picks)} positions on {micrograph}, particles of {size:g} px"
    if outside:
        yield f"{outside} of them lie outside its {field.shape[0]} rows and {field.shape[1]} columns"
    for name, way in check.ways.items():
        yield f"  {WORDS[name]:<24}{way.evidence:8.1f} standard errors of contrast"
    yield _verdict(check)
    yield f"wrote {picture}"


def _verdict(check: FlipCheck) -> str:
    if check.better:
        return f"they fit {WORDS[check.better]}: convert with {check.better}"
    best = max(check.ways, key=lambda name: check.ways[name].evidence)
    if best == next(iter(check.ways)):
        return "no other way fits better"
    return "no way fits clearly better than the others: look at the picture, and check the diameter"


def _its_own(sets: list[CoordinateSet], micrograph: Path, source: Path) -> CoordinateSet:
    """Find the positions of a micrograph; a file of a single one is meant, whatever its name."""
    found, _ = pair(sets, [micrograph])
    if not found:
        raise CryopickError(f"{source} has no positions of {micrograph.name}: compare their names")
    return found[micrograph]


def _drawn(check: FlipCheck) -> Picture:
    columns = [_column(name, check) for name in WAYS]
    gap = np.zeros((columns[0].shape[0], GAP, 3), np.uint8)
    return np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=1)


def _column(name: str, check: FlipCheck) -> Picture:
    way = check.ways[name]
    best = way.evidence == max(other.evidence for other in check.ways.values())
    title = np.zeros((BAR, PICTURE, 3), np.uint8)
    words = f"{WORDS[name]}: {way.evidence:.0f}"
    cv2.putText(
        title, words, (2, BAR - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.36, CHOSEN if best else OTHER, 1, cv2.LINE_AA
    )
    return np.concatenate([title, way.field, np.repeat(way.average[..., None], 3, axis=2)])
