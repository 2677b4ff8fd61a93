"""The first look: picks by the matched filter of the average labelled particle, without any training.

It is there after three clicks, and the floor that a trained network has to beat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.blind import Profile, completed_profile, guessed_profile
from cryopick_napari.config import LEAST_CLICKS, PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field, correlation, hold_out_all, inside, prepare
from cryopick_napari.labels import Example
from cryopick_napari.metrics import STRICT
from cryopick_napari.mixture import best_cut, fit_mixture
from cryopick_napari.network import PickingNetwork
from cryopick_napari.peaks import find_peaks
from cryopick_napari.picker import Picker, make_network
from cryopick_napari.template import kernel_of, radial_profiles
from cryopick_napari.validation import answers_of, validate

MOST_CLICKS = 100  # that the threshold is chosen by; more take time and tell nothing new
TYPICAL = 4.0  # logit of the score of an average particle, 0.98; that of the threshold is 0


def first_look(examples: Sequence[Example], config: PickerConfig) -> Picker:
    """Make a picker of the labels' average particle; it takes a fraction of a second.

    Parameters
    ----------
    examples : sequence of Example
        With at least three labelled particles.
    config : PickerConfig
        Diameter, scale and polarity, such as `new_picker` finds.

    Returns
    -------
    Picker
        Of depth 0. Its threshold is the one of the highest F1 on fully labelled ground; where there is none,
        the one whose expected F1 is highest.

    Raises
    ------
    CryopickError
        If too little is labelled on usable ground.
    """
    fields = [prepare(example, config) for example in examples]
    config = replace(config, pair_correlation=correlation(fields))
    picker = look_of(fields, config).picker
    tested = [hold_out_all(field) for field in fields]
    answers = answers_of(picker, tested)
    found = validate(answers, config, 2 * STRICT, picker.config.threshold)
    record = {"validation": asdict(found), "answer": "first look"}
    return replace(picker, config=replace(picker.config, threshold=found.threshold), training=record)


@dataclass(frozen=True, eq=False)
class Look:
    """A first look, and how each labelled particle ranks in one at the others.

    Attributes
    ----------
    picker : Picker
    ranks : (n,) float64
        Picks of the same fields that score more than a particle does by the average of the others.
    """

    picker: Picker
    ranks: NDArray[np.float64]


def look_of(fields: Sequence[Field], config: PickerConfig) -> Look:
    """Make the first look of what training may use of fields, with the threshold that clicks suggest.

    Raises
    ------
    CryopickError
        If fewer than three particles are labelled there.
    """
    if sum(len(field.taught) for field in fields) < LEAST_CLICKS:
        raise CryopickError(f"a first look needs {LEAST_CLICKS} labelled particles on a live part of a field")
    config = replace(config, depth=0, gate="none", spatial_attention=False, averaging=False)
    config = replace(config, filter_channel=True, blend=False, threshold=0.5)
    network = with_template(make_network(config).to(fields[0].scaled.image.device), fields, config)
    maps = [network.filtered(field.scaled.image[None, None])[0, 0] for field in fields]
    scores = np.concatenate(
        [_peaks(response, field, config.min_distance) for response, field in zip(maps, fields, strict=True)]
    )
    known = np.concatenate(unbiased(fields, config, len(network.kernel))) * float(network.gain)
    mixture = fit_mixture(scores, known)
    threshold = best_cut(mixture, scores)
    steepness = TYPICAL / max(mixture.mean - threshold, mixture.spread / 2)
    network.weights.copy_(torch.tensor([0.0, steepness, -steepness * threshold]))
    ranks = (scores[None] > known[:, None]).sum(axis=1).astype(np.float64)
    return Look(Picker(config, network.eval()), ranks)


def with_template(network: PickingNetwork, fields: Sequence[Field], config: PickerConfig) -> PickingNetwork:
    """Give a new network's filter the average particle of the labels that training may use.

    Where they are few, or none, the particle that the fields themselves suggest makes up for them.
    """
    if not network.kernel.numel() or network.kernel.any():
        return network
    kernel = Average.of(fields, config).kernel(len(network.kernel))
    network.take_template(kernel, fields[0].scaled.image)
    return network


@dataclass(frozen=True, eq=False)
class Average:
    """The average of labelled particles.

    Attributes
    ----------
    each : (n, 2, 32) float64
        The particles, as `radial_profiles` sums them.
    guess : (32,) float64 or None
        What the fields suggest; None where the labels say enough.
    diameter : float
        Network px.
    """

    each: Profile
    guess: Profile | None
    diameter: float

    @classmethod
    def of(cls, fields: Sequence[Field], config: PickerConfig) -> Average:
        """Average what training may use of some fields."""
        each = np.concatenate(
            [radial_profiles(field.scaled.image, field.taught, field.diameter) for field in fields]
        )
        there = [micrograph for field in fields if (micrograph := field.source()) is not None]
        guess = guessed_profile(there, config) if there and len(each) <= MOST_CLICKS else None
        # The network's template was measured for the intended diameter: the real one differs a little.
        return cls(each, guess, fields[0].diameter)

    def kernel(self, side: int, without: int | None = None) -> Tensor:
        """Draw it, with an odd side in px, and one of the particles left out."""
        sums = self.sums if without is None else self.sums - self.each[without]
        if self.guess is None:
            profile = sums[0] / np.maximum(sums[1], 1)
        elif not sums[1].any():
            profile = self.guess
        else:
            profile = completed_profile(sums, self.variance, self.guess)
        return kernel_of(torch.from_numpy(profile).float(), self.diameter, side)

    @cached_property
    def sums(self) -> Profile:
        """All particles together (2, 32)."""
        total: Profile = self.each.sum(axis=0)
        return total

    @cached_property
    def variance(self) -> float:
        """Variance of a pixel of a particle, estimated by how much the particles' rings differ."""
        pixels = self.each[:, 1]
        mean = self.sums[0] / np.maximum(self.sums[1], 1)
        rings = pixels * (self.each[:, 0] / np.maximum(pixels, 1) - mean) ** 2
        return float(rings.sum()) / (len(mean) * max(1, len(self.each) - 1))


