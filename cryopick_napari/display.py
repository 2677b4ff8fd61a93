"""How a micrograph is shown: smoothed, small, flat, well in contrast. Nothing is trained on these pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph

Image = NDArray[np.float32]

UNKNOWN_LOW_PASS = 20.0, 4.0  # Å, and px where the pixel size is unknown, too
PARTICLE_PARTS = 4.0  # low-pass of a particle: half a period, an eighth, is the smallest detail left
FINEST_LOW_PASS = 2.0  # px: a file holds nothing finer
BIN_PARTS = 4.0  # low-pass over bin: at the coarser pixels' Nyquist frequency 6 % are left
SMALL_SIDE = 256  # px of the copy on which background and dead areas are sought
BACKGROUND_PART = 0.1  # sigma of the background, of the longest side
DEAD_ACTIVITY = 0.05  # fraction of the median grey-value step below which an area is dead (smeared, padded)
EXTREME = 6.0  # robust standard deviations: gold, ice and carbon must not set the contrast
HUGE = 1e30  # grey values whose sums could overflow


@dataclass(frozen=True)
class DisplayFilter:
    """What is done to a micrograph before it is shown.

    Attributes
    ----------
    low_pass : float or None
        Period in px of the micrograph of which half the amplitude is left (coarser detail stays,
        finer goes); None smooths nothing.
    contrast : float
        Percent of the pixels that are shown fully black, and as many fully white: more is harder.
        From 0 to below 50.
    invert : bool
        Swap dark and bright.

    Raises
    ------
    CryopickError
        If a number is out of its range.
    """

    low_pass: float | None
    contrast: float = 0.5
    invert: bool = False

    def __post_init__(self) -> None:
        if self.low_pass is not None and not (math.isfinite(self.low_pass) and self.low_pass > 0):
            raise CryopickError(f"the low-pass filter must be a number of px above 0, not {self.low_pass}")
        if not 0 <= self.contrast < 50:
            raise CryopickError(f"the contrast must be from 0 to below 50 percent, not {self.contrast}")


@dataclass(frozen=True, eq=False)
class Shown:
    """A micrograph as it is shown.

    Attributes
    ----------
    image : (h, w) float32
        Grey values less their background; covers the whole micrograph.
    scale, translate : (float, float)
        Display pixel j lies at ``scale * j + translate`` of the micrograph, px, rows and columns:
        what napari calls a layer's scale and translation.
    contrast_limits : (float, float)
        Grey values that are shown black and white.
    """

    image: Image
    scale: tuple[float, float]
    translate: tuple[float, float]
    contrast_limits: tuple[float, float]

    def from_source(self, yx: ArrayLike) -> NDArray[np.float32]:
        """Map positions (n, 2) in pixels of the micrograph to display pixels."""
        return np.asarray((np.asarray(yx) - self.translate) / np.asarray(self.scale), np.float32)

    def grey(self) -> NDArray[np.uint8]:
        """Return the picture (h, w) from 0, black, to 255, white."""
        return stretched(self.image, *self.contrast_limits)


def default_filter(diameter_px: float | None, spacing: float | None) -> DisplayFilter:
    """Choose how much to smooth: details below an eighth of a particle, or 20 Å where its size is unknown.

    Parameters
    ----------
    diameter_px : float or None
        Of a particle, px of the micrograph; None when nobody knows.
    spacing : float or None
        Pixel size in Å/px; None when nobody knows: then 4 px stand for 20 Å.
    """
    angstrom, pixels = UNKNOWN_LOW_PASS
    if diameter_px is not None:
        pixels = diameter_px / PARTICLE_PARTS
    elif spacing is not None:
        pixels = angstrom / spacing
    return DisplayFilter(max(FINEST_LOW_PASS, pixels))


def shown(micrograph: Micrograph, filter: DisplayFilter) -> Shown:
    """Make the picture of a micrograph that a person looks at.

    A Gaussian takes away detail finer than the filter's low-pass, on pixels binned as far as that
    allows; a very wide one takes away the background. Dead areas, gold, ice and carbon have no say
    in the contrast.

    Parameters
    ----------
    micrograph : Micrograph
    filter : DisplayFilter

    Returns
    -------
    Shown
        With pixels of its own: the micrograph's never change.
    """
    factor = 1 if filter.low_pass is None else max(1, int(filter.low_pass / BIN_PARTS))
    source = _tame(micrograph.image)
    image = binned(source, factor)
    if filter.low_pass is not None:
        image = _smoothed(image, filter.low_pass, factor)
    alive = _alive(source)
    background = _background(image, alive)
    image = image - _resized(background, image.shape, cv2.INTER_LINEAR)
    if filter.invert:
        image = -image
    # Neighbours are alike: a pixel here and there tells the distribution.
    sample = _resized(image, alive.shape, cv2.INTER_NEAREST)[alive]
    middle = (factor - 1) / 2
    return Shown(image, (float(factor),) * 2, (middle,) * 2, _limits(sample, filter.contrast))


def binned(image: Image, factor: int) -> Image:
    """Average squares of ``factor`` px: pixel j of the result covers source pixels ``factor * j`` and on.

    The last row and column repeat themselves where a side is no multiple.
    """
    if factor == 1:
        return image
    rows, columns = (-side % factor for side in image.shape)
    if rows or columns:
        image = np.asarray(cv2.copyMakeBorder(image, 0, rows, 0, columns, cv2.BORDER_REPLICATE), np.float32)
    return _resized(image, (image.shape[0] // factor, image.shape[1] // factor), cv2.INTER_AREA)


def stretched(image: Image, low: float, high: float) -> NDArray[np.uint8]:
    """Map grey values of any shape to 0 at ``low`` and below, 255 at ``high`` and above."""
    grey = (image - np.float32(low)) * np.float32(255 / (high - low))
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def _resized(image: Image, shape: tuple[int, ...], interpolation: int) -> Image:
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation), np.float32)


def _tame(image: Image) -> Image:
    low, high, _, _ = cv2.minMaxLoc(image)
    peak = max(-low, high)
    return image / np.float32(peak) if peak > HUGE else image


def _smoothed(image: Image, low_pass: float, factor: int) -> Image:
    """Leave half the amplitude at ``1 / low_pass`` per source px; binning has done a part of it."""
    variance = math.log(2) / 2 * (low_pass / math.pi) ** 2 - (factor**2 - 1) / 12
    return np.asarray(cv2.GaussianBlur(image, (0, 0), math.sqrt(variance) / factor))


def _alive(image: Image) -> NDArray[np.bool_]:
    """Find on a small copy where grey values change along both axes; padded and smeared areas do not."""
    shape = _small(image.shape)
    rows, columns = (
        ((np.arange(small) + 0.5) * (side - 1) / small).astype(int)
        for small, side in zip(shape, image.shape, strict=True)
    )
    alive = np.ones(shape, np.uint8)
    here = image[np.ix_(rows, columns)]
    for axis, next_one in enumerate([np.ix_(rows + 1, columns), np.ix_(rows, columns + 1)]):
        if image.shape[axis] > 1:
            # A live pixel between quiet ones (or the reverse) is chance: decide over 9 x 9.
            steps = cv2.blur(np.abs(image[next_one] - here), (9, 9))
            alive &= steps > DEAD_ACTIVITY * np.median(steps[steps > 0] if steps.any() else steps)
    # That reaches 4 px beyond the live area: off with them.
    inner = np.asarray(cv2.erode(alive, np.ones((9, 9), np.uint8))) > 0
    return inner if inner.any() else ~inner


def _small(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, SMALL_SIDE / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _background(image: Image, alive: NDArray[np.bool_]) -> Image:
    """Blur what is alive and ordinary very widely, on a copy of the size of ``alive``."""
    small = _resized(image, alive.shape, cv2.INTER_AREA)
    middle, spread = _robust(small[alive])
    centred = small - middle
    # A large ice crystal or carbon would have a halo.
    ordinary = (alive & (np.abs(centred) <= EXTREME * spread)).astype(np.float32)
    sigma = BACKGROUND_PART * max(alive.shape)
    total, weight = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (centred * ordinary, ordinary))
    return np.asarray(middle + total / np.maximum(weight, 1e-3))


def _robust(values: Image) -> tuple[np.float32, np.float32]:
    """Return the median and the robust standard deviation (1.4826 MAD)."""
    middle = np.median(values)
    return middle, np.float32(1.4826) * np.median(np.abs(values - middle))


def _limits(values: Image, percent: float) -> tuple[float, float]:
    """Find the grey values between which all but ``percent`` of the ordinary ones lie, on either side."""
    middle, spread = _robust(values)
    ordinary = values[np.abs(values - middle) <= EXTREME * spread]
    low, high = (float(level) for level in np.percentile(ordinary, (percent, 100 - percent)))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low, low + 1)
