"""A patch classifier moved over a whole field."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cryopick_napari.baselines.views import cut

AT_ONCE = 512  # patches


def patch_side(diameter: float, diameters: float) -> int:
    """Side of a patch of about so many diameters, px: odd, so that a pixel is in its middle."""
    return 2 * round((diameters * diameter - 1) / 2) + 1


def slide(image: Tensor, size: int, step: int, classify: Callable[[Tensor], Tensor]) -> Tensor:
    """Classify patches around the nodes of a grid, and fill in the pixels between.

    Parameters
    ----------
    image : (h, w) tensor
    size, step : int
        Side of a patch, and distance of the nodes, px. Node (0, 0) is pixel (0, 0).
    classify : callable
        Takes patches (n, 1, size, size), returns probabilities (n,).

    Returns
    -------
    (h, w) tensor
        In [0, 1]; exact at the nodes, cubic between.
    """
    height, width = image.shape
    rows, columns = (math.ceil((side - 1) / step) + 1 for side in (height, width))
    wide = F.pad(image, (0, (columns - 1) * step + 1 - width, 0, (rows - 1) * step + 1 - height))
    nodes = torch.cartesian_prod(torch.arange(rows) * step, torch.arange(columns) * step)
    answers = [classify(cut(wide, part, size)) for part in torch.split(nodes, AT_ONCE)]
    grid = torch.cat(answers).view(1, 1, rows, columns)
    filled = F.interpolate(grid, wide.shape, mode="bicubic", align_corners=True)
    return filled[0, 0, :height, :width].clamp(0, 1)
