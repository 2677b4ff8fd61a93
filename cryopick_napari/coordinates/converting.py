"""From one coordinate format to another."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryopick_napari.coordinates import cryosparc
from cryopick_napari.coordinates.base import About, CoordinateSet
from cryopick_napari.coordinates.formats import ENDING
from cryopick_napari.coordinates.matching import pair
from cryopick_napari.coordinates.naming import IMAGE, absolute
from cryopick_napari.coordinates.reading import read_coordinates
from cryopick_napari.coordinates.writing import save, write_coordinates, write_file
from cryopick_napari.errors import CryopickError

ENDINGS = {**ENDING, ".txt": "topaz", cryosparc.SUFFIX: "cs"}


@dataclass(frozen=True)
class Turn:
    """How positions are turned: first x and y exchanged, then mirrored top to bottom, and left to right."""

    swap_xy: bool = False
    flip_y: bool = False
    flip_x: bool = False

    def __call__(self, rows: CoordinateSet) -> CoordinateSet:
        """Turn the positions of one micrograph."""
        rows = rows.transposed() if self.swap_xy else rows
        rows = rows.flipped_y() if self.flip_y else rows
        return rows.flipped_x() if self.flip_x else rows


@dataclass(frozen=True)
class Converted:
    """What was written, and whose picks were left out for want of their micrograph."""

    files: tuple[Path, ...]
    unmatched: tuple[str, ...] = ()


def convert(
    source: str | Path,
    target: str | Path,
    format: str | None = None,
    *,
    turn: Turn = Turn(),
    micrographs: Mapping[Path, About] | None = None,
    height: int | None = None,
    diameter: float | None = None,
    source_format: str | None = None,
    exposures: Path | None = None,
) -> Converted:
    """Read coordinates and write them in another format.

    Parameters
    ----------
    source : str or Path
        What `read_coordinates` takes.
    target : str or Path
        A folder; or a file: a name that ends in .star, .box, .cbox, .csv, .txt (Topaz) or .cs. Of many
        micrographs, .star becomes a particles.star, and .csv has a column for their names.
    format : str, optional
        One of `FORMATS`, or ``cs``; for a file its ending can say it.
    turn : Turn
        How positions are turned. CryoPPP's files, and cryoSPARC's, are turned without it.
    micrographs : mapping, optional
        What is known of the micrographs by path; it also completes names that have no ending.
    height : int, optional
        Rows of all micrographs, instead of ``micrographs``.
    diameter : float, optional
        Particle diameter in px, for formats with boxes.
    source_format : str, optional
        One of `FORMATS`; recognised by content when not given.
    exposures : Path, optional
        For ``cs``: cryoSPARC's own .cs file of the micrographs.

    Raises
    ------
    CryopickError
        If anything cannot be read, placed or written.
    """
    goal = Path(target)
    sets = read_sets(source, micrographs, source_format, height)
    unmatched: list[str] = []
    if micrographs:
        sets, unmatched = _named(sets, micrographs)
    sets = [_completed(rows, diameter, height) for rows in sets]
    sets = [turn(rows) for rows in sets]
    kind, is_file = _kind(goal, format, sets)
    if kind == "cs":
        return _write_cs(sets, goal if is_file else goal / "picked_particles.cs", exposures, unmatched)
    if is_file:
        return Converted((write_file(sets, goal, kind),), tuple(unmatched))
    written = write_coordinates(sets, goal, kind, root=_root(list(micrographs or {})))
    return Converted(tuple(written), tuple(unmatched))


def read_sets(
    source: str | Path,
    micrographs: Mapping[Path, About] | None = None,
    format: str | None = None,
    height: int | None = None,
) -> list[CoordinateSet]:
    """Read coordinates with what is known of their micrographs; parameters as for `convert`.

    Raises
    ------
    CryopickError
        If they cannot be read, or name no micrograph.
    """
    shapes = {str(path): about.shape for path, about in (micrographs or {}).items() if about.shape}
    sets = read_coordinates(source, shapes, format, height)
    if not sets:
        raise CryopickError(f"{source} names no micrograph; there is nothing to convert")
    return sets


def _kind(goal: Path, format: str | None, sets: Sequence[CoordinateSet]) -> tuple[str, bool]:
    """Tell the format of the target, and whether it is a file."""
    ending = goal.suffix.lower()
    is_file = not goal.is_dir() and ending in ENDINGS
    kind = format or (ENDINGS[ending] if is_file else None)
    if kind is None:
        raise CryopickError(f"which format is {goal} to have? give --format")
    if is_file and format is None and kind == "relion":
        many = len(sets) != 1 or goal.name.lower().endswith("particles.star")
        return ("particles" if many else kind), is_file
    return kind, is_file


def _completed(rows: CoordinateSet, diameter: float | None, height: int | None) -> CoordinateSet:
    shape = rows.shape or ((height, 0) if height else None)
    return replace(rows, diameter=diameter or rows.diameter, shape=shape)


def _write_cs(
    sets: Sequence[CoordinateSet], file: Path, exposures: Path | None, unmatched: list[str]
) -> Converted:
    if exposures is None:
        raise CryopickError(
            "a .cs file names cryoSPARC's own micrographs by numbers that cannot be invented; give them: "
            "--exposures JOB/exposures.cs"
        )
    table, strangers = cryosparc.table_of(sets, cryosparc.read_exposures(exposures))
    if not len(table):
        raise CryopickError(f"none of the picks are on a micrograph of {exposures}; compare their names")
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    return Converted((save(file, content.getvalue()),), (*unmatched, *strangers))


def _named(
    sets: Sequence[CoordinateSet], micrographs: Mapping[Path, About]
) -> tuple[list[CoordinateSet], list[str]]:
    """Give sets the name that a list has for them, or their micrograph's if theirs is only a stem.

    Full names stay byte for byte where no list says otherwise.
    """
    matched, unmatched = pair(sets, list(micrographs))
    if not matched:
        some = ", ".join(unmatched[:3]) + (" ..." if len(unmatched) > 3 else "")
        raise CryopickError(
            f"{len(unmatched)} names ({some}) mean no single one of the micrographs given: compare the names"
        )
    return [_called(micrographs[path], rows) for path, rows in matched.items()], unmatched


def _called(about: About, rows: CoordinateSet) -> CoordinateSet:
    own = bool(IMAGE.search(rows.micrograph)) and not about.is_listed
    return replace(about.of(rows), micrograph=rows.micrograph if own else about.name)


def _root(micrographs: Sequence[Path]) -> Path | None:
    parents = [absolute(path).parent for path in micrographs]
    try:
        return Path(os.path.commonpath(parents)) if parents else None
    except ValueError:  # on two drives
        return None
