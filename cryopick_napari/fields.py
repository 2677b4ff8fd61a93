"""Labelled micrographs at the network's scale: what is learned from, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import ReferenceType, ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Example, areas_mask
from cryopick_napari.masks import full_size
from cryopick_napari.metrics import discs
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.neighbours import pair_correlation
from cryopick_napari.rescale import Scaled, seen
from cryopick_napari.template import is_faint, mean_profile, radial_profile

Mask = NDArray[np.bool_]
LABEL_WEIGHT = 5.0  # of a pixel that a person labelled, beside one of which a network only believes something


@dataclass(frozen=True, eq=False)
class Field:
    """An example at the network's scale; positions and masks in its pixels.

    Attributes
    ----------
    source : weak reference to a Micrograph
        A field does not keep its micrograph in memory.
    scaled : Scaled
        With bright particles.
    positives, negatives : (n, 2) float32
    complete : (h, w) bool
        Where every particle is labelled.
    usable : (h, w) bool
        Neither dead nor excluded, and not contaminated where nobody has said what is there.
    held : (h, w) bool
        Kept from training, for validation and the threshold.
    """

    source: ReferenceType[Micrograph]
    scaled: Scaled
    positives: NDArray[np.float32]
    negatives: NDArray[np.float32]
    complete: Mask
    usable: Mask
    held: Mask

    @property
    def diameter(self) -> float:
        """Of a particle, network px."""
        return self.scaled.diameter

    @property
    def learned(self) -> Mask:
        """Ground that training may use."""
        return self.usable & ~self.held

    @property
    def taught(self) -> NDArray[np.float32]:
        """Labelled particles (n, 2) that training may use."""
        return self.positives[inside(self.positives, self.learned)]

    @property
    def tested(self) -> Mask:
        """Ground that validation may use."""
        return self.usable & self.held

    @property
    def is_complete(self) -> bool:
        """Whether the labels say anything about where no particle is."""
        return bool(self.complete.any())


def prepare(example: Example, config: PickerConfig, device: str | torch.device = "cpu") -> Field:
    """Bring an example to the network's scale and the network's polarity.

    What a person labelled as a particle is no contamination. What a person said is none, on contaminated
    ground too, is worth learning.
    """
    labels = example.labels
    scaled = seen(example.micrograph, config, device)
    shape = (scaled.image.shape[0], scaled.image.shape[1])
    positives, negatives = (scaled.from_source(picks.yx) for picks in (labels.positives, labels.negatives))
    scaled = scaled.sparing(discs(shape, positives, scaled.diameter))
    complete, excluded = (
        areas_mask(areas, shape, scaled.ratio) for areas in (labels.complete, labels.excluded)
    )
    told = complete | discs(shape, negatives, scaled.diameter / 2)
    live, valid = scaled.live.cpu().numpy(), scaled.valid.cpu().numpy()
    usable = live & ~excluded & (valid | told)
    unheld = np.zeros(shape, bool)
    return Field(ref(example.micrograph), scaled, positives, negatives, complete, usable, unheld)


def labelled_fields(
    examples: Sequence[Example],
    validation: Sequence[Example],
    picker: PickerConfig,
    config: TrainingConfig,
    device: str | torch.device = "cpu",
) -> list[Field]:
    """Bring examples to the network's scale and keep some labels out.

    Without examples for ``validation``, a part of each example's labels is held out; the same seed
    holds out the same ones.

    Raises
    ------
    CryopickError
        If nothing is labelled on usable ground.
    """
    rng = np.random.default_rng(config.seed)
    fields = [prepare(example, picker, device) for example in examples]
    if not any(inside(field.positives, field.usable).any() for field in fields):
        raise CryopickError(
            "nothing to learn from: label at least one particle on a live part of a micrograph"
        )
    if validation:
        return fields + [hold_out_all(prepare(example, picker, device)) for example in validation]
    return [hold_out(field, config.held_out, rng) for field in fields]


def at_scale(field: Field, micrograph: Micrograph, config: PickerConfig) -> Field:
    """Bring a field to the scale of another configuration: labels, and what is held out, stay the same.

    Parameters
    ----------
    field : Field
    micrograph : Micrograph
        Its source.
    config : PickerConfig

    Returns
    -------
    Field
    """
    scaled = seen(micrograph, config, field.scaled.image.device)
    shape = (scaled.image.shape[0], scaled.image.shape[1])
    positives, negatives = (
        scaled.from_source(field.scaled.to_source(yx)) for yx in (field.positives, field.negatives)
    )
    ratio = (field.scaled.ratio[0] / scaled.ratio[0], field.scaled.ratio[1] / scaled.ratio[1])
    complete, usable, held = (
        full_size(mask, ratio, shape) for mask in (field.complete, field.usable, field.held)
    )
    scaled = scaled.sparing(discs(shape, positives, scaled.diameter))
    usable = usable & scaled.live.cpu().numpy()
    return Field(field.source, scaled, positives, negatives, complete, usable, held)


def hold_out(field: Field, part: float, rng: np.random.Generator) -> Field:
    """Keep a part of the labels from training.

    Parameters
    ----------
    field : Field
        Nothing is held out where it has fewer than two particles.
    part : float
        Between 0 and 1. A fully labelled area gives a band across it; clicks give single
        clicks with their surroundings.
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Field
    """
    held = _band(field, part, rng) if field.is_complete else _some_clicks(field, part, rng)
    return replace(field, held=held)


def hold_out_all(field: Field) -> Field:
    """Use a field for validation only."""
    return replace(field, held=np.ones_like(field.held))


def correlation(fields: Sequence[Field]) -> tuple[float, ...]:
    """Measure the pair correlation of labels of faint particles; others are told by themselves."""
    profiles = [radial_profile(field.scaled.image, field.positives, field.diameter) for field in fields]
    if not is_faint(mean_profile(np.sum(profiles, axis=0))):
        return ()
    return pair_correlation([(field.positives, field.diameter) for field in fields])


def inside(yx: NDArray[np.float32], mask: Mask) -> Mask:
    """Tell which positions (n, 2) lie on a true pixel."""
    rows, columns = np.clip(np.rint(yx).astype(int), 0, np.asarray(mask.shape) - 1).T
    on_it: Mask = mask[rows, columns]
    return on_it


def target_and_weight(
    field: Field, target_radius: float, ground: Mask, belief: NDArray[np.float32] | None = None
) -> tuple[Tensor, Tensor]:
    """Paint what the network should answer, and how much each pixel counts.

    Parameters
    ----------
    field : Field
        With its labels.
    target_radius : float
        Radius of the disc of a particle, in particle radii.
    ground : (h, w) bool
        The pixels that count at all.
    belief : (h, w) float32, optional
        What a network that has seen particles before makes of the field.

    Returns
    -------
    target, weight : (h, w) float32 tensors
        Where labels are complete, every pixel counts 1. Elsewhere the unlabelled pixels are taught what is
        believed of them, and what is labelled counts more. Without a belief they are taught as background,
        and all together count as much as the labelled discs: most of them are that, some are not.
    """
    radius = field.diameter / 2
    shape = (field.held.shape[0], field.held.shape[1])
    target = discs(shape, field.positives, target_radius * radius)
    known = field.complete | target | discs(shape, field.negatives, radius)
    unknown = ground & ~known
    if belief is not None:
        target = np.where(known, target, belief)
        weight = np.where(known & ~field.complete, LABEL_WEIGHT, 1.0) * ground
        return torch.from_numpy(target.astype(np.float32)), torch.from_numpy(weight.astype(np.float32))
    share = (ground & target).sum() / max(1, unknown.sum())
    weight = np.where(known, 1.0, min(1.0, share)) * ground
    return torch.from_numpy(target.astype(np.float32)), torch.from_numpy(weight.astype(np.float32))


def _band(field: Field, part: float, rng: np.random.Generator) -> Mask:
    """Mark a band across the fully labelled area, along a random axis, over a random particle."""
    held = np.zeros_like(field.held)
    known = field.positives[inside(field.positives, field.complete & field.usable)]
    if len(known) < 2:  # a band without a particle says nothing of the threshold; the only one is needed
        return held
    axis = int(rng.integers(2))
    lines = np.flatnonzero(field.complete.any(axis=1 - axis))
    width = max(1, round(part * len(lines)))
    on = int(np.searchsorted(lines, np.rint(known[rng.integers(len(known)), axis])))
    start = int(np.clip(on - rng.integers(width), 0, len(lines) - width))
    np.moveaxis(held, axis, 0)[lines[start : start + width]] = True
    return held


def _some_clicks(field: Field, part: float, rng: np.random.Generator) -> Mask:
    """Mark the surroundings of a random part of the clicks; something is left to learn from."""
    known = field.positives[inside(field.positives, field.usable)]
    chosen = rng.permutation(len(known))[: max(1, round(part * len(known))) if len(known) > 1 else 0]
    shape = (field.held.shape[0], field.held.shape[1])
    while len(chosen):
        around = discs(shape, known[chosen], field.diameter)
        if inside(known, ~around).any():
            return around
        chosen = chosen[:-1]  # all of them lie together
    return np.zeros_like(field.held)
