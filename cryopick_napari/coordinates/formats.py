"""The one table of coordinate formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryopick_napari.coordinates import box, cbox, relion, tables
from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.text import Source
from cryopick_napari.errors import CryopickError


@dataclass(frozen=True)
class Format:
    """How one kind of coordinate file is read, written and recognised.

    Attributes
    ----------
    read : callable
        Source -> the sets in it.
    write : callable
        The set of one micrograph -> the text of its file.
    sniff : callable
        The beginning of a text -> whether it is of this kind.
    suffix : str
        What a micrograph's file has after the micrograph's stem.
    description : str
        For a menu, and for `--help`.
    index : str or None
        The file that names or holds all micrographs of a folder.
    """

    read: Callable[[Source], list[CoordinateSet]]
    write: Callable[[CoordinateSet], str]
    sniff: Callable[[str], bool]
    suffix: str
    description: str
    index: str | None = None


# In the order of recognition: Topaz's files would pass for csv too.
FORMATS = {
    "relion": Format(
        relion.read, relion.write, relion.sniff, "_autopick.star", "RELION STAR", "autopick.star"
    ),
    "cbox": Format(cbox.read, cbox.write, cbox.sniff, ".cbox", "crYOLO"),
    "box": Format(box.read, box.write, box.sniff, ".box", "EMAN: corner, side, score"),
    "topaz": Format(
        tables.read, tables.write_topaz, tables.sniff_topaz, "_picks.txt", "Topaz text", "picks.txt"
    ),
    "csv": Format(tables.read, tables.write_csv, tables.sniff_csv, ".csv", "x,y,score with a header"),
}
SUFFIX = {name: kind.suffix for name, kind in FORMATS.items()}
# A file whose content is not recognised is read as what its name says, for the sake of the error message.
ENDING = {".star": "relion", ".cbox": "cbox", ".box": "box", ".csv": "csv"}
HEAD = 65_536  # characters looked at


def format_named(name: str) -> Format:
    """Give a format by its name.

    Raises
    ------
    CryopickError
        If there is none of this name.
    """
    if name not in FORMATS:
        raise CryopickError(f"there is no coordinate format {name!r}; known are {', '.join(FORMATS)}")
    return FORMATS[name]


def recognise(text: str) -> str | None:
    """Tell the format of a text by its content."""
    head = text[:HEAD]
    return next((name for name, kind in FORMATS.items() if kind.sniff(head)), None)


def known_formats(path: Path) -> CryopickError:
    """Say that a file is of no known format."""
    kinds = "; ".join(f"{name} ({kind.description})" for name, kind in FORMATS.items())
    return CryopickError(f"{path}: not recognised as coordinates; known are {kinds}")
