"""MRC images (MRC2014): headers of both byte orders, memory-mapped pixels, and writing.

mrcfile describes the header, but does not read or write the file: it allocates
what a damaged header promises, and leaves files open when a disk is full.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing
from cryopick_napari.image_header import ImageHeader

HEADER_BYTES = 1024
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
COMPLEX_MODES = {3, 4}
LARGEST_SIDE = 2**17  # px; only to judge whether a header whose stamp is missing or wrong makes sense


def is_stamped(head: bytes) -> bool:
    """Tell whether the first bytes of a file carry MRC's own mark."""
    return head[208:211] == b"MAP"


def is_plausible(head: bytes) -> bool:
    """Tell whether the first bytes could be an MRC header without the mark, as older programs wrote them."""
    return len(head) >= HEADER_BYTES and any(_makes_sense(_fields(head, order)) for order in "<>")


def mrc_header(path: Path, head: bytes) -> ImageHeader:
    """Read the header of an MRC file.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its first 1024 bytes.

    Raises
    ------
    CryopickError
        If the file ends within its header, or holds no real-valued image.
    """
    if len(head) < HEADER_BYTES:
        raise CryopickError(
            f"{path}: is cut short: an MRC header takes {HEADER_BYTES} bytes, "
            f"the file holds {len(head)}: copy it again"
        )
    fields, kind, offset = _layout(path, head)
    columns, rows, sections = (int(fields[name]) for name in ("nx", "ny", "nz"))

    def load(frame: int) -> NDArray[Any]:
        before = offset + frame * rows * columns * kind.itemsize
        # Not mapped into memory: it is copied anyway, and while it is both would count.
        pixels = np.fromfile(path, kind, rows * columns, offset=before)
        pixels.shape = rows, columns
        return pixels

    least = offset + max(rows, 0) * max(columns, 0) * max(sections, 0) * kind.itemsize
    return ImageHeader((rows, columns), sections, least, _voxel_size(fields), load)


def mrc_volume(path: Path, head: bytes) -> NDArray[Any]:
    """Map the voxels (z, y, x) of a density map into memory, but read none of them.

    Parameters
    ----------
    path : Path
        The file; its header must have been read by `mrc_header` and its size be enough.
    head : bytes
        Its first 1024 bytes.
    """
    fields, kind, offset = _layout(path, head)
    shape = tuple(int(fields[name]) for name in ("nz", "ny", "nx"))
    voxels = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=shape)
    axes = [int(fields[name]) for name in ("maps", "mapr", "mapc")]  # 1 x, 2 y, 3 z
    return voxels.transpose([axes.index(axis) for axis in (3, 2, 1)]) if sorted(axes) == [1, 2, 3] else voxels


def write_mrc(
    path: str | Path, image: NDArray[Any], spacing: float | tuple[float, float] | None = None
) -> None:
    """Write an image as a float32 MRC file, all of it or nothing.

    Parameters
    ----------
    path : str or Path
        The file to make or replace; its folder must exist.
    image : (h, w) array
        Row 0 becomes the first row of the file.
    spacing : float, (float, float) or None
        Pixel size in Å/px, of rows and columns if they differ; None leaves it 0, which means unknown.

    Raises
    ------
    CryopickError
        If the file cannot be written.
    ValueError
        If the image is not two-dimensional, or the spacing not a number above 0.
    """
    if image.ndim != 2:
        raise ValueError(f"an image must have the shape (h, w), not {image.shape}")
    sizes = spacing if isinstance(spacing, tuple) else (spacing or 0.0,) * 2
    if spacing is not None and not all(math.isfinite(size) and size > 0 for size in sizes):
        raise ValueError(f"spacing must be a number of Å/px above 0, not {spacing}")
    with np.errstate(over="ignore"):
        pixels = np.ascontiguousarray(image, dtype="<f4")
    header = _new_header(pixels, sizes)
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(header)
        file.write(pixels.data)


def _layout(path: Path, head: bytes) -> tuple[np.void, np.dtype[Any], int]:
    """Tell the fields of a header, the type of a pixel, and the byte where pixels begin."""
    order = _byte_order(head)
    fields = _fields(head, order)
    kind = _pixel_type(path, int(fields["mode"]), order)
    extended = int(fields["nsymbt"])
    if extended < 0:
        raise CryopickError(f"{path}: its MRC header is damaged (negative extended header): copy it again")
    return fields, kind, HEADER_BYTES + extended


def _fields(head: bytes, order: str) -> np.void:
    from mrcfile.dtypes import HEADER_DTYPE

    fields: np.void = np.frombuffer(head[:HEADER_BYTES], HEADER_DTYPE.newbyteorder(order))[0]
    return fields


def _new_header(pixels: NDArray[np.float32], spacing: tuple[float, float]) -> bytes:
    """Describe a little-endian (h, w) image, as MRC2014 says it."""
    from mrcfile.dtypes import HEADER_DTYPE

    header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
    rows, columns = pixels.shape
    header["nx"], header["ny"], header["nz"] = header["mx"], header["my"], header["mz"] = columns, rows, 1
    header["mode"], header["mapc"], header["mapr"], header["maps"] = 2, 1, 2, 3
    header["cella"] = columns * spacing[1], rows * spacing[0], spacing[0]
    header["cellb"] = 90.0, 90.0, 90.0
    header["map"], header["machst"], header["nversion"] = b"MAP ", [0x44, 0x44, 0, 0], 20141
    header["nlabl"], header["label"][0] = 1, b"Written by cryopick-napari"
    header["dmin"], header["dmax"], header["dmean"], header["rms"] = _statistics(pixels)
    return header.tobytes()


def _statistics(pixels: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Find minimum, maximum, mean and deviation; where they mean nothing, what MRC2014 asks for then."""
    if not pixels.size or not np.isfinite(pixels).all():
        return 0.0, -1.0, -2.0, -1.0
    mean = pixels.mean(dtype=np.float64)
    return float(pixels.min()), float(pixels.max()), float(mean), float(pixels.std(dtype=np.float64))


def _makes_sense(fields: np.void) -> bool:
    sides = [int(fields[name]) for name in ("nx", "ny", "nz")]
    mode = int(fields["mode"])
    return all(0 < side <= LARGEST_SIDE for side in sides) and (mode in MODES or mode in COMPLEX_MODES)


def _byte_order(head: bytes) -> str:
    """Believe the machine stamp, unless only the other order makes sense: some programs write it wrongly."""
    first, second = (">", "<") if head[212:214] == b"\x11\x11" else ("<", ">")
    other_is_right = not _makes_sense(_fields(head, first)) and _makes_sense(_fields(head, second))
    return second if other_is_right else first


def _pixel_type(path: Path, mode: int, order: str) -> np.dtype[Any]:
    if mode in COMPLEX_MODES:
        raise CryopickError(f"{path}: is complex (MRC mode {mode}): give the image, not its transform")
    if mode not in MODES:
        raise CryopickError(f"{path}: MRC mode {mode} is not read here: convert it to mode 2 (float32)")
    return np.dtype(order + MODES[mode])


def _voxel_size(fields: np.void) -> tuple[float, float] | None:
    if int(fields["mx"]) <= 0 or int(fields["my"]) <= 0:
        return None
    return float(fields["cella"]["x"]) / int(fields["mx"]), float(fields["cella"]["y"]) / int(fields["my"])
