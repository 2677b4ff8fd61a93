"""From one coordinate format to another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.formats import ENDING
from cryopick_napari.coordinates.matching import match
from cryopick_napari.coordinates.naming import IMAGE, absolute
from cryopick_napari.coordinates.reading import read_coordinates
from cryopick_napari.coordinates.writing import write_coordinates, write_file
from cryopick_napari.errors import CryopickError

Micrographs = Mapping[Path, tuple[int, int]]


def convert(
    source: str | Path,
    target: str | Path,
    format: str | None = None,
    *,
    flip_y: bool = False,
    micrographs: Micrographs | None = None,
    height: int | None = None,
    diameter: float | None = None,
    source_format: str | None = None,
) -> list[Path]:
    """Read coordinates and write them in another format.

    Parameters
    ----------
    source : str or Path
        What `read_coordinates` takes.
    target : str or Path
        A folder; or a file for the picks of one micrograph: a name that ends in .star, .box, .cbox,
        .csv, or .txt (Topaz, which has room for many).
    format : str, optional
        One of `FORMATS`; for a file its ending can say it.
    flip_y : bool
        Row r becomes height - 1 - r. CryoPPP's files are turned without it.
    micrographs : mapping, optional
        Rows and columns of the micrographs by path; they also complete names that have no ending.
    height : int, optional
        Rows of all micrographs, instead of ``micrographs``.
    diameter : float, optional
        Particle diameter in px, for formats with boxes.
    source_format : str, optional
        One of `FORMATS`; recognised by content when not given.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    CryopickError
        If anything cannot be read, placed or written.
    """
    goal = Path(target)
    endings = {**ENDING, ".txt": "topaz"}
    one_file = not goal.is_dir() and goal.suffix.lower() in endings
    kind = format or (endings[goal.suffix.lower()] if one_file else None)
    if kind is None:
        raise CryopickError(f"which format is {goal} to have? give --format")
    known = {str(path): shape for path, shape in (micrographs or {}).items()}
    sets = read_coordinates(source, known, source_format, height)
    if not sets:
        raise CryopickError(f"{source} names no micrograph; there is nothing to convert")
    if micrographs:
        sets = _named(sets, list(micrographs))
    sets = [replace(rows, diameter=diameter or rows.diameter) for rows in sets]
    sets = [rows.flipped_y(height) for rows in sets] if flip_y else sets
    if one_file:
        return [write_file(sets, goal, kind)]
    return write_coordinates(sets, goal, kind, root=_root(list(micrographs or {})))


def _named(sets: Sequence[CoordinateSet], micrographs: Sequence[Path]) -> list[CoordinateSet]:
    """Give sets whose name is only a stem the name of their micrograph; full names stay byte for byte."""
    matched, unmatched = match(sets, micrographs)
    if unmatched:
        some = ", ".join(unmatched[:3]) + (" ..." if len(unmatched) > 3 else "")
        raise CryopickError(f"{len(unmatched)} names ({some}) mean no single one of the micrographs given")
    return [
        rows if IMAGE.search(rows.micrograph) else replace(rows, micrograph=str(path))
        for path, rows in matched.items()
    ]


def _root(micrographs: Sequence[Path]) -> Path | None:
    parents = [absolute(path).parent for path in micrographs]
    try:
        return Path(os.path.commonpath(parents)) if parents else None
    except ValueError:  # on two drives
        return None
