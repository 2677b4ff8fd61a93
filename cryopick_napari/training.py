"""Training: one loop, read from top to bottom, as a generator of its own progress."""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_napari.checkpoint import Checkpoint
from cryopick_napari.choosing import calibrated, network_alone, settled, verdict
from cryopick_napari.config import TrainingConfig
from cryopick_napari.devices import resolve_device
from cryopick_napari.distribution import anyone, average_statistics, of_first, picker_of_first
from cryopick_napari.fields import Field, correlation, labelled_fields, target_and_weight
from cryopick_napari.first_look import first_look, with_template
from cryopick_napari.history import Row, row_of
from cryopick_napari.labels import Example
from cryopick_napari.optimiser import Optimiser
from cryopick_napari.patches import Canvas, batch
from cryopick_napari.picker import Picker, probability_map
from cryopick_napari.resume import Best, checkpoint_of, restore, subject_of
from cryopick_napari.validation import Validation, answers_of, validate

DEFAULTS = TrainingConfig()
WARM_UP = 0.08  # part of the training in which the learning rate rises
NEAR_LABEL = 0.5  # part of the crops that hold a labelled particle where most are unlabelled


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a training stands.

    Attributes
    ----------
    phase : str
        ``preparing``, ``training``, ``self-training`` or ``calibrating``.
    step, steps, epoch, epochs : int
        Done so far, and planned.
    loss : float
        Of the last step; after an epoch, its mean.
    learning_rate : float
    validation : Validation or None
        After each epoch, if labels are held out.
    picker : Picker or None
        After each epoch, and in the middle of the first: a copy in evaluation mode that training does
        not touch.
    checkpoint : Checkpoint or None
        After each whole epoch: what `train` needs to go on from here.
    message : str
        Something the user should know.
    round, rounds : int
        Of self-training: the present one, from 1, and how many are planned; 0 outside it.
    """

    phase: str
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float = math.nan
    learning_rate: float = 0.0
    validation: Validation | None = None
    picker: Picker | None = None
    checkpoint: Checkpoint | None = None
    message: str = ""
    round: int = 0
    rounds: int = 0


Job = Generator[Progress, bool | None, Picker]


def train(
    picker: Picker,
    examples: Sequence[Example],
    config: TrainingConfig = DEFAULTS,
    validation: Sequence[Example] = (),
    resume: Checkpoint | None = None,
) -> Job:
    """Train a picker on labelled micrographs.

    Parameters
    ----------
    picker : Picker
        Where to start from; it is never changed.
    examples : sequence of Example
        At least one, with at least one labelled particle among them.
    config : TrainingConfig, optional
    validation : sequence of Example
        Used to validate and to choose the threshold; without it, a part of each example's labels
        is held out.
    resume : Checkpoint, optional
        The last ``Progress.checkpoint`` of a training that was interrupted: the result is that of
        an uninterrupted one.

    Yields
    ------
    Progress
        After every step, and with more after every epoch. Send True to stop.

    Returns
    -------
    Picker
        The best on the held-out labels, with its threshold.

    Raises
    ------
    CryopickError
        If nothing is labelled, the checkpoint is of another training, or memory does not suffice.
    """
    yield Progress("preparing", epochs=config.initial_epochs)
    if not picker.config.depth:
        return first_look(examples, picker.config)
    picker = network_alone(picker)
    fields = labelled_fields(examples, validation, picker.config, config, resolve_device(config.device))
    return (yield from fit(picker, canvases_of(picker, fields, config), fields, config, resume))


def fit(
    picker: Picker,
    canvases: Sequence[Canvas],
    fields: Sequence[Field],
    config: TrainingConfig,
    resume: Checkpoint | None = None,
    by_heart: bool = False,
) -> Job:
    """Train a network alone on crops of the canvases, and validate on what is held out of the fields.

    See `train`, and `settled` for ``by_heart``.
    """
    subject = subject_of(picker.config, fields)
    known = correlation(fields) if config.neighbours else ()
    picker = picker.configured(pair_correlation=known)
    near_label = 0.0 if all(field.is_complete for field in fields) else NEAR_LABEL
    network = copy.deepcopy(picker.network).to(resolve_device(config.device))
    network = with_template(network, fields, picker.config)
    optimiser = Optimiser(network, config)
    best = Best(copy.deepcopy(network).eval())
    history: list[Row] = []
    start = 0 if resume is None else restore(resume, optimiser, best, history, config, subject)

    epoch_steps = max(1, round(config.epoch_crops / (config.batch_size * config.accumulation_steps)))
    steps = config.initial_epochs * epoch_steps
    plan = Progress("training", start * epoch_steps, steps, start, config.initial_epochs)
    stop = False
    for epoch in range(start, config.initial_epochs):
        if stop or (config.patience and epoch - best.epoch >= config.patience):
            break
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        losses: list[float] = []
        for step in range(epoch * epoch_steps, (epoch + 1) * epoch_steps):
            rate = config.learning_rate * schedule(step / plan.steps)
            count = config.batch_size * config.accumulation_steps
            crops = batch(canvases, count, config.patch_size, generator, near_label)
            losses.append(optimiser.step(crops, rate))
            plan = replace(
                plan, step=step + 1, epoch=epoch, loss=losses[-1], learning_rate=rate, validation=None
            )
            # On a slow computer the end of the first epoch is far away: a window shows this meanwhile.
            is_early = step + 1 == epoch_steps // 2
            early = replace(picker, network=copy.deepcopy(network).eval()) if is_early else None
            stop = anyone(bool((yield replace(plan, message=optimiser.news(), picker=early))))
            if stop:
                break
        average_statistics(network)
        snapshot = copy.deepcopy(network).eval()
        answers = answers_of(replace(picker, network=snapshot), fields, averaging=False)
        knows = picker.is_experienced
        found = of_first(validate(answers, picker.config, config.target_radius, is_experienced=knows))
        if found.quality >= best.quality:
            best.network, best.quality, best.epoch = snapshot, found.quality, epoch + 1
        shown = replace(picker, config=replace(picker.config, threshold=found.threshold), network=snapshot)
        plan = replace(plan, epoch=epoch + 1, loss=float(np.mean(losses)), validation=found)
        history.append(row_of(plan))
        # An epoch that was cut short is not resumed from: the result would be another one.
        saved = None if stop else checkpoint_of(epoch + 1, optimiser, best, history, config, subject)
        stop |= anyone(bool((yield replace(plan, picker=shown, checkpoint=saved))))
    yield replace(plan, phase="calibrating", validation=None)
    trained = calibrated(replace(picker, network=best.network), fields, config)
    if config.first_look:
        trained = settled(trained, fields, config, by_heart)
    trained = picker_of_first(trained)
    if config.first_look and (said := verdict(trained.training)):
        yield replace(plan, phase="calibrating", validation=None, message=said)
    return trained


def schedule(done: float) -> float:
    """Learning rate as a fraction of its peak: a short linear rise, then a cosine to 0.

    Parameters
    ----------
    done : float
        Part of the training that is over, 0 to 1.
    """
    return min(1.0, (done + 1e-3) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))


def canvases_of(picker: Picker, fields: Sequence[Field], config: TrainingConfig) -> list[Canvas]:
    """Lay out the fields that a picker learns something from.

    An experienced one teaches itself the unlabelled ground of a field: not everything there is background.
    """
    taught = [field for field in fields if field.learned.any()]
    if not picker.is_experienced:
        return [canvas(field, config.target_radius) for field in taught]
    network = copy.deepcopy(picker.network).to(fields[0].scaled.image.device)
    network = with_template(network, fields, picker.config)

    def belief(field: Field) -> NDArray[np.float32] | None:
        if field.is_complete:
            return None
        return probability_map(network, field.scaled.image, picker.config.averaging, field.scaled.valid)

    return [canvas(field, config.target_radius, belief(field)) for field in taught]


def canvas(field: Field, target_radius: float, belief: NDArray[np.float32] | None = None) -> Canvas:
    """Lay out what crops are cut from; see `target_and_weight`."""
    target, weight = target_and_weight(field, target_radius, field.learned, belief)
    image = field.scaled.image
    planes = torch.stack([image, target.to(image.device), weight.to(image.device)])
    return Canvas(planes, torch.from_numpy(field.taught))


def completed(job: Job) -> Picker:
    """Run a job to its end and return its picker."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            picker: Picker = end.value
            return picker
