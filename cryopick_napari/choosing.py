"""What a training ends with: the network, the first look, or both together, as held-out labels decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from cryopick_napari.config import TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field
from cryopick_napari.first_look import look_of
from cryopick_napari.picker import Picker, make_network
from cryopick_napari.validation import TOLERANCE, Answer, Validation, answers_of, ranks, validate

FEWEST = 3  # held-out clicks; fewer are chance
LEAST_SPREAD = 0.8  # of two ranks' difference, in mean ranks: that of two models that are equally good


def settled(trained: Picker, fields: Sequence[Field], config: TrainingConfig) -> tuple[Picker, str]:
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

    Returns
    -------
    Picker
        Its record holds the figures of all that were compared.
    str
        What the user should know; empty if the network is part of the answer.
    """
    try:
        look = look_of(fields, trained.config)
    except CryopickError:  # there is too little for one
        return trained, ""
    look = calibrated(look, fields, config, guess=look.config.threshold)
    record = {
        **trained.training,
        "network": trained.training["validation"],
        "first_look": look.training["validation"],
    }
    apart = trained.config.min_distance
    ours, theirs = (answers_of(picker, fields, averaging=False) for picker in (trained, look))
    if not ours or clearly_better(ours, theirs, apart):
        return replace(trained, training={**record, "answer": "network"}), ""
    if clearly_better(theirs, ours, apart):
        figures = {"validation": record["first_look"], "answer": "first look"}
        return replace(look, training={**record, **figures}), _verdict(record)
    both = blended(trained, look, fields)
    both = calibrated(both, fields, config, guess=both.config.threshold)
    figures = {"validation": both.training["validation"], "answer": "network and first look"}
    return replace(both, training={**record, **figures}), ""


def clearly_better(these: Sequence[Answer], others: Sequence[Answer], min_distance: float) -> bool:
    """Whether answers are better than others on the same held-out labels, beyond what may be chance.

    On fully labelled ground F1 decides. Of clicks, each has a rank among the picks: the ranks must be
    lower by more than the standard error of their mean difference.

    Parameters
    ----------
    these, others : sequence of Answer
        Of the same fields.
    min_distance : float
        Least distance between picks, in diameters.
    """
    if any(answer.field.is_complete for answer in these):
        f1 = (validate(answers, min_distance, 1.0).f1 for answers in (these, others))
        return next(f1) > next(f1) + TOLERANCE
    our, their = ranks(these, min_distance), ranks(others, min_distance)
    if len(our) < FEWEST:
        return False
    spread = max((their - our).std(ddof=1), LEAST_SPREAD * (our + their).mean() / 2)
    return bool((their - our).mean() > spread / np.sqrt(len(our)))


@torch.inference_mode()
def blended(trained: Picker, look: Picker, fields: Sequence[Field]) -> Picker:
    """Add the first look's logits to the network's, both as far spread, and 0 at their thresholds.

    So the threshold of the sum lies at 0, too: a score of a half.
    """
    spread = []
    for network in (trained.network, look.network):
        logits = [network(field.scaled.image[None, None])[0, 0][field.scaled.valid] for field in fields]
        spread.append(torch.cat(logits).float().std().clamp(min=1e-6))
    own, added = 0.5, 0.5 * spread[0] / spread[1]
    zero = torch.logit(torch.tensor(trained.config.threshold), eps=1e-6)
    _, steepness, constant = look.network.weights
    config = replace(trained.config, blend=True, threshold=0.5)
    network = make_network(config).to(trained.device)
    weights = torch.stack(
        [torch.tensor(own, device=added.device), added * steepness, added * constant - own * zero]
    )
    state = {"kernel": look.network.kernel, "gain": look.network.gain, "weights": weights}
    network.load_state_dict({**trained.network.state_dict(), **state})
    return Picker(config, network.eval(), trained.training)


def network_alone(picker: Picker) -> Picker:
    """Take the first look out of the answer again, to train on."""
    if not picker.config.blend:
        return picker
    config = replace(picker.config, blend=False)
    network = make_network(config).to(picker.device)
    state = picker.network.state_dict()
    template = {} if config.filter_channel else {name: getattr(network, name) for name in ("kernel", "gain")}
    network.load_state_dict({name: state[name] for name in network.state_dict()} | template)
    return Picker(config, network.eval(), picker.training)


def calibrated(
    picker: Picker, fields: Sequence[Field], config: TrainingConfig, guess: float | None = None
) -> Picker:
    """Choose the threshold on the held-out labels, picking as the picker itself will; see `validate`."""
    found = validate(answers_of(picker, fields), picker.config.min_distance, config.target_radius, guess)
    record = {**dataclasses.asdict(config), "validation": dataclasses.asdict(found)}
    return replace(picker, config=replace(picker.config, threshold=found.threshold), training=record)


def _verdict(record: dict[str, dict[str, float]]) -> str:
    look, network = (Validation(**record[name]).in_words() for name in ("first_look", "network"))  # type: ignore[arg-type]
    return (
        f"the first look, without any training, does better on held-out labels ({look}) than the trained "
        f"network ({network}): it is kept instead; label more particles and train again"
    )
