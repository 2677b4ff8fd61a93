"""Pictures of picks and probability over the field."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.display import default_filter, shown
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

Colour = tuple[int, int, int]  # red, green, blue
RIGHT, WRONG, MISSED, PICK = (64, 200, 255), (255, 120, 40), (255, 230, 60), (64, 200, 255)


def draw_field(micrograph: Micrograph, diameter: float, side: int = 1024) -> NDArray[np.uint8]:
    """Draw a micrograph as a person likes to see it: smoothed, small, and well in contrast.

    Parameters
    ----------
    micrograph : Micrograph
    diameter : float
        Of a particle, px of the micrograph: details below a tenth of it are smoothed away.
    side : int
        Longest side of the picture, px.

    Returns
    -------
    (h, w, 3) uint8
        Grey, as red, green and blue.
    """
    factor = min(1.0, side / max(micrograph.shape))
    size = tuple(max(1, round(length * factor)) for length in reversed(micrograph.shape))
    grey = cv2.resize(
        shown(micrograph, default_filter(diameter, None)).grey(), size, interpolation=cv2.INTER_AREA
    )
    return np.repeat(grey[..., None], 3, axis=2)


def draw_map(picture: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Tint a picture (h, w, 3) where a map of the same field, of any size, is high."""
    height, width = picture.shape[:2]
    alpha = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)[..., None] * 0.6
    tint = cv2.applyColorMap((np.clip(alpha / 0.6, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    drawn: NDArray[np.uint8] = (picture * (1 - alpha) + tint[..., ::-1] * alpha).astype(np.uint8)
    return drawn


def draw_circles(
    picture: NDArray[np.uint8], picks: Picks, shape: tuple[int, int], diameter: float, colour: Colour
) -> NDArray[np.uint8]:
    """Draw a circle around each pick.

    Parameters
    ----------
    picture : (h, w, 3) uint8
    picks : Picks
        In pixels of the micrograph.
    shape : (int, int)
        Rows and columns of the micrograph.
    diameter : float
        Of a circle, px of the micrograph.
    colour : (int, int, int)

    Returns
    -------
    (h, w, 3) uint8
    """
    drawn = picture.copy()
    scale = np.asarray(picture.shape[:2]) / np.asarray(shape)
    radius = max(2, round(float(diameter * scale.mean()) / 2))
    # Pixel centres are at integers: the picture's are where the micrograph's corners scale to.
    for row, column in np.rint((picks.yx + 0.5) * scale - 0.5).astype(int).tolist():
        cv2.circle(drawn, (column, row), radius, colour, 1, cv2.LINE_AA)
    return drawn


def draw_overlay(
    micrograph: Micrograph, picks: Picks, diameter: float, probability: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Draw a field with its picks and, if given, its probability map (h, w) tinted over it."""
    picture = draw_field(micrograph, diameter)
    if probability is not None:
        picture = draw_map(picture, probability)
    return draw_circles(picture, picks, micrograph.shape, diameter, PICK)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (h, w, 3), all of it or nothing.

    Raises
    ------
    CryopickError
        If it cannot be written.
    """
    ok, encoded = cv2.imencode(".png", picture[..., ::-1])
    if not ok:
        raise CryopickError(f"cannot draw {path}: the picture is empty")
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
