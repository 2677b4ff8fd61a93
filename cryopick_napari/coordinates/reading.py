"""From coordinate files to values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cryopick_napari.coordinates import cryosparc, relion
from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.formats import ENDING, FORMATS, format_named, known_formats, recognise
from cryopick_napari.coordinates.naming import in_project, picked_stem
from cryopick_napari.coordinates.text import Shapes, Source
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

ENDINGS = {*ENDING, ".txt", ".tsv"}
INDEXES = ("autopick.star", "manualpick.star", "picks.txt")
ALL_PARTICLES = "particles.star"  # taken where there is no index: beside one it holds the same picks


def read_coordinates(
    path: str | Path,
    shapes: Mapping[str, tuple[int, int]] | None = None,
    format: str | None = None,
    height: int | None = None,
) -> list[CoordinateSet]:
    """Read the picks of one micrograph or of many.

    Parameters
    ----------
    path : str or Path
        A file, the index of a RELION picking job, cryoSPARC's .cs, or a folder. In a folder the index is
        followed if there is one, otherwise every coordinate file in it and below is read, and names its
        micrograph.
    shapes : mapping, optional
        Rows and columns of micrographs by name, as far as they are known.
    format : str, optional
        One of `FORMATS`; recognised by content when not given.
    height : int, optional
        Rows of every micrograph that ``shapes`` does not know; only CryoPPP's files need it.

    Returns
    -------
    list of CoordinateSet
        One a micrograph, or several where several files are about the same.

    Raises
    ------
    CryopickError
        If a file cannot be read; the message says which line, and what to do.
    """
    place, known = Path(path), Shapes.of(shapes or {}, height)
    if format is not None:
        format_named(format)
    format = "relion" if format == "particles" else format  # a STAR file says itself which of them it is
    if place.is_dir():
        sets = _folder(place, known, format)
    else:
        sets = _file(place, picked_stem(place.stem), known, format)
    return [replace(rows, shape=rows.shape or known.find(rows.micrograph)) for rows in sets]


def _file(
    path: Path, name: str, shapes: Shapes, format: str | None, follow: bool = True
) -> list[CoordinateSet]:
    if format is None and cryosparc.is_cs(path):
        return cryosparc.read(path)
    text = _text(path)
    kind = format or recognise(text) or ENDING.get(path.suffix.lower())
    if not text.strip() and kind != "box":  # an empty .box is how EMAN and crYOLO say "no particles"
        raise CryopickError(f"{path}: nothing in it; delete it, or write it again")
    if kind is None:
        raise known_formats(path)
    source = Source(path, text, name, shapes)
    if follow and kind == "relion" and relion.is_index(text):
        return _follow(source)
    return FORMATS[kind].read(source)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CryopickError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise known_formats(path) from None
    if "\0" in text:
        raise known_formats(path)
    return text


def _follow(index: Source) -> list[CoordinateSet]:
    """Read all the files that an index names."""
    sets: list[CoordinateSet] = []
    bases: list[Path] = []
    for micrograph, file, line in relion.read_index(index):
        path = in_project(file, index.path, bases)
        if path is None:
            raise CryopickError(
                f"{index.path}, line {line}: no file {file!r} below any folder around this one, nor the "
                "current one; run the command in the RELION project folder"
            )
        # An index named by an index would never end: it is read as picks, which it has none of.
        named = _file(path, micrograph, index.shapes, None, follow=False)
        own = [rows for rows in named if rows.micrograph == micrograph]
        sets += own or [CoordinateSet(micrograph, Picks.of([]))]
    return sets


def _folder(folder: Path, shapes: Shapes, format: str | None) -> list[CoordinateSet]:
    indexes = [path for name in INDEXES if (path := folder / name).is_file() and _is_index(path, format)]
    if not indexes and (whole := folder / ALL_PARTICLES).is_file() and _is_index(whole, format):
        return _file(whole, "", shapes, None)
    if len(indexes) > 1:
        raise CryopickError(f"{folder} holds {indexes[0].name} and {indexes[1].name}; give the file you mean")
    if indexes:
        return _file(indexes[0], "", shapes, None)
    files = [(path, kind) for path, kind in _candidates(folder) if format in (None, kind)]
    kinds = sorted({kind for _, kind in files})
    if len(kinds) > 1:
        raise CryopickError(f"{folder} holds coordinates as {' and '.join(kinds)}; say which format you mean")
    if not files:
        raise CryopickError(f"{folder}: no {format or 'coordinate'} files; known are {', '.join(FORMATS)}")
    return [rows for path, kind in files for rows in _file(path, _name_in(folder, path), shapes, kind)]


def _is_index(path: Path, format: str | None) -> bool:
    kind = recognise(_text(path))
    return kind in ("relion", "topaz") and format in (None, kind)


def _candidates(folder: Path) -> Iterator[tuple[Path, str]]:
    """Find the coordinate files of a folder; texts and tables about something else are passed over."""
    for path in sorted(folder.rglob("*")):
        ending = path.suffix.lower()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if ending in ENDINGS and not hidden and path.is_file():
            text = _text(path)
            kind = recognise(text)
            if kind is None and (ending in (".box", ".cbox") or (not text.strip() and ending in ENDING)):
                kind = ENDING[ending]  # its reader says what is wrong with it
            if kind is not None:
                yield path, kind


def _name_in(folder: Path, path: Path) -> str:
    return (path.relative_to(folder).parent / picked_stem(path.stem)).as_posix()
