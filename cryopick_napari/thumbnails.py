"""Small pictures of picks, all in the same contrast, and their average."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_napari.display import binned, stretched

BEST = 100  # picks in an average
SATURATED = 1.0  # percent of the pixels that are fully black, and as many fully white


def cut(image: NDArray[np.float32], yx: ArrayLike, side: float, out: int = 48) -> NDArray[np.uint8]:
    """Cut a square around each pick.

    Parameters
    ----------
    image : (h, w) float32
        Best a flattened one, as `display.shown` makes it: one contrast has to do for all of them.
    yx : (n, 2)
        Centres in px of the image.
    side : float
        Of a square, px of the image. Beyond the edges the image's median is put.
    out : int
        Side of the result, px.

    Returns
    -------
    (n, out, out) uint8
        In the order of the picks; equal grey values of the image are equal here.

    Raises
    ------
    ValueError
        If ``side`` or ``out`` is not above 0.
    """
    if not (side > 0 and out > 0):
        raise ValueError(f"the squares need a side, not {side} px and {out} px")
    centres = np.asarray(yx, np.float64).reshape(-1, 2)
    # Averages of neighbours, not one pixel in a few: noise must not be folded in.
    factor = max(1, int(side / out))
    small = binned(image, factor)
    middles = (centres - (factor - 1) / 2) / factor
    windows = _sampled(small, middles, side / out / factor, out)
    return stretched(windows, *_levels(windows)) if len(windows) else windows.astype(np.uint8)


def average(thumbnails: NDArray[np.uint8], scores: ArrayLike, best: int = BEST) -> NDArray[np.uint8] | None:
    """Average the thumbnails (n, out, out) of the best picks, in the strongest contrast.

    Parameters
    ----------
    thumbnails : (n, out, out) uint8
    scores : (n,)
    best : int
        How many at most.

    Returns
    -------
    (out, out) uint8 or None
        None without picks.
    """
    if not len(thumbnails):
        return None
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")[:best]
    mean = thumbnails[order].mean(axis=0, dtype=np.float32)
    low, high = float(mean.min()), float(mean.max())
    return stretched(mean, low, high if high > low else low + 1)


def _sampled(
    image: NDArray[np.float32], yx: NDArray[np.float64], step: float, out: int
) -> NDArray[np.float32]:
    """Sample (n, out, out) values around each centre, ``step`` px from each other."""
    windows = np.empty((len(yx), out, out), np.float32)
    outside = float(np.median(image[:: math.ceil(image.shape[0] / 256), :: math.ceil(image.shape[1] / 256)]))
    reach = step * (out - 1) / 2
    for window, (row, column) in zip(windows, yx, strict=True):
        to_image = np.array([[step, 0, column - reach], [0, step, row - reach]])
        cv2.warpAffine(
            image,
            to_image,
            (out, out),
            dst=window,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=outside,
        )
    return windows


def _levels(windows: NDArray[np.float32]) -> tuple[float, float]:
    """Find black and white for all windows together."""
    sample = windows.ravel()[:: max(1, windows.size // 200_000)]
    low, high = (float(level) for level in np.percentile(sample, (SATURATED, 100 - SATURATED)))
    return (low, high) if low < high else (low, low + 1)
