"""The one table of coordinate formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryopick_napari.coordinates import box, cbox, particles, relion, tables
from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.text import Source
from cryopick_napari.errors import CryopickError

CENTRES = "centres of particles, rows counted from the first of the file, first pixel at 0"
CORNERS = "corners of boxes, rows counted from the first of the file"
OTHER_END = "centres of particles, rows counted from the last of the file (turned when read)"


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
    gather : callable or None
        The sets of many micrographs -> the text of one file, where the format has room for that.
    convention : str
        What its numbers are, for `cryopick info`.
    """

    read: Callable[[Source], list[CoordinateSet]]
    write: Callable[[CoordinateSet], str]
    sniff: Callable[[str], bool]
    suffix: str
    description: str
    index: str | None = None
    gather: Callable[..., str] | None = None
    convention: str = CENTRES

    @property
    def is_one_file(self) -> bool:
        """Whether a folder of this format is nothing but one file of all micrographs."""
        return self.gather is not None and self.index is not None


def _never(head: str) -> bool:
    return False


# In the order of recognition: Topaz's files and CryoPPP's would pass for csv too.
FORMATS = {
    "relion": Format(
        relion.read, relion.write, relion.sniff, "_autopick.star", "RELION STAR", "autopick.star"
    ),
    # Read as any other file of RELION's: whether a STAR file has one micrograph or many, it says itself.
    "particles": Format(
        relion.read,
        particles.write,
        _never,
        "_particles.star",
        "RELION and cryoSPARC, all micrographs in one STAR",
        "particles.star",
        particles.write,
    ),
    "cbox": Format(cbox.read, cbox.write, cbox.sniff, ".cbox", "crYOLO", convention=CORNERS),
    "box": Format(box.read, box.write, box.sniff, ".box", "EMAN: corner, side, score", convention=CORNERS),
    "topaz": Format(
        tables.read,
        tables.write_topaz,
        tables.sniff_topaz,
        "_picks.txt",
        "Topaz text",
        "picks.txt",
        tables.write_topaz,
    ),
    "cryoppp": Format(
        tables.read,
        tables.write_cryoppp,
        tables.sniff_cryoppp,
        ".csv",
        "CryoPPP: y from the other end",
        convention=OTHER_END,
    ),
    "csv": Format(
        tables.read,
        tables.write_csv,
        tables.sniff_csv,
        ".csv",
        "x,y,score with a header",
        gather=tables.write_csvs,
    ),
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
