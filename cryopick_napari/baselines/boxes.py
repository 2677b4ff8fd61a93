"""Between particles and the boxes of a detector: crops, tiles, and the way back to picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.peaks import spaced
from cryopick_napari.picks import Picks

SPLAT = 0.25  # sigma of a detection in the map, in diameters


@dataclass(frozen=True)
class Tile:
    """A square of a field.

    Attributes
    ----------
    corner : (int, int)
        First row and column.
    low, high : (float, float)
        Detections count from these rows and columns on, and below those; px of the field.
    """

    corner: tuple[int, int]
    low: tuple[float, float]
    high: tuple[float, float]


# A tile, centres (n, 2) in px of it, scores (n,)
Found = tuple[Tile, NDArray[np.float32], NDArray[np.float32]]


def boxes_of(yx: Tensor, diameter: float, size: int) -> Tensor:
    """Make the boxes of particles in a square crop.

    Parameters
    ----------
    yx : (n, 2) tensor
        Centres in px of the crop, pixel centres at integers.
    diameter : float
        Side of a box, px.
    size : int
        Side of the crop, px.

    Returns
    -------
    (n, 4) float32 tensor
        Centre column, centre row, width, height, as fractions of the crop. A box may reach beyond it.
    """
    centres = (yx.flip(1) + 0.5) / size
    return torch.cat([centres, torch.full_like(centres, diameter / size)], dim=1).float()


def centres_of(boxes: Tensor, size: int) -> Tensor:
    """Take the centres (n, 2), px of the crop, out of boxes (n, 4): the reverse of `boxes_of`."""
    return boxes[:, :2].flip(1) * size - 0.5


def turned(image: Tensor, yx: Tensor, turns: int, mirror: bool) -> tuple[Tensor, Tensor]:
    """Turn a square image (s, s) by quarters, then mirror its columns; positions (n, 2) go along."""
    last = image.shape[-1] - 1
    image = image.rot90(turns, (0, 1))
    for _ in range(turns % 4):
        yx = torch.stack([last - yx[:, 1], yx[:, 0]], dim=1)
    if mirror:
        image, yx = image.flip(1), torch.stack([yx[:, 0], last - yx[:, 1]], dim=1)
    return image, yx


def tiles(shape: tuple[int, int], size: int, margin: int) -> list[Tile]:
    """Cover a field with square tiles.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the field, each at least ``size``.
    size, margin : int
        Side of a tile, and how far from its edges detections count, px: beyond, particles are cut off.
        At the edges of the field all count.

    Returns
    -------
    list of Tile
        Each pixel of the field counts in exactly one of them.
    """
    rows, columns = (_spans(side, size, margin) for side in shape)
    return [Tile((y, x), (y0, x0), (y1, x1)) for y, y0, y1 in rows for x, x0, x1 in columns]


def _spans(side: int, size: int, margin: int) -> list[tuple[int, float, float]]:
    """Cut a line into starts of tiles, each with the stretch that counts."""
    count = 1 if side <= size else 1 + int(np.ceil((side - size) / (size - 2 * margin)))
    starts = np.rint(np.linspace(0, max(0, side - size), count)).astype(int)
    # Neighbours share the middle of where they overlap; half a pixel belongs to the pixel's own side.
    between = [(before + size + after) / 2 - 0.5 for before, after in pairwise(starts)]
    edges = [-0.5, *between, side - 0.5]
    return [(int(start), edges[i], edges[i + 1]) for i, start in enumerate(starts)]


def joined(found: Sequence[Found], apart: float) -> Picks:
    """Bring the detections of all tiles together.

    Parameters
    ----------
    found : sequence of (Tile, (n, 2) float32, (n,) float32)
    apart : float
        Of two picks nearer than this, px, the better one stays.

    Returns
    -------
    Picks
        In px of the field, best first.
    """
    picks = Picks.of([])
    for tile, yx, score in found:
        placed = yx + np.asarray(tile.corner, np.float32)
        counts = np.all((placed >= tile.low) & (placed < tile.high), axis=1)
        picks = picks.joined(Picks.of(placed, score).where(counts))
    picks = picks.where(np.argsort(-picks.score, kind="stable"))
    return picks.where(spaced(picks.yx.astype(np.float64), apart))


def splatted(picks: Picks, shape: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Draw picks into a map (h, w): each a Gaussian of a quarter diameter, as high as its score."""
    answer = np.zeros(shape, np.float32)
    sigma, reach = SPLAT * diameter, int(np.ceil(diameter))
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    pixels = np.rint(picks.yx).astype(int)[:, None] + offsets
    squared = ((pixels - picks.yx[:, None]) ** 2).sum(-1)
    heights = picks.score[:, None] * np.exp(-0.5 * squared / sigma**2)
    inside = np.all((pixels >= 0) & (pixels < shape), axis=-1)
    np.maximum.at(answer, tuple(pixels[inside].T), heights[inside].astype(np.float32))
    return answer
