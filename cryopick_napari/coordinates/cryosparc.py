"""cryoSPARC's .cs files: NumPy tables of picks, and of the exposures (micrographs) they are on.

Experimental: written after pyem's csparc2star.py and cryosparc-tools, and not yet checked on a pair of files
of the same picks out of cryoSPARC itself. `location/center_x_frac` is a fraction of the columns, and
`location/center_y_frac` one of the rows counted from the file's last row, so
column = x * width and row = (1 - y) * height; `location/micrograph_shape` is (height, width).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.base import CoordinateSet, by_micrograph
from cryopick_napari.coordinates.naming import Lookup
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

SUFFIX = ".cs"
NUMPY, STREAM = b"\x93NUMPY", b"\x95CSDAT"
LONGEST_HEADER = 200_000  # characters; a few hundred columns take 20,000
X, Y, SHAPE = "location/center_x_frac", "location/center_y_frac", "location/micrograph_shape"
PATH, UID, PIXEL_SIZE = "location/micrograph_path", "location/micrograph_uid", "location/micrograph_psize_A"
GROUP, SCORE, CLASS = "location/exp_group_id", "pick_stats/ncc_score", "alignments2D/class"
COLUMNS: tuple[tuple[Any, ...], ...] = (
    *(("uid", "<u8"), (UID, "<u8"), (GROUP, "<u4"), (SHAPE, "<u4", (2,))),
    *((X, "<f4"), (Y, "<f4"), (PIXEL_SIZE, "<f4"), (SCORE, "<f4")),
)
BLOBS = ("micrograph_blob", "micrograph_blob_non_dw", "movie_blob")  # the first that an exposure has


@dataclass(frozen=True)
class Exposure:
    """A micrograph as cryoSPARC lists it.

    Attributes
    ----------
    uid : int
    name : str
        Its path, relative to the cryoSPARC project's folder.
    shape : (int, int)
        Rows and columns.
    spacing : float or None
        Å/px.
    group : int
        Exposure group.
    """

    uid: int
    name: str
    shape: tuple[int, int]
    spacing: float | None
    group: int


def is_cs(path: Path) -> bool:
    """Tell a .cs file by its first bytes, or by its name if it is not there."""
    try:
        with path.open("rb") as file:
            return file.read(6) in (NUMPY, STREAM)
    except OSError:
        return path.suffix.lower() == SUFFIX


def has_picks(path: Path) -> bool:
    """Tell a table of picks from one of exposures."""
    return X in (_table(path).dtype.names or ())


def read(path: Path) -> list[CoordinateSet]:
    """Read picks, one set a micrograph.

    Raises
    ------
    CryopickError
        If the file is damaged, or has no picks.
    """
    table = _table(path)
    for name in (X, Y, SHAPE, PATH):
        if name not in (table.dtype.names or ()):
            raise CryopickError(
                f"{path}: no column {name}; give the file of the job that picked or extracted, "
                "such as J12/picked_particles.cs or J13/J13_passthrough_particles.cs"
            )
    shape = table[SHAPE].astype(np.float64)
    if shape.shape != (len(table), 2) or not (shape > 0).all():
        raise CryopickError(f"{path}: {SHAPE} has sizes that are none; export the picks again")
    yx = np.stack([(1 - table[Y].astype(np.float64)) * shape[:, 0], table[X] * shape[:, 1]], axis=1)
    if not np.isfinite(yx).all():
        raise CryopickError(f"{path}: {X} or {Y} is not a finite number; export the picks again")
    score = _column(table, SCORE, 1.0)
    extra = {SHAPE: shape, PIXEL_SIZE: _column(table, PIXEL_SIZE, np.nan)}
    if CLASS in (table.dtype.names or ()):
        extra["rlnClassNumber"] = _column(table, CLASS, 0) + 1  # RELION counts classes from 1
    picks = Picks.of(yx, np.where(np.isfinite(score), score, 1.0))
    return [
        _placed(rows)
        for rows in by_micrograph(_names(path, table[PATH]), CoordinateSet("", picks, extra=extra))
    ]


def _placed(rows: CoordinateSet) -> CoordinateSet:
    """Move shape and pixel size from columns to their own places."""
    height, width = rows.extra[SHAPE][0]
    spacing = float(rows.extra[PIXEL_SIZE][0])
    extra = {name: column for name, column in rows.extra.items() if name not in (SHAPE, PIXEL_SIZE)}
    known = spacing if np.isfinite(spacing) and spacing > 0 else None
    return CoordinateSet(rows.micrograph, rows.picks, (int(height), int(width)), known, None, extra)


def read_exposures(path: Path) -> list[Exposure]:
    """Read the micrographs that a .cs file lists, or that the picks in it are on; each once.

    Raises
    ------
    CryopickError
        If the file is damaged, or lists none.
    """
    table = _table(path)
    names = table.dtype.names or ()
    blob = next((blob for blob in BLOBS if f"{blob}/path" in names), None)
    if blob is not None and "uid" in names:
        columns = f"{blob}/path", "uid", f"{blob}/shape", f"{blob}/psize_A", "mscope_params/exp_group_id"
    elif {PATH, UID, SHAPE} <= set(names):
        columns = PATH, UID, SHAPE, PIXEL_SIZE, GROUP
    else:
        raise CryopickError(
            f"{path}: lists no micrographs; give the exposures of a motion correction, CTF or import job"
        )
    return list(_exposures(path, table, *columns))


def _exposures(
    path: Path, table: NDArray[Any], names: str, uid: str, shape: str, pixel_size: str, group: str
) -> Iterator[Exposure]:
    if shape not in (table.dtype.names or ()):
        raise CryopickError(f"{path}: no column {shape}; give the exposures after motion correction")
    if not len(table):
        return
    sizes, groups = _column(table, pixel_size, np.nan), _column(table, group, 0)
    # A movie's shape is (frames, height, width).
    shapes = table[shape].reshape(len(table), -1)[:, -2:]
    seen: set[int] = set()
    for row, name in enumerate(_names(path, table[names])):
        own = int(table[uid][row])
        if own not in seen:
            seen.add(own)
            size = float(sizes[row])
            known = size if np.isfinite(size) and size > 0 else None
            yield Exposure(own, name, (int(shapes[row, 0]), int(shapes[row, 1])), known, int(groups[row]))


def table_of(sets: Sequence[CoordinateSet], exposures: Sequence[Exposure]) -> tuple[NDArray[Any], list[str]]:
    """Put picks on given exposures, whose identities cannot be invented.

    Parameters
    ----------
    sets : sequence of CoordinateSet
        Matched by name: folders, UIDs in front and what programs add are seen through.
    exposures : sequence of Exposure

    Returns
    -------
    table : structured array
        One row a pick; `numpy.save` writes it as cryoSPARC reads it.
    unmatched : list of str
        Names of sets that are on none of the exposures, or on no single one.
    """
    by_name = {exposure.name: exposure for exposure in exposures}
    lookup = Lookup.of(by_name)
    placed: list[tuple[CoordinateSet, Exposure]] = []
    unmatched: list[str] = []
    for rows in sets:
        if found := lookup.find(rows.micrograph):
            placed.append((rows, by_name[found.name]))
        else:
            unmatched.append(rows.micrograph)
    width = max([1, *(len(name.encode()) for name in by_name)])
    kind = np.dtype([*COLUMNS, (PATH, f"S{width}")])
    parts = [_rows(rows, exposure, kind) for rows, exposure in placed]
    return (np.concatenate(parts) if parts else np.zeros(0, kind)), unmatched


def _rows(rows: CoordinateSet, exposure: Exposure, kind: np.dtype[Any]) -> NDArray[Any]:
    table = np.zeros(len(rows.picks), kind)
    height, width = exposure.shape
    table["uid"] = [_identity(exposure.uid, place, yx) for place, yx in enumerate(rows.picks.yx)]
    table[UID], table[GROUP], table[PATH] = exposure.uid, exposure.group, exposure.name.encode()
    table[SHAPE] = exposure.shape
    table[X] = rows.picks.yx[:, 1].astype(np.float64) / width
    table[Y] = 1 - rows.picks.yx[:, 0].astype(np.float64) / height
    table[PIXEL_SIZE], table[SCORE] = exposure.spacing or 0.0, rows.picks.score
    return table


def _identity(exposure: int, place: int, yx: NDArray[np.float32]) -> int:
    """Make a particle's own number: the same picks have the same ones again."""
    said = f"{exposure} {place} {yx[0]} {yx[1]}".encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")


