"""Which places of labelled fields a patch classifier learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cryopick_napari.baselines.views import cut, shifted
from cryopick_napari.fields import Field, inside
from cryopick_napari.metrics import discs

BACKGROUND, PARTICLE = 0, 1
Part = Literal["learned", "tested"]


@dataclass(frozen=True, eq=False)
class Kinds:
    """Where patches of one field may lie, px: (n, 2) tensors.

    Attributes
    ----------
    image : (h, w) tensor
    particles, background : (n, 2) tensor
        Labelled ones.
    anywhere : (n, 2) tensor
        Whatever is there.
    """

    image: Tensor
    particles: Tensor
    background: Tensor
    anywhere: Tensor


def kinds_of(fields: Sequence[Field], part: Part) -> list[Kinds]:
    """List the places of every field that has particles and background on a part of its ground."""
    kinds = [_kinds(field, part) for field in fields]
    return [places for places in kinds if len(places.particles) and len(places.background)]


def _kinds(field: Field, part: Part) -> Kinds:
    """Tell particles and background apart.

    Background is farther than a radius from every particle. Where only some particles are
    labelled it is farther than a diameter from those: most of that is background, some is not.
    """
    ground = field.learned if part == "learned" else field.tested
    shape = (ground.shape[0], ground.shape[1])
    near = discs(shape, field.positives, (0.5 if field.is_complete else 1.0) * field.diameter)
    free = ground & ~near & (field.complete if field.is_complete else True)
    particles = field.positives[inside(field.positives, ground)]
    positions = (particles, np.argwhere(free), np.argwhere(ground))
    return Kinds(field.scaled.image, *(torch.from_numpy(np.asarray(yx, np.float32)) for yx in positions))


def labelled_patches(
    kinds: Sequence[Kinds], count: int, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut patches at labelled places, a little beside them.

    Returns
    -------
    patches : (count, 1, size, size) tensor
    classes : (count,) int tensor
        Half of them `PARTICLE`, half `BACKGROUND`.
    """
    half = count // 2
    particles = _cut([(places.image, places.particles) for places in kinds], half, size, generator)
    background = _cut([(places.image, places.background) for places in kinds], half, size, generator)
    classes = torch.tensor([PARTICLE, BACKGROUND]).repeat_interleave(half)
    return torch.cat([particles, background]), classes.to(particles.device)


def unlabelled_patches(kinds: Sequence[Kinds], count: int, size: int, generator: torch.Generator) -> Tensor:
    """Cut patches (count, 1, size, size) anywhere."""
    return _cut([(places.image, places.anywhere) for places in kinds], count, size, generator)


def _cut(
    sources: Sequence[tuple[Tensor, Tensor]], count: int, size: int, generator: torch.Generator
) -> Tensor:
    """Cut patches at random places of random fields."""
    which = torch.randint(len(sources), (count,), generator=generator)
    parts = []
    for number, (image, places) in enumerate(sources):
        chosen = torch.randint(len(places), (int((which == number).sum()),), generator=generator)
        parts.append(cut(image, shifted(places[chosen], image.shape, size, generator), size))
    return torch.cat(parts)