def _peaks(response: Tensor, field: Field, min_distance: float) -> NDArray[np.float32]:
    """Find the filter's response at all its peaks where picks may lie."""
    peaks = find_peaks(response.cpu().numpy(), min_distance * field.diameter, -math.inf)
    ground = field.usable & field.scaled.valid.cpu().numpy()
    scores: NDArray[np.float32] = peaks.where(inside(peaks.yx, ground)).score
    return scores


def unbiased(fields: Sequence[Field], config: PickerConfig, side: int) -> list[NDArray[np.float64]]:
    """Find the response at each labelled particle to the average of the others.

    A particle agrees with an average that it is part of, in its noise too.
    """
    average = Average.of(fields, config)
    every = max(1, math.ceil(len(average.each) / MOST_CLICKS))
    first, found = 0, []
    for field in fields:
        places = list(enumerate(field.taught, first))[::every]
        found.append(
            np.array([_response(field, place, average.kernel(side, number)) for number, place in places])
        )
        first += len(field.taught)
    return found


def _response(field: Field, place: NDArray[np.float32], kernel: Tensor) -> float:
    """Highest response to a template within half a radius of a place."""
    reach = max(1, round(STRICT * field.diameter))
    margin = len(kernel) // 2 + reach
    image = field.scaled.image.cpu()
    row, column = np.clip(np.rint(place).astype(int), 0, np.asarray(image.shape) - 1)
    rows = _reflected(np.arange(row - margin, row + margin + 1), image.shape[0])
    columns = _reflected(np.arange(column - margin, column + margin + 1), image.shape[1])
    window = image[rows][:, columns]
    response = F.conv2d(window[None, None], kernel.cpu()[None, None])[0, 0]
    axis = torch.arange(-reach, reach + 1)
    near = torch.hypot(axis[:, None].float(), axis[None].float()) <= reach
    return float(response[near].max())


def _reflected(index: NDArray[np.intp], size: int) -> Tensor:
    """Mirror indices beyond an edge back into the image, as the filter does."""
    folded = np.abs(index)
    folded = np.where(folded >= size, 2 * (size - 1) - folded, folded)
    return torch.from_numpy(np.clip(folded, 0, size - 1))
