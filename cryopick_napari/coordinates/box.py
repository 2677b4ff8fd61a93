"""EMAN .box files: `x y w h [score]`, one particle a line; x y is the corner of lowest numbers.

The centre is corner + side / 2, as crYOLO and EMAN2 read it: a box of 30 px at 85 and one of 31 px at 84.5
both have their centre at 100. So that nothing is lost the corner is not rounded, and an odd box around a
whole centre has one that ends in .5. RELION reads .box files in whole numbers (the corner cut to an integer,
plus half the side rounded down): write STAR for RELION. Rows count from the first row of the file.
Files whose sides are 0 (napari-boxmanager's "center") hold centres, which the same formula gives.
"""

from __future__ import annotations

from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.text import Columns, Source, box_side, boxed_picks, brief, is_number, precise
from cryopick_napari.errors import CryopickError

NAMES = ("x", "y", "width", "height", "score")


def sniff(head: str) -> bool:
    """Recognise lines of at least four bare numbers."""
    words = next((line.split() for line in head.split("\n") if line.strip()), [])
    return len(words) >= 4 and all(is_number(word) for word in words)


def read(source: Source) -> list[CoordinateSet]:
    """Read the boxes of one micrograph; an empty file is one without particles.

    Raises
    ------
    CryopickError
        If lines differ in their number of columns, or a word is not a number.
    """
    lines = [(number, line.split()) for number, line in enumerate(source.text.split("\n"), 1) if line.strip()]
    rows = [words for _, words in lines]
    width = len(rows[0]) if rows else 5
    for number, words in lines:
        if len(words) != width or width < 4:
            raise CryopickError(
                f"{source.path}, line {number}: {len(words)} columns where {max(width, 4)} are expected "
                "(x y width height [score]); correct or delete that line"
            )
    columns = Columns(source.path, NAMES[:width], rows, [number for number, _ in lines])
    picks, diameter = boxed_picks(columns, *NAMES)
    return [CoordinateSet(source.name, picks, diameter=diameter)]


def write(rows: CoordinateSet) -> str:
    """Write corners, sides and scores, with tabs.

    Raises
    ------
    CryopickError
        If the particle's diameter is not known.
    """
    side = box_side(rows.diameter, rows.micrograph)
    corners = rows.picks.yx.astype(float) - side / 2
    return "".join(
        f"{brief(x)}\t{brief(y)}\t{side}\t{side}\t{precise(score)}\n"
        for (y, x), score in zip(corners, rows.picks.score, strict=True)
    )
