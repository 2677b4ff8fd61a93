"""What happens to a picture between the screen and the file: detector, software, file format."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Image = NDArray[np.float32]
Denoising = Literal["none", "low-pass", "bilateral", "non-local"]


@dataclass(frozen=True)
class Camera:
    """How a picture was recorded.

    Attributes
    ----------
    blur : float
        Of the sensor, which spreads signal and counted electrons alike: sigma in px.
    coloured : float
        Noise of the detector that grows towards low frequencies, in standard deviations of the picture.
    dead : int
        Rows or columns that say nothing.
    smeared : int
        Width in px of a border at the top and at the left where one row or column is repeated.
    denoising : str
        What a program did to make the picture look better.
    strength : float
        Of that: 0 to 1.
    eight_bit : bool
        Whether the file has 256 grey values.
    """

    blur: float = 0.0
    coloured: float = 0.0
    dead: int = 0
    smeared: int = 0
    denoising: Denoising = "none"
    strength: float = 0.5
    eight_bit: bool = False


IDEAL = Camera()  # the picture as it is


def recorded(image: Image, camera: Camera, rng: np.random.Generator) -> Image:
    """Record a picture (h, w); a camera that does nothing returns it as it is."""
    if camera.blur:
        gaussian = np.exp(-2 * (math.pi * camera.blur * _frequencies(image.shape)) ** 2)
        image = _multiplied(image, gaussian)
    if camera.coloured:
        image = image + np.float32(camera.coloured * image.std()) * _coloured(image.shape, rng)
    if camera.denoising != "none":
        image = denoised(image, camera.denoising, camera.strength)
    if camera.dead or camera.smeared:
        image = image.copy()
    for _ in range(camera.dead):
        line = image if rng.random() < 0.5 else image.T
        line[rng.integers(len(line))] = np.median(image)
    if camera.smeared:
        edge = min(camera.smeared, min(image.shape) - 1)
        image[:edge] = image[edge]
        image[:, :edge] = image[:, edge : edge + 1]
    return eight_bit(image) if camera.eight_bit else image


def eight_bit(image: Image) -> Image:
    """Round to 256 grey values; what is beyond four deviations of the middle is cut off."""
    middle, reach = np.median(image), 4 * max(float(image.std()), 1e-12)
    return np.asarray(np.clip(np.rint((image - middle) * (127.5 / reach) + 127.5), 0, 255), np.float32)


def denoised(image: Image, how: Denoising, strength: float) -> Image:
    """Smooth a picture: ``low-pass`` in Fourier space, ``bilateral``, or by ``non-local`` means."""
    import cv2  # slow to import

    if how == "low-pass":
        cut = 0.35 * 0.06**strength  # cycles a pixel: 0.35 to 0.02
        # a Butterworth filter of order 4: no rings
        return _multiplied(image, 1 / (1 + (_frequencies(image.shape) / cut) ** 8))
    spread = max(float(image.std()), 1e-12)
    if how == "bilateral":
        return np.asarray(cv2.bilateralFilter(image, 9, (1 + 2 * strength) * spread, 1 + 1.5 * strength))
    grey = eight_bit(image).astype(np.uint8)
    smooth = cv2.fastNlMeansDenoising(
        grey, None, h=32 * (0.3 + 0.6 * strength), templateWindowSize=5, searchWindowSize=11
    )
    return np.asarray(smooth, np.float32)


def _coloured(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Make noise (h, w) of unit variance whose power falls as 1 / frequency."""
    frequency = _frequencies(shape)
    frequency[0, 0] = np.inf
    noise = _multiplied(rng.standard_normal(shape, np.float32), 1 / np.sqrt(frequency))
    return np.asarray(noise / max(float(noise.std()), 1e-12))


def _frequencies(shape: tuple[int, ...]) -> Image:
    """Give the frequencies of a picture's half transform, in cycles a pixel."""
    rows, columns = scipy.fft.fftfreq(shape[0])[:, None], scipy.fft.rfftfreq(shape[1])
    return np.hypot(rows, columns).astype(np.float32)


def _multiplied(image: Image, transfer: NDArray[np.floating]) -> Image:
    """Multiply the spectrum of a picture (h, w)."""
    return np.asarray(scipy.fft.irfft2(scipy.fft.rfft2(image) * transfer, s=image.shape), np.float32)
