"""From values to coordinate files, never outside the folder they are to go to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryopick_napari.coordinates import relion
from cryopick_napari.coordinates.base import CoordinateSet, merged
from cryopick_napari.coordinates.formats import format_named
from cryopick_napari.coordinates.naming import is_below, place, stem
from cryopick_napari.coordinates.text import Source
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing


def write_coordinates(
    sets: Iterable[CoordinateSet],
    folder: Path,
    format: str,
    flip_y: bool = False,
    root: Path | None = None,
    project: Path | None = None,
) -> list[Path]:
    """Write one file a micrograph, and the index where the format has one.

    Topaz has only `picks.txt`, and `particles` only `particles.star`.

    The folders in a micrograph's name are kept below ``folder``: `Movies/a.mrc` -> `Movies/a_autopick.star`.

    Parameters
    ----------
    sets : iterable of CoordinateSet
        Those of the same micrograph are joined.
    folder : Path
        Made if it is not there.
    format : str
        One of `FORMATS`.
    flip_y : bool
        Row r becomes height - 1 - r, for programs that count from the other end.
    root : Path, optional
        See `targets`.
    project : Path, optional
        See `write_index`.

    Returns
    -------
    list of Path
        What was written, the index last.

    Raises
    ------
    CryopickError
        If a name leads out of the folder, two share a file, a height or a diameter is missing, or
        writing fails. Names are checked before anything is written.
    """
    named: dict[str, list[CoordinateSet]] = {}
    for rows in sets:
        named.setdefault(rows.micrograph, []).append(rows.flipped_y() if flip_y else rows)
    joined = [merged(same) for same in named.values()]
    targets(list(named), folder, format, root)
    kind = format_named(format)
    if kind.is_one_file and kind.gather:
        return [save(_index_path(folder, format), kind.gather(*joined))]
    written = [write_one(rows, folder, format, root) for rows in joined]
    index = write_index(list(named), folder, format, root, project)
    return [*written, index] if index else written


def write_one(rows: CoordinateSet, folder: Path, format: str, root: Path | None = None) -> Path:
    """Write the file of one micrograph, as soon as it is picked.

    For formats that are one file this is a file of its own too; `write_index` puts them together.

    Raises
    ------
    CryopickError
        As `write_coordinates`.
    """
    return save_one(rows, place(rows.micrograph, folder, format_named(format).suffix, root), format)


def save_one(rows: CoordinateSet, file: Path, format: str) -> Path:
    """Write the file of one micrograph where `targets` says; see `write_one`."""
    return save(file, format_named(format).write(rows))


def write_index(
    names: Sequence[str], folder: Path, format: str, root: Path | None = None, project: Path | None = None
) -> Path | None:
    """Write the index of all micrographs whose files are there; None if the format has none.

    RELION's `autopick.star` names each coordinate file relative to the RELION project's folder
    when it lies below that; otherwise relative to the index. The one file of Topaz, and that of
    `particles`, hold the picks of all of them.

    Parameters
    ----------
    names : sequence of str
        Names of micrographs, in order, as given to `write_one`.
    folder, format, root
        As for `write_one`.
    project : Path, optional
        RELION's project folder; the current folder by default.

    Raises
    ------
    CryopickError
        As `write_coordinates`.
    """
    if format_named(format).index is None:
        return None
    files = {name: path for name, path in targets(names, folder, format, root).items() if path.is_file()}
    return save_index(files, folder, format, project)


def save_index(
    files: Mapping[str, Path], folder: Path, format: str, project: Path | None = None
) -> Path | None:
    """Write the index of coordinate files that are known to be there; see `write_index`.

    Parameters
    ----------
    files : mapping of str to Path
        What `targets` said of each micrograph, in order.
    """
    kind = format_named(format)
    if kind.index is None:
        return None
    if kind.gather is None:
        index = [(name, _from_project(path, folder, project)) for name, path in files.items()]
        return save(_index_path(folder, format), relion.write_index(index))
    sets = (kind.read(Source(path, path.read_text(encoding="utf-8"))) for path in files.values())
    return save(_index_path(folder, format), kind.gather(*(rows for own in sets for rows in own)))


def targets(
    names: Sequence[str],
    folder: Path,
    format: str,
    root: Path | None = None,
    owners: dict[str, str] | None = None,
) -> dict[str, Path]:
    """Say where the file of each micrograph goes, so that trouble is found before the work begins.

    Parameters
    ----------
    names : sequence of str
        Names of micrographs.
    folder : Path
        The output folder.
    format : str
        One of `FORMATS`.
    root : Path, optional
        Of micrographs below this folder only the folders below it are kept; without it a name that
        is absolute or holds ".." is an error.
    owners : dict, optional
        Given to several calls, it finds what would clash among all of them; it is added to.

    Raises
    ------
    CryopickError
        If a name leads out of the folder, or two micrographs would share a file (in Topaz's one
        file: a name, for it has no folders).
    """
    suffix = format_named(format).suffix
    files = {name: place(name, folder, suffix, root) for name in names}
    owners = {} if owners is None else owners
    for name, file in files.items():
        key = stem(name) if format == "topaz" else str(file)
        if owners.setdefault(key, name) != name:
            raise CryopickError(
                f"micrographs {owners[key]!r} and {name!r} would share {key!r} in the {format} output; "
                "rename one, or choose another format"
            )
    return files


def write_file(sets: Sequence[CoordinateSet], file: Path, format: str) -> Path:
    """Write the set of one micrograph, or of many where the format has room, to a file the user named.

    Raises
    ------
    CryopickError
        If there are several where one has room, a diameter is missing, or writing fails.
    """
    kind = format_named(format)
    if kind.gather and (kind.index or len(sets) != 1):
        targets([rows.micrograph for rows in sets], file.parent, format)
        return save(file, kind.gather(*sets))
    if len(sets) != 1:
        raise CryopickError(f"{file} has room for one micrograph, not {len(sets)}; give a folder")
    return save(file, kind.write(sets[0]))


def _index_path(folder: Path, format: str) -> Path:
    path = folder / (format_named(format).index or "")
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise CryopickError(f"{path} is a link out of {folder}; remove it")
    return path


def _from_project(path: Path, folder: Path, project: Path | None) -> str:
    here = os.path.abspath(project or os.curdir)  # noqa: PTH100, for speed
    for way in (os.path.abspath, os.path.realpath):  # the project may have been entered by a link
        full = way(path)
        if is_below(full, here):
            return Path(full[len(here) :].lstrip(os.sep)).as_posix()
    return path.relative_to(folder).as_posix()


def save(path: Path, content: str | bytes) -> Path:
    """Write a file, all of it or nothing, and make its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CryopickError(f"cannot make the folder {path.parent}: {error.strerror or error}") from error
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
