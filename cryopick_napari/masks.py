"""Masks of contamination as files: those of other programs, and our own in the same layout.

A folder holds one image for each micrograph, of its stem and of the whole field at any scale, in which what
is not zero is contaminated. Folders of the micrographs may be kept below it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.naming import stem
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing
from cryopick_napari.micrograph import MICROGRAPH_SUFFIXES, Micrograph, read_pixels

Mask = NDArray[np.bool_]

LIKELY = 0.5  # of a map of probabilities
ROUNDING = 1.0  # px of a mask; programs round its sides up, down, or to what they can bin


def find_mask(folder: Path, micrograph: Path) -> Path | None:
    """Find the mask of a micrograph below a folder, where most of its own folders are kept; never itself."""
    path = Path(os.path.abspath(micrograph))  # noqa: PTH100, two links are two micrographs
    inner = path.parts[1:-1]
    places = (folder.joinpath(*inner[first:]) for first in range(len(inner) + 1))
    names = [stem(path.name) + suffix for suffix in (".png", *MICROGRAPH_SUFFIXES)]
    files = (place / name for place in places for name in names)
    return next((file for file in files if file.is_file() and file.resolve() != path.resolve()), None)


def check_masks(folder: Path, micrographs: Sequence[Path]) -> list[Path]:
    """List the micrographs that have no mask.

    Raises
    ------
    CryopickError
        If none has one.
    """
    if not folder.is_dir():
        raise CryopickError(f"{folder}: there is no such folder of masks: check --masks")
    bare = [path for path in micrographs if find_mask(folder, path) is None]
    if len(bare) == len(micrographs):
        raise CryopickError(
            f"{folder} holds no mask for {micrographs[0]} or any other micrograph: "
            f"a mask has the micrograph's name, as {stem(micrographs[0].name)}.png or .mrc"
        )
    return bare


def masked(micrograph: Micrograph, folder: Path | None) -> Micrograph:
    """Give a micrograph the mask that it has in a folder, if there is one.

    Raises
    ------
    CryopickError
        If the mask is damaged, or not of this field.
    """
    file = None if folder is None or micrograph.path is None else find_mask(folder, micrograph.path)
    return micrograph if file is None else replace(micrograph, mask=read_mask(file, micrograph.shape))


def read_mask(path: Path, shape: tuple[int, int]) -> Mask:
    """Read the mask of a micrograph.

    Parameters
    ----------
    path : Path
        MRC, PNG, TIFF or JPEG. What is not zero is contaminated; of fractions up to 1, what exceeds a half.
    shape : (int, int)
        Rows and columns of the micrograph, px.

    Returns
    -------
    (h, w) bool
        At the mask's own scale.

    Raises
    ------
    CryopickError
        If it is damaged, or its sides are not in the proportion of the micrograph's.
    """
    pixels = np.nan_to_num(read_pixels(path))
    rows, columns = pixels.shape
    # As many rows as there should be for its columns, but for what rounding does to either.
    if abs(rows - shape[0] * columns / shape[1]) > ROUNDING * (1 + shape[0] / shape[1]):
        raise CryopickError(
            f"{path}: a mask of {columns} x {rows} px cannot be of a micrograph of "
            f"{shape[1]} x {shape[0]} px: give the mask of the whole field"
        )
    is_likelihood = pixels.dtype.kind == "f" and pixels.max() <= 1
    contaminated: Mask = pixels > LIKELY if is_likelihood else pixels != 0
    return contaminated


def write_mask(path: Path, left_out: Mask, ratio: tuple[float, float], shape: tuple[int, int]) -> None:
    """Write a mask as a PNG of the micrograph's size, 255 where it is contaminated; all of it or nothing.

    Parameters
    ----------
    path : Path
    left_out : (h, w) bool
        At the network's scale.
    ratio : (float, float)
        Px of the micrograph per network px, rows and columns.
    shape : (int, int)
        Rows and columns of the micrograph, px.
    """
    save_mask(path, full_size(left_out, ratio, shape))


def full_size(left_out: Mask, ratio: tuple[float, float], shape: tuple[int, int]) -> Mask:
    """Bring a mask at the network's scale (h, w) to the micrograph's size; see `write_mask`."""
    rows, columns = (
        np.rint(np.arange(side) / step).astype(int).clip(0, size - 1)
        for side, step, size in zip(shape, ratio, left_out.shape, strict=True)
    )
    large: Mask = left_out[rows][:, columns]
    return large


def save_mask(path: Path, mask: Mask) -> None:
    """Write a mask (h, w) of the micrograph's size as a PNG, 255 where it is contaminated."""
    _, encoded = cv2.imencode(".png", mask.astype(np.uint8) * np.uint8(255))
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
