"""DETR as a method: crops to learn from, tiles to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cryopick_napari.baselines.boxes import Found, boxes_of, centres_of, joined, splatted, tiles, turned
from cryopick_napari.baselines.descent import fit
from cryopick_napari.baselines.detr import SIZES, DetrSize, grid_loss, make_detr, with_places
from cryopick_napari.baselines.method import Budget, Fit
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.fields import Field, inside
from cryopick_napari.labels import Example
from cryopick_napari.patches import noisy
from cryopick_napari.peaks import LEAST_SCORE
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled

SIDE = 2.4  # of a crop, in diameters: the few particles in it are learned soonest
CELL = 8  # sides of crops are multiples of this, network px
BATCH = 16  # crops a step
DECAY = 1e-4  # weight decay of AdamW, as in the paper
GRID_WEIGHT = 3.0  # of the loss of the ResNet's cells
NEAR_PARTICLE = 0.5  # part of the crops that are made to hold a particle
HELD = 32  # held-out crops that a network is measured on
AT_ONCE = 64  # tiles


@dataclass(frozen=True, eq=False)
class Ground:
    """A field to cut crops from: the image (h, w), 0 off the ground, and the particles (n, 2) on it."""

    image: Tensor
    yx: Tensor


def grounds(fields: Sequence[Field], part: str, size: int) -> list[Ground]:
    """Lay out the ``learned`` or the ``tested`` part of every field that has one, at least a crop large."""
    laid = []
    for field in fields:
        ground = getattr(field, part)
        yx = field.positives[inside(field.positives, ground)]
        if len(yx):
            image = field.scaled.image * torch.from_numpy(ground).to(field.scaled.image.device)
            laid.append(Ground(large_enough(image, size), torch.from_numpy(yx)))
    return laid


def large_enough(image: Tensor, size: int) -> Tensor:
    """Pad a small field (h, w) to one crop."""
    down, right = (max(0, size - side) for side in image.shape)
    return F.pad(image, (0, right, 0, down))


class DetrTask:
    """What a DETR descends on, and what it sees.

    Parameters
    ----------
    fields : sequence of Field
    size : DetrSize
    seed : int
        Of the weights and of every random choice.
    """

    def __init__(self, fields: Sequence[Field], size: DetrSize, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.size, self.diameter = size, fields[0].diameter
        self.side = CELL * max(2, round(SIDE * self.diameter / CELL))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = {"detr": make_detr(size), "grid": nn.Conv2d(size.widths[-1], 3, 1)}
        self.network = nn.ModuleDict(parts).to(fields[0].scaled.image.device)
        self.features = torch.empty(0)
        self._detr.model.backbone.register_forward_hook(self._keep)
        self.learned = grounds(fields, "learned", self.side)
        held = grounds(fields, "tested", self.side)
        self.held = self._crops(held, HELD) if held else None

    @property
    def _detr(self) -> Any:
        return self.network["detr"]

    def _keep(self, _module: nn.Module, _given: object, answer: list[tuple[Tensor, Tensor]]) -> None:
        """Keep what the ResNet answers, for the loss of its cells."""
        self.features = answer[-1][0]

    def optimiser(self) -> torch.optim.Optimizer:
        """Make AdamW, one rate for all: the ResNet learns from nothing, too."""
        return torch.optim.AdamW(self.network.parameters(), self.size.rate, weight_decay=DECAY)

    def loss(self) -> Tensor:
        """Compute the loss of the next batch: the paper's, and that of the ResNet's cells."""
        crops, boxes = self._crops(self.learned, BATCH)
        matched = self._matched_loss(noisy(crops, self.generator), boxes)
        return matched + GRID_WEIGHT * grid_loss(self.network["grid"](self.features), boxes)

    @torch.no_grad()
    def quality(self) -> float:
        """Measure minus the paper's loss on held-out crops."""
        return 0.0 if self.held is None else -float(self._matched_loss(*self.held))

    @torch.no_grad()
    def see(self, scaled: Scaled, apart: float) -> tuple[NDArray[np.float32], Picks]:
        """Look at a field tile by tile; the map is drawn from the picks."""
        shape = (scaled.image.shape[0], scaled.image.shape[1])
        image = large_enough(scaled.image, self.side)
        places = tiles((image.shape[0], image.shape[1]), self.side, round(self.diameter / 2))
        found: list[Found] = []
        for start in range(0, len(places), AT_ONCE):
            part = places[start : start + AT_ONCE]
            crops = torch.stack([self._crop(image, tile.corner) for tile in part])[:, None]
            answer = self._detr(with_places(crops, self.size.magnified))
            scores = answer.logits.softmax(2)[:, :, 0].cpu().numpy()
            found += [
                (tile, centres_of(boxes, self.side).cpu().numpy(), score)
                for tile, boxes, score in zip(part, answer.pred_boxes, scores, strict=True)
            ]
        picks = joined(found, apart).above(LEAST_SCORE).within(shape)
        picks = picks.where(inside(picks.yx, scaled.valid.cpu().numpy()))
        return splatted(picks, shape, scaled.diameter), picks

    def _crop(self, image: Tensor, corner: tuple[int, int]) -> Tensor:
        return image[corner[0] : corner[0] + self.side, corner[1] : corner[1] + self.side]

    def _matched_loss(self, crops: Tensor, boxes: list[Tensor]) -> Tensor:
        """Match answers and particles one to one, and compare (the library's own code)."""
        labels = [{"class_labels": box.new_zeros(len(box), dtype=torch.long), "boxes": box} for box in boxes]
        loss: Tensor = self._detr(with_places(crops, self.size.magnified), labels=labels).loss
        return loss

    def _crops(self, sources: Sequence[Ground], count: int) -> tuple[Tensor, list[Tensor]]:
        """Cut crops (count, 1, s, s) out of random fields, turned at random; and their boxes."""
        crops, boxes = [], []
        for number in range(count):
            source = sources[self._integer(len(sources))]
            top, left = self._corner(source, near_particle=number < NEAR_PARTICLE * count)
            yx = source.yx - torch.tensor([top, left])
            here = yx[((yx >= -0.5) & (yx < self.side - 0.5)).all(1)]
            crop, here = turned(
                self._crop(source.image, (top, left)), here, self._integer(4), bool(self._integer(2))
            )
            crops.append(crop)
            boxes.append(boxes_of(here, self.diameter, self.side).to(crop.device))
        return torch.stack(crops)[:, None], boxes

    def _corner(self, source: Ground, near_particle: bool) -> tuple[int, int]:
        """Choose where a crop begins: anywhere, or around a random particle."""
        place = torch.rand(2, generator=self.generator)
        room = torch.tensor(source.image.shape) - self.side
        corner = (place * (room + 1)).long()
        if near_particle:
            corner = (source.yx[self._integer(len(source.yx))] - place * self.side).round().long()
        top, left = torch.minimum(corner.clamp(min=0), room).tolist()
        return top, left

    def _integer(self, high: int) -> int:
        return int(torch.randint(high, (), generator=self.generator))


@dataclass(frozen=True)
class Detr:
    """DETR as a method; the picker's settings say scale and polarity."""

    config: PickerConfig
    training: TrainingConfig
    preset: str = "small"

    def fit(self, examples: Sequence[Example], budget: Budget) -> Fit:
        """Learn; send True to stop, and the best so far is returned."""
        size, seed = SIZES[self.preset], self.training.seed
        return fit(lambda fields: DetrTask(fields, size, seed), self.config, self.training, examples, budget)
