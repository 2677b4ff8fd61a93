"""What a training ends with: the network, the first look, or both together, as held-out labels decide."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field, at_scale, hold_out_all
from cryopick_napari.first_look import look_of
from cryopick_napari.picker import Picker, make_network
from cryopick_napari.picks import falling_scores
from cryopick_napari.rescale import network_diameter
from cryopick_napari.validation import TOLERANCE, Validation, answers_of, ranks, validate

FEWEST = 3  # held-out clicks; fewer are chance
# Part of its real rank that a network gives held-out clicks on the fields it learned from: other unlabelled
# particles were taught as background there, the surroundings of these were not. An experienced one gives as
# much of their rank to the very clicks that taught it.
OPTIMISM = 0.75
FINER = 1.2  # times as fine as the network sees is worth looking at once more
EVEN = 0.58  # standard deviation of evenly spread ranks, in their mean
Ranks = NDArray[np.float64]


def settled(
    trained: Picker, fields: Sequence[Field], config: TrainingConfig, by_heart: bool = False
) -> Picker:
    """Choose what picks best.

    The network alone if it is clearly better than the first look on held-out labels, the first look
    if it is clearly better; otherwise both together, which do better than either then.

    Parameters
    ----------
    trained : Picker
        With its network and threshold, and its figures on the same labels in its record.
    fields : sequence of Field
        What it learned from, and what was held out.
    config : TrainingConfig
    by_heart : bool
        Its labels were repeated so often that it knows them: only those held out say how good it is.

    Returns
    -------
    Picker
        Its record holds the figures of all that were compared, and which it is: its ``answer``.
    """
    if not any(field.tested.any() for field in fields):
        return trained
    is_complete = _tells_all(fields)
    closer, scale = _closer(trained, fields)
    try:
        first, look_ranks = _first_look(closer, replace(trained.config, network_diameter=scale), config)
    except CryopickError:  # there is too little for one
        return trained
    record = {
        **trained.training,
        "network": trained.training["validation"],
        "first_look": first.training["validation"],
    }
    if is_complete:
        gain = record["network"]["f1"] - record["first_look"]["f1"]
        winner = int(gain > TOLERANCE) - int(gain < -TOLERANCE)
    else:
        asked = held = _ranks(trained, fields) / (1.0 if trained.is_experienced else OPTIMISM)
        if trained.is_experienced and not by_heart:
            # One that is taught what it believes of the other ground learns few clicks by heart no more than
            # others its fields: it can be asked about them too, where too few are held out to say anything.
            asked = _ranks(trained, [hold_out_all(field) for field in fields]) / OPTIMISM
        winner = int(clearly_lower(asked, look_ranks)) or -int(clearly_lower(look_ranks, held))
        # Of particles too faint for a network alone, no few clicks can say that it does without: one that has
        # seen much else can be trusted to.
        is_faint = trained.config.filter_channel and not trained.is_experienced
        winner = min(winner, 0) if is_faint else winner
    is_unsure = trained.is_experienced and not is_complete  # of how many particles there are
    if winner > 0:
        if is_unsure:
            counts = pick_count(trained, fields), pick_count(first, closer)
            trained = calibrated(trained, fields, config, threshold=as_many(trained, fields, counts))
        figures = {"validation": trained.training["validation"], "answer": "network"}
        return replace(trained, training={**record, **figures})
    if winner < 0:
        figures = {"validation": record["first_look"], "answer": "first look"}
        return replace(first, training={**record, **figures})
    both = blended(trained, fields, first, closer)
    wanted = as_many(both, closer, [pick_count(first, closer)]) if is_unsure else None
    both = calibrated(both, closer, config, both.config.threshold, wanted)
    figures = {"validation": both.training["validation"], "answer": "network and first look"}
    return replace(both, training={**record, **figures})


def at_one_scale(
    picker: Picker, fields: Sequence[Field], start: PickerConfig, config: TrainingConfig
) -> Picker:
    """Give a picker that a training ended with a first look at the scale of the training's own fields.

    Parameters
    ----------
    picker : Picker
        Of `settled`.
    fields : sequence of Field
    start : PickerConfig
        What the training started with.
    config : TrainingConfig
    """
    if picker.config.seen_diameter == start.seen_diameter:
        return picker
    look, _ = _first_look(fields, start, config)
    if not picker.config.depth:
        return look
    alone = network_alone(picker).configured(threshold=picker.training["network"]["threshold"])
    return blended(alone, fields, look, fields)


def _closer(trained: Picker, fields: Sequence[Field]) -> tuple[Sequence[Field], float | None]:
    """Bring fields to the scale that suits a first look; also return the particle's diameter there, px.

    An experienced network is bound to the scale it knows, a first look is not.
    """
    config = trained.config
    micrographs = [micrograph for field in fields if (micrograph := field.source()) is not None]
    if not trained.is_experienced or config.network_diameter is None or len(micrographs) < len(fields):
        return fields, config.network_diameter
    diameter = config.diameter_at(micrographs[0].spacing)
    scale = min(diameter, network_diameter(diameter, micrographs[0].shape))
    if scale < FINER * config.network_diameter:
        return fields, config.network_diameter
    config = replace(config, network_diameter=scale)
    return [at_scale(*each, config) for each in zip(fields, micrographs, strict=True)], scale


def _first_look(
    fields: Sequence[Field], config: PickerConfig, training: TrainingConfig
) -> tuple[Picker, Ranks]:
    """Take a first look, with its threshold; also return how each labelled particle ranks in it.

    With clicks, it is asked about each by the average of the others: none is held out.
    """
    shown = (
        fields if _tells_all(fields) else [replace(field, held=np.zeros_like(field.held)) for field in fields]
    )
    look = look_of(shown, config)
    return calibrated(look.picker, fields, training, guess=look.picker.config.threshold), look.ranks


def _tells_all(fields: Sequence[Field]) -> bool:
    """Whether fully labelled ground is held out: precision can be read off then."""
    return any(field.is_complete and field.tested.any() for field in fields)


def _ranks(picker: Picker, fields: Sequence[Field]) -> Ranks:
    """Count the picks that score more than each held-out particle, as the network alone sees them."""
    return ranks(answers_of(picker, fields, averaging=False), picker.config.min_distance)


def pick_count(picker: Picker, fields: Sequence[Field]) -> int:
    """Count what a picker picks in fields, at its threshold."""
    return int((_scores(picker, fields) >= picker.config.threshold).sum())


def as_many(picker: Picker, fields: Sequence[Field], counts: Sequence[int]) -> float:
    """Find the threshold at which a picker picks as many particles as counted, in the geometric mean.

    How many there are, an experienced network tells by its probabilities, which few clicks upset; the first
    look by the scores of the very clicks, which is nearer the truth unless its scores mean little.
    """
    count = round(math.prod(counts) ** (1 / len(counts)))
    scores = _scores(picker, fields)
    if not 0 < count <= len(scores):
        return picker.config.threshold
    return float(scores[count - 1 : count + 1].mean())


def _scores(picker: Picker, fields: Sequence[Field]) -> NDArray[np.float32]:
    """List the scores of all picks of a picker, from the highest down."""
    return falling_scores([answer.picks(picker.config.min_distance) for answer in answers_of(picker, fields)])


def clearly_lower(these: Ranks, others: Ranks) -> bool:
    """Whether ranks of clicks among the picks (n,), 0 the best, are lower than others (m,), beyond chance.

    The means must differ by more than their standard error. Of equally good picks any may come first:
    ranks that differ less than evenly spread ones do so by chance.
    """
    if min(len(these), len(others)) < FEWEST:
        return False
    errors = [max(rank.std(ddof=1), EVEN * rank.mean()) ** 2 / len(rank) for rank in (these, others)]
    return bool(others.mean() - these.mean() > np.sqrt(sum(errors)))


@torch.inference_mode()
def blended(trained: Picker, fields: Sequence[Field], look: Picker, closer: Sequence[Field]) -> Picker:
    """Add the first look's logits to the network's, both as far spread, and 0 at their thresholds.

    So the threshold of the sum lies at 0, too: a score of a half.

    Parameters
    ----------
    trained : Picker
    fields : sequence of Field
        As the network sees them.
    look : Picker
    closer : sequence of Field
        The same as the first look sees them, which may be more finely.
    """
    spread = [
        _spread([one.network(field.scaled.image[None, None])[0, 0][field.scaled.valid] for field in seen])
        for one, seen in ((trained, fields), (look, closer))
    ]
    own, added = 0.5, 0.5 * spread[0] / spread[1]
    zero = torch.logit(torch.tensor(trained.config.threshold), eps=1e-6)
    _, steepness, constant = look.network.weights
    is_finer = look.config.network_diameter != trained.config.network_diameter
    config = replace(trained.config, blend=True, threshold=0.5)
    config = replace(config, look_diameter=look.config.network_diameter if is_finer else None)
    network = make_network(config).to(trained.device)
    state = {"kernel": look.network.kernel, "gain": look.network.gain}
    if is_finer:
        smaller = [network.smaller(field.scaled.image[None, None]) for field in closer]
        contrast = _spread([field.scaled.image for field in fields]) / _spread(smaller)
        state = {"finer": look.network.kernel, "contrast": contrast}
        steepness = steepness * look.network.gain
    weights = [torch.tensor(own, device=added.device), added * steepness, added * constant - own * zero]
    network.load_state_dict({**trained.network.state_dict(), **state, "weights": torch.stack(weights)})
    return replace(trained, config=config, network=network.eval())


def _spread(values: Sequence[Tensor]) -> Tensor:
    """Standard deviation of all values of several tensors together."""
    return torch.cat([some.flatten() for some in values]).float().std().clamp(min=1e-6)


def network_alone(picker: Picker) -> Picker:
    """Take the first look out of the answer again, to train on."""
    if not picker.config.blend:
        return picker
    config = replace(picker.config, blend=False, look_diameter=None)
    network = make_network(config).to(picker.device)
    state = picker.network.state_dict()
    template = {} if config.filter_channel else {name: getattr(network, name) for name in ("kernel", "gain")}
    network.load_state_dict({name: state[name] for name in network.state_dict()} | template)
    return replace(picker, config=config, network=network.eval())


def calibrated(
    picker: Picker,
    fields: Sequence[Field],
    config: TrainingConfig,
    guess: float | None = None,
    threshold: float | None = None,
) -> Picker:
    """Choose the threshold on the held-out labels, picking as the picker itself will; see `validate`."""
    answers, knows = answers_of(picker, fields), picker.is_experienced
    found = validate(answers, picker.config, config.target_radius, guess, knows, threshold)
    record = {**dataclasses.asdict(config), "validation": dataclasses.asdict(found)}
    return replace(picker, config=replace(picker.config, threshold=found.threshold), training=record)


def verdict(record: Mapping[str, Any]) -> str:
    """Say so if a training (its record) ended with the first look instead of a network; else nothing."""
    if record.get("answer") != "first look" or "network" not in record:
        return ""
    look, network = (Validation(**record[name]).in_words() for name in ("first_look", "network"))
    return (
        f"The first look, without any training, does better on held-out labels ({look}) than the trained "
        f"network ({network}): it is kept instead; label more particles and train again"
    )
