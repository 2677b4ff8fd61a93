"""Micrographs: pixels, pixel size, and where they came from."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.bitmaps import jpeg_header, png_header, tiff_header
from cryopick_napari.errors import CryopickError
from cryopick_napari.image_header import ImageHeader, agreed_spacing, contradict, decoding, header_spacing
from cryopick_napari.mrc import is_plausible, is_stamped, mrc_header, write_mrc

__all__ = [
    "MICROGRAPH_SUFFIXES",
    "Micrograph",
    "find_micrographs",
    "read_micrograph",
    "read_size",
    "write_mrc",
]

MRC_SUFFIXES = (".mrc", ".mrcs", ".map")
MICROGRAPH_SUFFIXES = (*MRC_SUFFIXES, ".tif", ".tiff", ".png", ".jpg", ".jpeg")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
READERS = {"MRC": mrc_header, "TIFF": tiff_header, "PNG": png_header, "JPEG": jpeg_header}


@dataclass(frozen=True, eq=False)
class Micrograph:
    """One projection image of a field of particles.

    Attributes
    ----------
    image : (h, w) float32
        Grey values; the first row of the file is row 0. All finite.
    spacing : float or None
        Pixel size in Å/px; None when nobody knows.
    path : Path or None
        The file it was read from.
    mask : (h', w') bool or None
        What another program found contaminated, of the whole field at any scale.
    """

    image: NDArray[np.float32]
    spacing: float | None = None
    path: Path | None = None
    mask: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.image.shape
        return height, width


def read_micrograph(path: str | Path, spacing: float | None = None, sum_frames: bool = False) -> Micrograph:
    """Read one micrograph from an MRC, TIFF, PNG or JPEG file.

    The format is told by the content, not by the name. Pixels that are not
    finite are replaced by the median of the others. Nothing is ever flipped.

    Parameters
    ----------
    path : str or Path
        The file.
    spacing : float or None
        Pixel size in Å/px; None takes the header's, if it has one. A header
        that says 0, 1, a negative number or nothing does not know.
    sum_frames : bool
        Add up the frames of a stack, one in memory at a time; otherwise a stack is refused.

    Returns
    -------
    Micrograph
        Its image is (h, w) float32, finite and not constant.

    Raises
    ------
    CryopickError
        If there is no such file, it is damaged or not one grey image, or its
        header and ``spacing`` differ by more than 1 %.
    """
    file = Path(path)
    kind, header, agreed = open_header(file, spacing, sum_frames)
    with decoding(file, kind):
        image = _finite(file, header.load(0) if header.frames == 1 else _summed(header))
    return Micrograph(image, agreed, file)


def read_pixels(path: str | Path) -> NDArray[Any]:
    """Read the pixels (h, w) of an image as they are in its file, whatever they stand for.

    Raises
    ------
    CryopickError
        If there is no such file, or it is damaged or not one grey image.
    """
    file = Path(path)
    kind, header = _header(file)
    with decoding(file, kind):
        return np.array(header.load(0))


def read_size(
    path: str | Path, spacing: float | None = None, sum_frames: bool = False
) -> tuple[tuple[int, int], float | None]:
    """Read rows and columns of a micrograph and its pixel size (Å/px), but no pixels."""
    _, header, agreed = open_header(Path(path), spacing, sum_frames)
    return header.shape, agreed


def check_spacing(path: Path | None, spacing: float) -> None:
    """Refuse a pixel size (Å/px) that cannot be that of a file, or of any.

    Raises
    ------
    CryopickError
        If it is not above 0, or the file says another itself.
    """
    if not (math.isfinite(spacing) and spacing > 0):
        raise CryopickError(f"the pixel size must be a number of Å above 0, not {spacing:g}")
    known = None if path is None else read_size(path)[1]
    if known is not None and contradict(known, spacing):
        raise CryopickError(f"{path} says itself that its pixels are {known:.5g} Å, not {spacing:.5g}")


def find_micrographs(paths: Iterable[str | Path]) -> list[Path]:
    """List the micrograph files that a user's words stand for, in their order and each once.

    Parameters
    ----------
    paths : iterable of str or Path
        Each a file, a folder (its micrographs, sorted, without those of
        folders below or hidden ones), a glob pattern (``**`` goes into
        folders), or ``@list``: a text file with one path a line, relative to
        its own folder or else the current one; ``#`` begins a comment line.
        Lists of RELION (``.star``) and cryoSPARC (``.cs``) stand for their micrographs.

    Raises
    ------
    CryopickError
        If a word stands for nothing.
    """
    unique: dict[str, Path] = {}
    for path in paths:
        for file in _files_of(path):
            unique.setdefault(os.path.abspath(file), file)  # noqa: PTH100, two links are two micrographs
    return list(unique.values())


def spread(paths: Sequence[Path], most: int) -> tuple[Path, ...]:
    """Choose at most so many of the paths, evenly."""
    count = min(most, len(paths))
    return tuple(paths[number * len(paths) // count] for number in range(count))


def _summed(header: ImageHeader) -> NDArray[np.float64]:
    total = np.zeros(header.shape)
    for frame in range(header.frames):
        total += header.load(frame)
    return total


def open_header(
    file: Path, spacing: float | None, sum_frames: bool = False
) -> tuple[str, ImageHeader, float | None]:
    """Read the header: the format, what it says, and the pixel size that it and the user agree on.

    Raises
    ------
    CryopickError
        As `read_micrograph`.
    """
    if spacing is not None and not (math.isfinite(spacing) and spacing > 0):
        raise CryopickError(f"{file}: --spacing must be a number of Å/px above 0, not {spacing}")
    kind, header = _header(file, sum_frames)
    return kind, header, agreed_spacing(file, spacing, header_spacing(file, header.spacing))


def _header(file: Path, sum_frames: bool = False) -> tuple[str, ImageHeader]:
    """Read the header, and refuse one that cannot be."""
    head, size = first_bytes(file, "a micrograph file")
    kind = _kind(file, head)
    with decoding(file, kind):
        header = READERS[kind](file, head)
        header.check(file, size, sum_frames)
        return kind, header


def first_bytes(path: Path, wanted: str) -> tuple[bytes, int]:
    """Read the first 1024 bytes, and the size of the file in bytes.

    Raises
    ------
    CryopickError
        If that is not possible, or the file is empty; says what is ``wanted`` instead.
    """
    try:
        if path.is_dir():
            raise CryopickError(f"{path}: is a folder: give {wanted}")
        if path.exists() and not path.is_file():
            raise CryopickError(f"{path}: is not an ordinary file: give {wanted}")
        with path.open("rb") as file:
            head, size = file.read(1024), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise CryopickError(f"{path}: there is no such file: check the path") from None
    except PermissionError:
        raise CryopickError(f"{path}: no permission to read it: ask its owner for it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CryopickError(f"{path}: cannot be read ({reason}): check the path and the disk") from None
    if not head:
        raise CryopickError(f"{path}: is empty: copy it again")
    return head, size


def _kind(path: Path, head: bytes) -> str:
    """Tell the format by its marks; only MRC has files without one, and those must be named so."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if is_stamped(head):
        return "MRC"
    if head.startswith(TIFF_STARTS):
        return "TIFF"
    if path.suffix.lower() in MRC_SUFFIXES and is_plausible(head):
        return "MRC"
    raise CryopickError(
        f"{path}: is not an MRC, TIFF, PNG or JPEG image, or is damaged: give another file, or copy it again"
    )


