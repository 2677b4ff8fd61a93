"""RELION STAR files: picks of one micrograph, particles of many, and the index of a picking job.

`_rlnCoordinateX` is a column and `_rlnCoordinateY` a row of the MRC file, counted from the centre of the
first pixel = 0 (RELION rounds them to the pixel at the middle of the box it cuts): no flip, no half pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.base import CoordinateSet, by_micrograph
from cryopick_napari.coordinates.optics import PIXEL_SIZE, known_of, one_spacing
from cryopick_napari.coordinates.star import parse_star, star_text
from cryopick_napari.coordinates.text import Source
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

X, Y, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
CLASS, PSI = "rlnClassNumber", "rlnAnglePsi"
MICROGRAPH, COORDINATES = "rlnMicrographName", "rlnMicrographCoordinates"
HEADER = "\n# version 30001\n\n"


def sniff(head: str) -> bool:
    """Recognise a STAR file with coordinates, or with the names of coordinate files."""
    return "data_" in head and (f"_{X}" in head or f"_{COORDINATES}" in head)


def is_index(text: str) -> bool:
    """Recognise a STAR file that only names coordinate files (autopick.star, manualpick.star)."""
    return f"_{COORDINATES}" in text


def read(source: Source) -> list[CoordinateSet]:
    """Read picks or particles; one set a micrograph where the file names them.

    Raises
    ------
    CryopickError
        If there is no table with coordinates, or a row cannot be read.
    """
    everything = parse_star(source.text)
    tables = [table for table in everything if X in table.labels and Y in table.labels]
    if not tables:
        raise CryopickError(f"{source.path}: no table with _{X} and _{Y}; is it a coordinate file?")
    columns = tables[0].columns([X, Y, SCORE, CLASS, PSI, MICROGRAPH], source.path)
    picks = Picks.of(columns.positions(X, Y), columns.scores(SCORE))
    extra = {name: columns.numbers(name) for name in (CLASS, PSI) if name in columns.names}
    extra |= known_of(everything, tables[0], source.path)
    rows = CoordinateSet(source.name, picks, extra=extra)
    sets = by_micrograph(columns.words(MICROGRAPH), rows) if MICROGRAPH in columns.names else [rows]
    return [_with_spacing(rows) for rows in sets]


def _with_spacing(rows: CoordinateSet) -> CoordinateSet:
    """Move the pixel size from a column to its own place."""
    extra = {name: column for name, column in rows.extra.items() if name != PIXEL_SIZE}
    return replace(rows, spacing=one_spacing(rows.extra.get(PIXEL_SIZE)), extra=extra)


def read_index(source: Source) -> list[tuple[str, str, int]]:
    """Read the index of a picking job: micrograph, its coordinate file, and the line of each.

    Raises
    ------
    CryopickError
        If it does not name the micrographs.
    """
    table = next(table for table in parse_star(source.text) if COORDINATES in table.labels)
    if MICROGRAPH not in table.labels:
        raise CryopickError(f"{source.path}: no column _{MICROGRAPH}; take the index RELION 4 or 5 wrote")
    columns = table.columns([MICROGRAPH, COORDINATES], source.path)
    return list(zip(columns.words(MICROGRAPH), columns.words(COORDINATES), columns.lines, strict=True))


def write(rows: CoordinateSet) -> str:
    """Write the picks of one micrograph as `relion_autopick` does; the index has its name."""
    return HEADER + star_text("", pick_columns(rows))


def pick_columns(rows: CoordinateSet) -> dict[str, list[str]]:
    """Give the columns of a pick as words: position, figure of merit, class, angle."""
    picks = rows.picks
    class_number, psi = (_known(rows, name) for name in (CLASS, PSI))
    return {
        X: [f"{x:.6f}" for x in picks.yx[:, 1]],
        Y: [f"{y:.6f}" for y in picks.yx[:, 0]],
        SCORE: [f"{score:.6f}" for score in picks.score],
        CLASS: [f"{number:.0f}" for number in class_number],
        PSI: [f"{angle:.6f}" for angle in psi],
    }


def _known(rows: CoordinateSet, name: str) -> NDArray[np.float64]:
    """Give a further column, 0 where it has no value."""
    column = np.asarray(rows.extra.get(name, np.zeros(len(rows.picks))), dtype=np.float64)
    return np.where(np.isfinite(column), column, 0.0)


def write_index(entries: Sequence[tuple[str, str]]) -> str:
    """Write autopick.star: the names of micrographs, byte for byte, and of their coordinate files."""
    columns = {
        MICROGRAPH: [name for name, _ in entries],
        COORDINATES: [file for _, file in entries],
    }
    return HEADER + star_text("coordinate_files", columns)
