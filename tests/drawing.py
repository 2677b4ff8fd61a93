"""Drawn micrographs, and a network that finds blobs without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from cryopick_napari.config import PickerConfig
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picker import Picker

SPACED = np.array([(15.3, 18.8), (17.2, 60.5), (44.6, 32.1), (50.9, 71.7), (80.4, 15.5), (77.7, 55.2)])


def gaussians(shape: tuple[int, int], centres: ArrayLike, sigma: float) -> NDArray[np.float32]:
    """Add up Gaussians of height 1 at any centres (n, 2)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for row, column in np.asarray(centres, float).reshape(-1, 2):
        image += np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def drawn_micrograph(
    centres: ArrayLike = SPACED,
    shape: tuple[int, int] = (96, 90),
    height: float = -4.0,
    spacing: float | None = None,
    seed: int = 0,
) -> Micrograph:
    """Draw particles of about 9 px, dark by default, on white noise."""
    return Micrograph(height * gaussians(shape, centres, 2.2) + 0.5 * noise(shape, seed), spacing)


@torch.no_grad()
def blob_detector(config: PickerConfig) -> Picker:
    """Make a picker that answers bright blobs: four box blurs of the image's bright part, and no more."""
    picker = Picker.new(config)
    for parameter in picker.network.parameters():
        parameter.zero_()
    unet = picker.network.unet
    box = torch.full((3, 3), 1 / 9)
    for convolutions in (unet.encoder[0], unet.decoder[0]):
        for layer in range(2):
            convolutions[3 * layer].weight[0, 0] = box
            convolutions[3 * layer + 1].weight[0] = 1.0  # batch normalisation
    unet.head.weight[0, 0] = 4.0 if config.gate == "none" else 8.0  # a gate without weights is half open
    unet.head.bias[0] = -4.0
    return picker


def near(found: NDArray[np.float32], wanted: Sequence[Sequence[float]] | NDArray[np.floating]) -> float:
    """Return the distance of the farthest position from its partner; infinite if numbers differ."""
    wanted = np.asarray(wanted)
    if len(found) != len(wanted):
        return float("inf")
    distance = np.hypot(*(found[:, None] - wanted[None]).transpose(2, 0, 1))
    return float(max(distance.min(axis=0).max(), distance.min(axis=1).max()))
