"""The average particle of the labels and its matched filter."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

REACH = 0.8  # radius of the template in particle diameters: beyond the edge lie halo and nearest neighbours
FAINT = 0.8  # peak-to-peak contrast of the average particle, below which a network needs more
BINS = 32  # samples of the radial profile


def radial_profile(image: Tensor, yx: NDArray[np.float32], diameter: float) -> NDArray[np.float64]:
    """Sum an image around particles by distance from their centres; see `radial_profiles`.

    Returns
    -------
    (2, 32) float64
        Of all particles together: profiles of several fields add up.
    """
    total: NDArray[np.float64] = radial_profiles(image, yx, diameter).sum(axis=0)
    return total


def radial_profiles(image: Tensor, yx: NDArray[np.float32], diameter: float) -> NDArray[np.float64]:
    """Sum an image around each particle by distance from its centre.

    Parameters
    ----------
    image : (h, w) tensor
        Grey values.
    yx : (n, 2) float32
        Centres, px of the image.
    diameter : float
        Of a particle, px.

    Returns
    -------
    (n, 2, 32) float64
        Sum of the grey values, and number of pixels, in rings from 0 to 0.8 diameters.
    """
    radius = REACH * diameter
    span = np.arange(-int(np.ceil(radius)) - 1, int(np.ceil(radius)) + 2)
    offsets = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
    pixels = np.rint(yx).astype(int)[:, None] + offsets
    distance = np.sqrt(((pixels - yx[:, None]) ** 2).sum(-1))
    seen = ((pixels >= 0) & (pixels < np.asarray(image.shape))).all(-1) & (distance < radius)
    rows, columns = pixels[seen].T
    rings = (distance[seen] * BINS / radius).astype(int) + BINS * seen.nonzero()[0]
    values = image.cpu().numpy()[rows, columns]
    count = BINS * len(yx)
    sums = np.stack([np.bincount(rings, values, count), np.bincount(rings, minlength=count).astype(float)])
    each: NDArray[np.float64] = sums.reshape(2, len(yx), BINS).swapaxes(0, 1)
    return each


def mean_profile(total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean grey value (32,) of what `radial_profile` sums."""
    mean: NDArray[np.float64] = total[0] / np.maximum(total[1], 1)
    return mean


def is_faint(profile: NDArray[np.float64]) -> bool:
    """Tell whether single particles of this mean profile drown in the noise, whose deviation is 1."""
    return bool(np.ptp(profile) < FAINT)


def kernel_side(diameter: float) -> int:
    """Side of the template of a particle of ``diameter`` px: odd."""
    return 2 * int(np.ceil(REACH * diameter)) + 1


def kernel_of(profile: Tensor, diameter: float, side: int | None = None) -> Tensor:
    """Draw a radial profile as an image.

    Parameters
    ----------
    profile : (32,) tensor
        Mean grey value from the centre to 0.8 diameters.
    diameter : float
        Of a particle, px.
    side : int, optional
        Of the image, odd; by default that of `kernel_side`.

    Returns
    -------
    (k, k) tensor
        Odd side, mean 0, norm 1: its correlation with unit white noise is unit noise.
    """
    reach = (side or kernel_side(diameter)) // 2
    axis = torch.arange(-reach, reach + 1, dtype=profile.dtype, device=profile.device)
    distance = torch.hypot(axis[:, None], axis[None, :]) / (REACH * diameter) * BINS - 0.5
    low = distance.floor().clamp(0, BINS - 1).long()
    high = (low + 1).clamp(max=BINS - 1)
    part = (distance - low).clamp(0, 1)
    inside = distance < BINS - 0.5
    drawn = profile[low] * (1 - part) + profile[high] * part
    drawn = (drawn - drawn[inside].mean()) * inside
    kernel: Tensor = drawn / drawn.norm().clamp(min=1e-6)
    return kernel


def matched_filter(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate images (b, 1, h, w) with a template (k, k), reflecting at the edges.

    Returns
    -------
    (b, 1, h, w) tensor
    """
    margin = kernel.shape[0] // 2
    mode = "reflect" if margin < min(image.shape[-2:]) else "replicate"
    padded = F.pad(image.float(), (margin,) * 4, mode=mode)
    # By Fourier transforms: a direct convolution with so large a kernel takes as long as the network.
    shape = padded.shape[-2:]
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel.float(), s=shape).conj()
    response: Tensor = torch.fft.irfft2(spectrum, s=shape)
    return response[..., : image.shape[-2], : image.shape[-1]]