def _table(path: Path) -> NDArray[Any]:
    """Map a table into memory: nothing is allocated for what a header only promises, nothing is unpickled."""
    try:
        with path.open("rb") as file:
            start = file.read(6)
        if start == STREAM:
            raise CryopickError(
                f"{path}: is a compressed .cs stream; export the result group in cryoSPARC, or save it as a "
                "NumPy table with cryosparc-tools (Dataset.load, then save)"
            )
        table = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=LONGEST_HEADER)
    except OSError as error:
        raise CryopickError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise CryopickError(f"{path}: is no .cs table of cryoSPARC, or cut short; export it again") from error
    if not isinstance(table, np.ndarray) or table.dtype.names is None or table.ndim != 1:
        raise CryopickError(
            f"{path}: is no .cs table of cryoSPARC, but another NumPy file; give the .cs file"
        )
    return table


def _column(table: NDArray[Any], name: str, otherwise: float) -> NDArray[np.float64]:
    if name not in (table.dtype.names or ()):
        return np.full(len(table), otherwise)
    return np.asarray(table[name], dtype=np.float64)


def _names(path: Path, column: NDArray[Any]) -> list[str]:
    """Decode micrographs' paths; those of exported groups begin with ">", for "beside this file"."""
    try:
        words = [word.decode() if isinstance(word, bytes) else str(word) for word in column.tolist()]
    except (UnicodeDecodeError, AttributeError):
        raise CryopickError(f"{path}: the paths of its micrographs are no text; export it again") from None
    return [word.removeprefix(">") for word in words]