def _finite(path: Path, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Give the pixels as float32 that may be written to; what is not finite becomes the median of what is."""
    with np.errstate(all="ignore"):
        image = np.require(pixels, np.float32, ["C", "W", "O"])
    lowest, highest = image.min(), image.max()  # not finite if a single pixel is not
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        finite = np.isfinite(image)
        if not finite.any():
            raise CryopickError(f"{path}: holds no finite number: export it again")
        image[~finite] = np.median(image[finite], overwrite_input=True)
        lowest, highest = image.min(), image.max()
    if lowest == highest:
        raise CryopickError(f"{path}: is constant (every pixel is {image.flat[0]:g}): export it again")
    return image


def _files_of(path: str | Path) -> list[Path]:
    """Expand one word of the user."""
    from cryopick_napari.micrograph_lists import is_list, read_list

    text = str(path)
    try:
        if is_list(text):
            return [one.path for one in read_list(Path(text.removeprefix("@")))]
        if text.startswith("@"):
            return [file for word in _lines(Path(text[1:])) for file in _matches(word)]
        return _matches(path)
    except OSError as error:
        raise CryopickError(f"{path}: cannot be looked at ({error.strerror or error})") from error


def _lines(list_file: Path) -> list[Path]:
    """Read the paths in a list; those relative to its folder win over those relative to the current one."""
    try:
        lines = [line.strip() for line in list_file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise CryopickError(f"@{list_file}: the list cannot be read ({reason}): check its path") from error
    words = [line for line in lines if line and not line.startswith("#")]
    if not words:
        raise CryopickError(f"@{list_file}: the list is empty: write one micrograph's path a line")
    beside = [(list_file.parent / word, Path(word)) for word in words]
    return [there if _exists(there) or not _exists(here) else here for there, here in beside]


def _exists(path: Path) -> bool:
    return path.exists() or bool(_glob(path))


def _glob(pattern: str | Path) -> list[Path]:
    return [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207, may be absolute


def _matches(path: str | Path) -> list[Path]:
    """List a file itself, or the micrographs in a folder or of a pattern."""
    there = Path(path)
    if there.exists() and not there.is_dir() and str(path):
        return [there]
    is_folder = there.is_dir() and str(path)
    candidates = there.iterdir() if is_folder else _glob(path)
    found = [file for file in sorted(candidates) if _is_micrograph(file)]
    if not found:
        what = "no micrographs in this folder" if is_folder else "there is no such file or micrograph"
        raise CryopickError(f"{path}: {what} (looked for {' '.join(MICROGRAPH_SUFFIXES)})")
    return found


def _is_micrograph(file: Path) -> bool:
    hidden = file.name.startswith(".")
    return file.suffix.lower() in MICROGRAPH_SUFFIXES and not hidden and file.is_file()
