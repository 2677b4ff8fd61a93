"""What a file is, in a few lines: coordinates, a micrograph, a list of micrographs, a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cryopick_napari.coordinates import FORMATS, CoordinateSet, cryosparc, read_coordinates
from cryopick_napari.coordinates.formats import ENDING, recognise
from cryopick_napari.coordinates.relion import MICROGRAPH, is_index
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import MICROGRAPH_SUFFIXES, find_micrographs, open_header
from cryopick_napari.micrograph_lists import Listed, read_list
from cryopick_napari.project import SETTINGS, Project
from cryopick_napari.words import counted

HEAD = 65_536  # bytes looked at
SHOWN = 10  # micrographs that are named, before they are only counted
MODEL = ".safetensors"
TRAINED = "model.safetensors"  # in the folder of a training
CS = "cryoSPARC (experimental)"
CS_CONVENTION = "fractions of the sides, rows counted from the last of the file (turned when read)"


def describe(path: Path) -> Iterator[str]:
    """Say what a file or folder is, and what it holds.

    Yields
    ------
    str
        Lines for a terminal.

    Raises
    ------
    CryopickError
        If it is nothing that is read here, or damaged.
    """
    if not path.exists():
        raise CryopickError(f"{path}: there is no such file: check the path")
    if path.is_dir():
        yield from _folder(path)
    elif path.suffix.lower() == MODEL:
        yield from _model(path)
    elif path.suffix.lower() in MICROGRAPH_SUFFIXES:
        yield from _micrograph(path)
    elif cryosparc.is_cs(path):
        yield from _cs(path)
    else:
        yield from _text(path)


def _folder(path: Path) -> Iterator[str]:
    if (path / SETTINGS).is_file():
        yield from _project(path)
        return
    if (path / TRAINED).is_file():
        yield from _model(path / TRAINED)
        return
    try:
        yield from _coordinates(path, read_coordinates(path, height=1), _kind_in(path))
    except CryopickError as error:
        try:
            found = find_micrographs([path])
        except CryopickError:
            raise error from None
        yield f"{path}: a folder of {len(found)} micrographs"


def _project(folder: Path) -> Iterator[str]:
    project = Project.existing(folder)
    settings = project.settings()
    yield f"{folder}: a project of the window, {counted(len(settings.micrographs), 'micrograph')}"
    labelled = sum(project.has_labels(Path(path)) for path in settings.micrographs)
    yield f"  {labelled} with labels; model in use: {settings.model or 'none'}"


def _kind_in(folder: Path) -> str | None:
    files = (
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix.lower() not in MICROGRAPH_SUFFIXES
    )
    return next((kind for file in files if (kind := recognise(_head(file)))), None)


def _text(path: Path) -> Iterator[str]:
    head = _head(path)
    kind = recognise(head)
    if kind is None and f"_{MICROGRAPH}" in head:
        yield from _list(path, read_list(path))
        return
    # The height is only for counting what is there: CryoPPP's files cannot be read without one.
    sets = read_coordinates(path, height=1)
    yield from _coordinates(path, sets, kind or ENDING.get(path.suffix.lower()), is_index(head))


def _coordinates(
    path: Path, sets: Sequence[CoordinateSet], kind: str | None, index: bool = False
) -> Iterator[str]:
    name = FORMATS[kind].description if kind else "coordinates"
    yield f"{path}: {name}" + (", the index of a picking job" if index else "")
    yield from _picks(sets)
    if kind:
        yield f"  convention: {FORMATS[kind].convention}"
    yield from _extent(sets) if kind != "cryoppp" else ()
    if kind == "cryoppp":
        yield "  to read it, the height of the micrographs is needed (--micrographs or --height)"


def _cs(path: Path) -> Iterator[str]:
    if cryosparc.has_picks(path):
        sets = cryosparc.read(path)
        yield f"{path}: picks of {CS}"
        yield from _picks(sets)
        yield f"  convention: {CS_CONVENTION}"
        yield from _extent(sets)
    else:
        exposures = cryosparc.read_exposures(path)
        yield f"{path}: {len(exposures)} micrographs of {CS}"
        yield from _some([f"{one.name}: {one.shape[0]} rows, {one.shape[1]} columns" for one in exposures])


def _picks(sets: Sequence[CoordinateSet]) -> Iterator[str]:
    total = sum(len(rows.picks) for rows in sets)
    yield f"  {total} picks on {len(sets)} micrograph" + ("s" if len(sets) != 1 else "")
    yield from _some([f"{rows.micrograph or '(no name)'}: {len(rows.picks)}" for rows in sets])
    scores = np.concatenate([rows.picks.score for rows in sets]) if total else np.ones(0)
    if total:
        same = scores.min() == scores.max()
        yield f"  scores: {'all ' if same else ''}{scores.min():g}" + (
            "" if same else f" to {scores.max():g}"
        )
    for what, unit, values in (
        ("particles or boxes", "px", {rows.diameter for rows in sets}),
        ("pixel size", "Å", {rows.spacing for rows in sets}),
    ):
        known = sorted(value for value in values if value)
        if known:
            yield f"  {what}: " + ", ".join(f"{value:g}" for value in known[:3]) + f" {unit}"
    if extra := list(dict.fromkeys(name for rows in sets for name in rows.extra)):
        yield f"  also: {', '.join(extra)}"


def _extent(sets: Sequence[CoordinateSet]) -> Iterator[str]:
    yx = np.concatenate([rows.picks.yx for rows in sets]) if sets else np.zeros((0, 2))
    if len(yx):
        (top, left), (bottom, right) = yx.min(axis=0), yx.max(axis=0)
        yield f"  centres: x {left:g} to {right:g}, y {top:g} to {bottom:g} px"


def _list(path: Path, listed: Sequence[Listed]) -> Iterator[str]:
    yield f"{path}: a list of {len(listed)} micrographs"
    yield from _some([one.name for one in listed])
    if sizes := sorted({one.spacing for one in listed} - {None}, key=lambda size: size or 0):
        yield "  pixel size: " + ", ".join(f"{size:g}" for size in sizes) + " Å"
    if known := list(dict.fromkeys(label for one in listed for label in one.values)):
        yield f"  also: {', '.join(known)}"


def _micrograph(path: Path) -> Iterator[str]:
    kind, header, spacing = open_header(path, None, sum_frames=True)
    rows, columns = header.shape
    what = "a micrograph" if header.frames == 1 else f"a stack of {header.frames} frames"
    yield f"{path}: {kind}, {what} of {rows} rows and {columns} columns"
    yield f"  pixel size: {f'{spacing:g} Å' if spacing else 'unknown (give --spacing)'}"


def _model(path: Path) -> Iterator[str]:
    from cryopick_napari.neighbours import likeliest
    from cryopick_napari.picker import Picker

    config = Picker.load(path).config
    size = f"{config.diameter:g} px"
    if config.diameter_angstrom is not None:
        size = f"{config.diameter_angstrom:.0f} Å ({size} at {config.spacing:g} Å/px)"
    yield f"{path}: a model for {config.polarity} particles of {size}"
    yield f"  threshold: {config.threshold:.3f}"
    if known := config.pair_correlation:
        times = f"{max(known):.1f} times as likely as by chance"
        yield f"  neighbours: {times} {likeliest(known):.2g} diameters away"


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"    {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"    and {len(lines) - SHOWN} more"


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(HEAD).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise CryopickError(f"cannot read {path}: {error.strerror or error}") from error
