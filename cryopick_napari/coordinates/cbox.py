"""crYOLO .cbox files: STAR with the corner, sides and confidence of each box.

As in .box files the centre is corner + side / 2, and rows count from the first row of an MRC file.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.star import parse_star, star_text
from cryopick_napari.coordinates.text import Source, box_side, boxed_picks
from cryopick_napari.errors import CryopickError

CORNER_AND_SIDES = ("CoordinateX", "CoordinateY", "Width", "Height")
CONFIDENCE = "Confidence"
ESTIMATES = ("EstWidth", "EstHeight", "NumBoxes", "Angle")
HEADER = "\ndata_global\n\n_cbox_format_version   1.0\n\n"


def sniff(head: str) -> bool:
    """Recognise the block that crYOLO names after itself."""
    return "data_cryolo" in head and "_CoordinateX" in head


def read(source: Source) -> list[CoordinateSet]:
    """Read the boxes of one micrograph.

    Raises
    ------
    CryopickError
        If the boxes are missing, or a row cannot be read.
    """
    wanted = [*CORNER_AND_SIDES, CONFIDENCE, *ESTIMATES]
    table = next((table for table in parse_star(source.text) if table.name == "cryolo"), None)
    missing = [name for name in CORNER_AND_SIDES if table is None or name not in table.labels]
    if table is None or missing:
        raise CryopickError(f"{source.path}: data_cryolo has no _{missing[0]}; write it again with crYOLO")
    columns = table.columns(wanted, source.path)
    picks, diameter = boxed_picks(columns, *CORNER_AND_SIDES, CONFIDENCE)
    extra = {name: columns.numbers(name) for name in ESTIMATES if name in columns.names}
    return [CoordinateSet(source.name, picks, diameter=diameter, extra=extra)]


def write(rows: CoordinateSet) -> str:
    """Write the eleven columns of crYOLO, <NA> for what only crYOLO estimates.

    Raises
    ------
    CryopickError
        If the particle's diameter is not known.
    """
    side = box_side(rows.diameter, rows.micrograph)
    corners = rows.picks.yx.astype(float) - side / 2
    count = len(corners)
    unknown = [float("nan")] * count
    columns: dict[str, Iterable[float]] = {
        "CoordinateX": corners[:, 1],
        "CoordinateY": corners[:, 0],
        "CoordinateZ": [0.0] * count,
        "Width": [side] * count,
        "Height": [side] * count,
        "Depth": [side] * count,
        "EstWidth": rows.extra.get("EstWidth", unknown),
        "EstHeight": rows.extra.get("EstHeight", unknown),
        CONFIDENCE: rows.picks.score,
        "NumBoxes": rows.extra.get("NumBoxes", unknown),
        "Angle": rows.extra.get("Angle", unknown),
    }
    words = {name: [_word(value) for value in column] for name, column in columns.items()}
    return HEADER + star_text("cryolo", words) + star_text("cryolo_include", {"slice_index": ["0.000000"]})


def _word(value: float) -> str:
    return f"{value:.6f}" if value == value else "<NA>"
