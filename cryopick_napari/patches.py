"""Random crops with augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST = 0.25  # largest change of a crop's contrast, as a fraction
BRIGHTNESS = 0.2  # standard deviation of a crop's shift, in units of the field's noise
NOISE = 0.4  # largest standard deviation of added noise, in the same units


@dataclass(frozen=True, eq=False)
class Canvas:
    """Image, target and weight of one field, (3, h, w) float32; and its particles, (n, 2) px."""

    planes: Tensor
    positives: Tensor


def batch(
    canvases: Sequence[Canvas], count: int, size: int, generator: torch.Generator, near_label: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut random crops out of random fields.

    Parameters
    ----------
    canvases : sequence of Canvas
        The fields.
    count, size : int
        Number of crops and their side, px; fields smaller than that are padded with weight 0.
    generator : torch.Generator
        On the CPU: the only source of randomness.
    near_label : float
        Part of the crops that are made to hold a labelled particle.

    Returns
    -------
    image, target, weight : (count, 1, size, size) tensors
    """
    crops = torch.stack([_crop(canvases, size, generator, near_label) for _ in range(count)])
    image, target, weight = torch.split(crops, 1, dim=1)
    return noisy(image, generator), target, weight


def _crop(canvases: Sequence[Canvas], size: int, generator: torch.Generator, near_label: float) -> Tensor:
    """Cut one crop, turned and mirrored at random."""
    canvas = canvases[_integer(len(canvases), generator)]
    planes = _large_enough(canvas.planes, size)
    room = torch.tensor(planes.shape[1:]) - size
    corner = (torch.rand(2, generator=generator) * (room + 1)).long()
    if len(canvas.positives) and _uniform(generator) < near_label:
        label = canvas.positives[_integer(len(canvas.positives), generator)]
        corner = (label - torch.rand(2, generator=generator) * size).round().long()
    top, left = torch.minimum(corner.clamp(min=0), room).tolist()
    crop = planes[:, top : top + size, left : left + size].rot90(_integer(4, generator), (1, 2))
    return crop.flip(2) if _integer(2, generator) else crop


def noisy(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast and brightness of each crop and add noise."""

    def uniform() -> Tensor:
        return torch.rand(len(image), 1, 1, 1, generator=generator)

    contrast = (1 + CONTRAST) ** (2 * uniform() - 1)
    shift = BRIGHTNESS * torch.randn(len(image), 1, 1, 1, generator=generator)
    noise = NOISE * uniform() * torch.randn(image.shape, generator=generator)
    return image * contrast.to(image.device) + (shift + noise).to(image.device)


def _large_enough(planes: Tensor, size: int) -> Tensor:
    """Pad a small field to one crop."""
    down, right = (max(0, size - side) for side in planes.shape[1:])
    return F.pad(planes, (0, right, 0, down)) if down or right else planes


def _integer(high: int, generator: torch.Generator) -> int:
    return int(torch.randint(high, (), generator=generator))


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
