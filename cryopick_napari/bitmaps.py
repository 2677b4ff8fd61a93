"""TIFF, PNG and JPEG images: their headers, and their pixels as grey values."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.errors import CryopickError
from cryopick_napari.image_header import MAX_COMPRESSION, ImageHeader

if TYPE_CHECKING:
    from PIL.Image import Image

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
INCH, CENTIMETRE = 2, 3  # values of TIFF's ResolutionUnit
ANGSTROM_PER_UNIT = {
    "pm": 0.01, "å": 1.0, "a": 1.0, "angstrom": 1.0, "angstroms": 1.0, "nm": 10.0, "nanometer": 10.0,
    "um": 1e4, "micron": 1e4, "microns": 1e4, "mm": 1e7, "cm": 1e8, "inch": 2.54e8,
}  # fmt: skip
COARSEST = 100.0  # Å/px; beyond that it is a printer's dots per inch, or a default of 1 µm

# tifffile logs what is wrong with a file; the user gets one line, ours.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def png_header(path: Path, head: bytes) -> ImageHeader:
    """Read the header of a PNG file, whose first bytes are ``head``.

    Raises
    ------
    CryopickError
        If the file ends within its header, or holds 16-bit colours.
    """
    if len(head) < 29 or head[12:16] != b"IHDR" or head[25] not in PNG_CHANNELS:
        raise CryopickError(f"{path}: its PNG header is damaged or cut short: copy it again")
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    depth, channels = head[24], PNG_CHANNELS[head[25]]
    if depth == 16 and channels > 1:
        # Pillow would keep only the upper eight bits, without a word.
        raise CryopickError(f"{path}: is a PNG with 16-bit colours: save it as 16-bit grey")
    raw = height * -(-width * channels * depth // 8)
    return ImageHeader((height, width), 1, raw // MAX_COMPRESSION, None, lambda _: _with_pillow(path, "Png"))


def jpeg_header(path: Path, head: bytes) -> ImageHeader:
    """Read the header of a JPEG file."""
    with _pillow_image(path, "Jpeg") as image:
        width, height = image.size
    least = height * width // MAX_COMPRESSION
    return ImageHeader((height, width), 1, least, None, lambda _: _with_pillow(path, "Jpeg"))


def tiff_header(path: Path, head: bytes) -> ImageHeader:
    """Read the header of a TIFF file, its pixel size where ImageJ, OME or the resolution tags say it.

    Raises
    ------
    CryopickError
        If the pixels are complex, or some were never written.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if page.dtype is None or page.dtype.kind not in "buif":
            raise CryopickError(f"{path}: its pixels are {page.dtype}, not real numbers: save it as float32")
        if not all(page.databytecounts):
            # tifffile would fill strips without bytes with zeros.
            raise CryopickError(f"{path}: parts of its image were never written: copy it again")
        shape = int(page.imagelength), int(page.imagewidth)
        frames = max(len(file.pages), _frames_in_one_page(file))
        spacing = _tiff_spacing(file)
        least = _tiff_bytes(page)
    return ImageHeader(shape, frames, least, spacing, lambda frame: _load_tiff(path, shape, frame))


