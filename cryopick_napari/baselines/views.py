"""Patches of a field, and the weak and strong views of them that FixMatch compares."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 0.05  # largest shift of a view, in sides of a patch: farther off, another place is meant
CONTRAST, BRIGHTNESS, NOISE = 0.5, 0.4, 0.8  # largest changes of a strong view, in units of the field's noise
HOLE = 0.4  # largest side of what is cut out of a strong view, in sides of a patch


def cut(image: Tensor, yx: Tensor, size: int) -> Tensor:
    """Cut square patches out of a field.

    Parameters
    ----------
    image : (h, w) tensor
        Beyond its edges is 0, the grey value of empty ice.
    yx : (n, 2) int tensor
        Their middles, px.
    size : int
        Their side, odd, so that turning keeps the middle.

    Returns
    -------
    (n, 1, size, size) tensor
    """
    padded = F.pad(image, (size // 2,) * 4)
    offsets = torch.arange(size, device=image.device)
    rows = yx[:, :1, None].to(image.device) + offsets[:, None]
    columns = yx[:, 1:, None].to(image.device) + offsets
    return padded[rows, columns][:, None]


def shifted(yx: Tensor, shape: torch.Size, size: int, generator: torch.Generator) -> Tensor:
    """Move positions (n, 2) at random by up to a twentieth of a patch each way, to pixels of a field."""
    shift = (2 * torch.rand(yx.shape, generator=generator) - 1) * SHIFT * size
    return torch.minimum((yx + shift).round().long().clamp(min=0), torch.tensor(shape) - 1)


def weak(patches: Tensor, generator: torch.Generator) -> Tensor:
    """Turn and mirror patches (n, 1, s, s), each at random."""
    turned = torch.stack([patches.rot90(turns, (2, 3)) for turns in range(4)])
    choice = torch.randint(4, (len(patches),), generator=generator).to(patches.device)
    patches = turned[choice, torch.arange(len(patches), device=patches.device)]
    mirror = torch.rand(len(patches), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirror.to(patches.device), patches.flip(3), patches)


def strong(patches: Tensor, generator: torch.Generator) -> Tensor:
    """Turn and mirror patches (n, 1, s, s), change their contrast and brightness, add noise, cut holes.

    What colour, sharpness and cutout are for photographs (RandAugment), for a picture that is grey
    and mostly noise.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(len(patches), 1, *shape, generator=generator).to(patches.device)

    contrast = (1 + CONTRAST) ** (2 * uniform(1, 1) - 1)
    shift = BRIGHTNESS * (2 * uniform(1, 1) - 1)
    grain = torch.randn(patches.shape, generator=generator).to(patches.device)
    noisy = weak(patches, generator) * contrast + shift + NOISE * uniform(1, 1) * grain
    side = patches.shape[-1]
    places = torch.arange(side, device=patches.device)
    middle, reach = uniform(2, 1, 1) * side, HOLE / 2 * side * uniform(1, 1, 1)
    rows = (places[:, None] - middle[:, :, 0]).abs() < reach[:, :, 0]
    columns = (places - middle[:, :, 1]).abs() < reach[:, :, 0]
    return noisy.masked_fill(rows & columns, 0.0)
