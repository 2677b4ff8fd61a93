"""Tables with a header line: `x,y,score` as CSV, Topaz's text files, CryoPPP's CSV, napari's points.

x runs along a row and y counts rows from the file's first one; the centre of the first pixel is 0. Only
CryoPPP (`X-Coordinate,Y-Coordinate,...`) counts y from the other end: row = height - 1 - y.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.base import CoordinateSet, by_micrograph
from cryopick_napari.coordinates.naming import stem
from cryopick_napari.coordinates.text import Columns, Shapes, Source, brief, precise
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

X = ("x", "x_coord", "x-coordinate", "axis-1")
Y = ("y", "y_coord", "y-coordinate", "axis-0")
SCORE = ("score", "confidence")
MICROGRAPH = ("micrograph", "micrograph_name", "image_name")
CRYOPPP = "y-coordinate"
SIZE, CLASS = "diameter", "class"
CLASS_COLUMN = "rlnClassNumber"  # what a class is called among the extra columns of a set
CRYOPPP_HEADER = "X-Coordinate,Y-Coordinate,Diameter,Score\n"
TOPAZ = ("image_name", "x_coord", "y_coord", "score")


def sniff_topaz(head: str) -> bool:
    """Recognise the header that Topaz writes."""
    return set(TOPAZ[:3]) <= set(_header(head, "\t"))


def sniff_cryoppp(head: str) -> bool:
    """Recognise CryoPPP's header: the one kind of table that counts y from the other end."""
    return {"x-coordinate", CRYOPPP} <= set(_header(head, _delimiter(head) or ","))


def sniff_csv(head: str) -> bool:
    """Recognise a header with an x and a y column."""
    return _delimiter(head) is not None


def _header(head: str, delimiter: str) -> list[str]:
    first = next((line for line in head.split("\n") if line.strip()), "")
    return [name.strip().strip('"').lower() for name in first.split(delimiter)]


def _delimiter(head: str) -> str | None:
    fits = (mark for mark in ",\t;" if _one_of(X, names := _header(head, mark)) and _one_of(Y, names))
    return next(fits, None)


def _one_of(wanted: tuple[str, ...], names: list[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def read(source: Source) -> list[CoordinateSet]:
    """Read picks; one set a micrograph where a column names them, other columns of numbers as extra.

    Raises
    ------
    CryopickError
        If x or y is missing, a row cannot be read, or CryoPPP's y cannot be turned for lack of a height.
    """
    columns = _columns(source)
    names = list(columns.names)
    x, y, score, micrograph = (_one_of(wanted, names) for wanted in (X, Y, SCORE, MICROGRAPH))
    if x is None or y is None:
        raise CryopickError(
            f"{source.path}, line 1: no column {'x' if x is None else 'y'} among {', '.join(names)}; "
            "name the columns x,y"
        )
    picks = Picks.of(columns.positions(x, y), columns.scores(score))
    extra = _extra(columns, {x, y, score, micrograph})
    rows = CoordinateSet(source.name, picks, extra=extra)
    sets = by_micrograph(columns.words(micrograph), rows) if micrograph else [rows]
    sets = [replace(rows, diameter=_diameter(rows)) for rows in sets]
    return [_turned(rows, source.shapes) for rows in sets] if y == CRYOPPP else sets


def _diameter(rows: CoordinateSet) -> float | None:
    sizes = rows.extra.get(SIZE, np.array([]))
    known = sizes[sizes > 0]
    return float(np.median(known)) if len(known) else None


def _turned(rows: CoordinateSet, shapes: Shapes) -> CoordinateSet:
    return replace(rows, shape=shapes.find(rows.micrograph)).flipped_y(shapes.height)


def _columns(source: Source) -> Columns:
    reader = csv.reader(source.text.split("\n"), delimiter=_delimiter(source.text) or ",", strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(word.strip() for word in row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise CryopickError(f"{source.path}, line {reader.line_num}: {error}; correct that line") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise CryopickError(
                f"{source.path}, line {line}: {len(row)} values for {len(names)} columns; "
                "correct or delete that line"
            )
    return Columns(source.path, names, rows[1:], lines[1:])


def _extra(columns: Columns, taken: set[str | None]) -> Mapping[str, NDArray[np.float64]]:
    extra = {}
    for name in columns.names:
        if name not in taken:
            try:
                extra[CLASS_COLUMN if name == CLASS else name] = columns.numbers(name)
            except CryopickError:  # a column of words: there is no place for it
                continue
    return extra


def write_csv(rows: CoordinateSet) -> str:
    """Write `x,y,score` with a header, and the diameter and the classes where there are any."""
    columns = _csv_columns(rows)
    return _csv(columns, zip(*columns.values(), strict=True))


def write_csvs(*sets: CoordinateSet) -> str:
    """Write many micrographs into one table: the same, after a column with the micrograph's name."""
    tables = [
        {MICROGRAPH[0]: [rows.micrograph] * len(rows.picks), **_csv_columns(rows)}
        for rows in sets
        if len(rows.picks)
    ]
    names = list(dict.fromkeys(name for table in tables for name in table)) or [
        MICROGRAPH[0],
        "x",
        "y",
        "score",
    ]
    rows_of = (
        zip(*(table.get(name, [""] * len(table["x"])) for name in names), strict=True) for table in tables
    )
    return _csv(names, (row for rows in rows_of for row in rows))


def _csv_columns(rows: CoordinateSet) -> dict[str, list[str]]:
    picks, count = rows.picks, len(rows.picks)
    columns = {
        "x": [precise(x) for x in picks.yx[:, 1]],
        "y": [precise(y) for y in picks.yx[:, 0]],
        "score": [precise(score) for score in picks.score],
    }
    if rows.diameter is not None:
        columns[SIZE] = [brief(rows.diameter)] * count
    classes = rows.extra.get(CLASS_COLUMN)
    if classes is not None and np.isfinite(classes).all() and (classes > 0).any():
        columns[CLASS] = [brief(float(number)) for number in classes]
    return columns


def _csv(names: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(names), *rows])
    return text.getvalue()


def write_cryoppp(rows: CoordinateSet) -> str:
    """Write CryoPPP's columns and the score; y from the other end.

    Raises
    ------
    CryopickError
        If the micrograph's height is not known.
    """
    picks = rows.flipped_y().picks
    size = "" if rows.diameter is None else brief(rows.diameter)
    lines = (
        f"{precise(x)},{precise(y)},{size},{precise(score)}\n"
        for (y, x), score in zip(picks.yx, picks.score, strict=True)
    )
    return CRYOPPP_HEADER + "".join(lines)


def write_topaz(*sets: CoordinateSet) -> str:
    """Write Topaz's four columns with a header; its image names have no folder and no ending.

    There is no way to say that a micrograph has no particles: it is then not in the file.
    """
    lines = (
        f"{stem(rows.micrograph)}\t{precise(x)}\t{precise(y)}\t{precise(score)}\n"
        for rows in sets
        for (y, x), score in zip(rows.picks.yx, rows.picks.score, strict=True)
    )
    return "\t".join(TOPAZ) + "\n" + "".join(lines)
