"""Lists of micrographs that RELION and cryoSPARC write: where the files are, and what is known of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryopick_napari.coordinates import About, cryosparc
from cryopick_napari.coordinates.naming import absolute, in_project, is_file
from cryopick_napari.coordinates.optics import PIXEL_SIZE, known_of
from cryopick_napari.coordinates.relion import MICROGRAPH
from cryopick_napari.coordinates.star import Table, parse_star
from cryopick_napari.errors import CryopickError

STAR = ".star"
Entry = tuple[str, float | None, dict[str, float]]
JOB = re.compile(r"[^/]+/job\d+/")
LARGEST_STAR = 1 << 30  # bytes; a list of a million micrographs takes a quarter


@dataclass(frozen=True)
class Listed:
    """A micrograph of a list.

    Attributes
    ----------
    name : str
        As the list writes it, byte for byte.
    path : Path
        Its file.
    spacing : float or None
        Å/px.
    values : mapping of str to float
        Microscope and defocus by RELION's labels and in its units.
    """

    name: str
    path: Path
    spacing: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


def is_list(word: str | Path) -> bool:
    """Tell a list by its name; no file called `.star` or `.cs` is a micrograph."""
    file = _file_of(word)
    return file.suffix.lower() in (STAR, cryosparc.SUFFIX) and is_file(file)


def read_list(path: Path) -> list[Listed]:
    """Read a list of micrographs: any STAR file with `_rlnMicrographName`, or cryoSPARC's .cs.

    Names are looked for below the folders around the list, for both programs count from their project's.

    Parameters
    ----------
    path : Path
        Such as ``CtfFind/job003/micrographs_ctf.star`` or ``J4/exposures.cs``.

    Raises
    ------
    CryopickError
        If it cannot be read, lists nothing, or a micrograph is not there.
    """
    entries: list[Entry]
    if cryosparc.is_cs(path):
        entries = [(one.name, one.spacing, {}) for one in cryosparc.read_exposures(path)]
    else:
        entries = _star_entries(path)
    if not entries:
        raise CryopickError(f"{path}: lists no micrographs; give another list")
    bases: list[Path] = []
    listed: dict[str, Listed] = {}
    for name, spacing, values in entries:
        if name not in listed:
            file = in_project(name, path, bases)
            if file is None:
                raise CryopickError(
                    f"{path}: its micrograph {name!r} lies below no folder around it, nor the current one; "
                    "run the command in the project's folder, or take that line out"
                )
            listed[name] = Listed(name, _short(file), spacing, values)
    return list(listed.values())


def listed_of(words: Iterable[str | Path]) -> list[Listed]:
    """Read those of a user's words that are such lists; other words are passed over."""
    return [one for word in words if is_list(word) for one in read_list(_file_of(word))]


def spacing_of(given: float | None, listed: Iterable[Listed]) -> float | None:
    """Give the pixel size (Å/px): what a person gave, otherwise the one that all of a list have."""
    sizes = {one.spacing for one in listed}
    return sizes.pop() if given is None and len(sizes) == 1 else given


def root_of(paths: Sequence[Path], listed: Sequence[Listed]) -> Path | None:
    """Give RELION's job folder that all micrographs are in, which it leaves out of the paths of picks.

    `MotionCorr/job002/Movies/a.mrc` is picked into `External/job012/Movies/a_autopick.star`. None if
    they are not in a single one, or not all from a list.
    """
    jobs = {match[0].rstrip("/") for one in listed if (match := JOB.match(one.name))}
    if len(jobs) != 1 or {one.path for one in listed} != set(paths):
        return None
    job = jobs.pop()
    depth = len(Path(listed[0].name).parts) - len(Path(job).parts)
    root = listed[0].path.parents[depth - 1]
    return root if all(absolute(path).is_relative_to(absolute(root)) for path in paths) else None


def about_micrographs(words: Iterable[str | Path]) -> dict[Path, About]:
    """Say what is known of the micrographs that a user's words stand for: name, size, pixel size, CTF.

    Raises
    ------
    CryopickError
        If a word stands for nothing, or a file cannot be read.
    """
    from cryopick_napari.micrograph import find_micrographs, read_size

    words = list(words)
    listed = {one.path: one for one in listed_of(words)}
    about = {}
    for path in find_micrographs(words):
        one = listed.get(path, Listed(str(path), path))
        shape, spacing = read_size(path, one.spacing, sum_frames=True)
        about[path] = About(one.name, shape, spacing, one.values, path in listed)
    return about


def _file_of(word: str | Path) -> Path:
    return Path(str(word).removeprefix("@"))


def _star_entries(path: Path) -> list[Entry]:
    tables = parse_star(table_text(path))
    table = table_of_micrographs(tables, path)
    names = table.columns([MICROGRAPH], path).words(MICROGRAPH)
    known = known_of(tables, table, path)
    sizes = known.pop(PIXEL_SIZE, np.full(len(names), np.nan))
    return [
        (
            name,
            float(size) if np.isfinite(size) and size > 0 else None,
            {label: float(column[row]) for label, column in known.items() if np.isfinite(column[row])},
        )
        for row, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]


def table_of_micrographs(tables: Iterable[Table], path: Path) -> Table:
    """Find the block of a STAR file that names micrographs.

    Raises
    ------
    CryopickError
        If there is none.
    """
    table = next((table for table in tables if MICROGRAPH in table.labels), None)
    if table is None:
        raise CryopickError(f"{path}: no column _{MICROGRAPH}; give a list such as micrographs_ctf.star")
    return table


def table_text(path: Path, kind: str = "STAR file", largest: int = LARGEST_STAR) -> str:
    """Read the text of a table of micrographs.

    Raises
    ------
    CryopickError
        If it cannot be read, is larger than ``largest`` bytes, or no text; it asks for a ``kind``.
    """
    try:
        if path.stat().st_size > largest or not path.is_file():
            raise CryopickError(f"{path}: is no list of micrographs; give a {kind}")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CryopickError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise CryopickError(f"{path}: is not a {kind}, but binary; give another list") from None


def _short(path: Path) -> Path:
    """Write a path as a person would: relative to the current folder where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