def _frames_in_one_page(file: Any) -> int:
    """Count the images behind a single directory: ImageJ's large stacks, tifffile's own, volumes."""
    page = file.pages.first
    imagej = (file.imagej_metadata or {}).get("images", 1)
    shaped = re.search(r'"shape": \[([\d, ]+)\]', page.description) if page.is_shaped else None
    values = int(np.prod([int(n) for n in shaped[1].split(",")], dtype=object)) if shaped else 0
    in_one = max(1, int(page.imagelength) * int(page.imagewidth) * int(page.samplesperpixel))
    return max(int(imagej), int(page.imagedepth), values // in_one if len(file.pages) == 1 else 1)


def _tiff_bytes(page: Any) -> int:
    """Find the fewest bytes of a file with this page: where its last strip ends, what its pixels take."""
    strips = zip(page.dataoffsets, page.databytecounts, strict=False)
    ends = [int(start) + int(count) for start, count in strips]
    bits = int(page.imagewidth) * int(page.samplesperpixel) * int(page.bitspersample)
    raw = int(page.imagelength) * -(-bits // 8)
    return max([*ends, raw if page.compression == 1 else raw // MAX_COMPRESSION])


def _tiff_spacing(file: Any) -> tuple[float, float] | None:
    """Find the pixel size along x and y in Å/px; None if no tag says it, or none that makes sense."""
    try:
        sizes = _ome_spacing(file.ome_metadata) if file.is_ome else _resolution_spacing(file)
    except (TypeError, ValueError, KeyError, ZeroDivisionError):
        return None  # a malformed tag is no reason to refuse the pixels
    return None if sizes is None or max(sizes) > COARSEST else sizes


def _ome_spacing(xml: str) -> tuple[float, float] | None:
    def size(axis: str) -> float | None:
        value = re.search(rf'PhysicalSize{axis}="([^"]+)"', xml)
        unit = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', xml)
        return float(value[1]) * _angstrom(unit[1] if unit else "µm") if value else None

    x, y = size("X"), size("Y")
    return None if x is None or y is None else (x, y)


def _resolution_spacing(file: Any) -> tuple[float, float] | None:
    tags = file.pages.first.tags
    unit: str | None = {INCH: "inch", CENTIMETRE: "cm"}.get(tags.valueof("ResolutionUnit", INCH))
    if file.is_imagej:
        unit = (file.imagej_metadata or {}).get("unit")
    x, y = tags.valueof("XResolution"), tags.valueof("YResolution")
    if unit is None or x is None or y is None:
        return None
    one = _angstrom(unit)
    return one * x[1] / x[0], one * y[1] / y[0]


def _angstrom(unit: str) -> float:
    plain = unit.replace("\\u00B5", "u").replace("\\u00C5", "å").replace("µ", "u").replace("μ", "u")
    return ANGSTROM_PER_UNIT[plain.strip().lower()]


def _load_tiff(path: Path, shape: tuple[int, int], frame: int = 0) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            if frame >= len(file.pages):  # all frames lie behind the only directory
                stack = file.series[0].asarray(out="memmap")
                return np.asarray(stack.reshape(-1, *shape)[frame])
            page: Any = file.pages[frame]
            if int(page.imagedepth) > 1:
                raise CryopickError(f"{path}: is a volume: give the micrograph as one image")
            planes_first = int(page.planarconfig) == 2 and int(page.samplesperpixel) > 1
            pixels = page.asarray(out="memmap") if page.is_memmappable else page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        # LZW and its like: tifffile needs imagecodecs for them, Pillow has its own.
        pixels, planes_first = _with_pillow(path, "Tiff"), False
    grey = _grey(path, np.moveaxis(pixels, 0, -1) if planes_first else pixels)
    return grey.reshape(shape)


@contextmanager
def _pillow_image(path: Path, kind: str) -> Iterator[Image]:
    """Open a file by the one plugin it needs: `Image.open` refuses images above 179 megapixels."""
    from PIL import JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    plugins: dict[str, Callable[[Path], Image]] = {
        "Jpeg": JpegImagePlugin.JpegImageFile,
        "Png": PngImagePlugin.PngImageFile,
        "Tiff": TiffImagePlugin.TiffImageFile,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with plugins[kind](path) as image:
            yield image


def _with_pillow(path: Path, kind: str) -> NDArray[Any]:
    with _pillow_image(path, kind) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise CryopickError(f"{path}: holds {frames} frames: sum or motion-correct the movie first")
        colours = image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB")
        return _grey(path, np.asarray(image.convert("RGB") if colours else image))


def _grey(path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    """Take the one channel that equal colour channels repeat; transparency is left out."""
    if pixels.ndim == 2:
        return pixels
    channels = pixels.shape[-1]
    colours = pixels[..., : channels - 1 if channels in (2, 4) else channels]
    if any(not np.array_equal(colours[..., 0], colours[..., i]) for i in range(1, colours.shape[-1])):
        raise CryopickError(f"{path}: is a colour image: give the micrograph in grey")
    return colours[..., 0]
