"""Gradient descent within a budget, and the choice of a threshold: what the baselines share."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryopick_napari.baselines.method import Budget, Clock, Curve, Fit, Learned, Seen, Stage
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.devices import resolve_device
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field, inside, labelled_fields
from cryopick_napari.labels import Example
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled, seen
from cryopick_napari.validation import Answer, validate

CHECKS = 12  # validations in a budget
CLIP = 1.0  # largest norm of the gradient
WARM_UP = 0.05  # part of the budget in which the learning rate rises


class Task(Protocol):
    """A network, what it descends on, how good it is, and what it sees."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def optimiser(self) -> torch.optim.Optimizer:
        """Make the optimiser, with its peak learning rates."""

    def loss(self) -> Tensor:
        """Compute the loss of the next batch."""

    def quality(self) -> float:
        """Measure the network on held-out labels; higher is better."""

    def see(self, scaled: Scaled, apart: float) -> tuple[NDArray[np.float32], Picks]:
        """Return a map (h, w) in [0, 1], and picks at least ``apart`` px from each other; px of the map."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """A task that is done: it picks."""

    config: PickerConfig
    task: Task
    threshold: float
    device: torch.device

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""
        return sum(weights.numel() for weights in self.task.network.parameters())

    def look(self, micrograph: Micrograph) -> Seen:
        """Look at a field."""
        scaled = seen(micrograph, self.config, self.device)
        probability, picks = self.task.see(scaled, self.config.min_distance * scaled.diameter)
        return Seen(scaled, probability, Picks(scaled.to_source(picks.yx), picks.score).within(scaled.shape))


@dataclass(frozen=True, eq=False)
class Detected(Answer):
    """An answer whose picks are not the peaks of its map."""

    detections: Picks

    def picks(self, min_distance: float) -> Picks:
        """Those on usable ground, px of the map."""
        return self.detections.where(inside(self.detections.yx, self.field.usable))


def fit(
    make: Callable[[Sequence[Field]], Task],
    config: PickerConfig,
    training: TrainingConfig,
    examples: Sequence[Example],
    budget: Budget,
) -> Fit:
    """Learn a task from labelled fields, of which the same labels are held out as for a U-Net."""
    yield Stage("preparing")
    device = resolve_device(training.device)
    fields = labelled_fields(examples, (), config, training, device)
    task = make(fields)
    course = yield from descend(task, budget)
    yield Stage("calibrating", course.seconds)
    fitted = Baseline(config, task, calibrated(task, fields, config), device)
    return Learned(fitted, course.curve, course.seconds)


def calibrated(task: Task, fields: Sequence[Field], config: PickerConfig) -> float:
    """Choose a threshold on held-out ground: networks this large know their training particles by heart.

    Returns
    -------
    float
        That of the best F1; a half where only some particles are labelled.
    """
    answers = []
    for field in fields:
        if field.is_complete and field.tested.any():
            probability, picks = task.see(field.scaled, config.min_distance * field.diameter)
            answers.append(Detected(replace(field, usable=field.tested), probability, picks))
    return validate(answers, config, 0.5).threshold if answers else 0.5


@dataclass(frozen=True, eq=False)
class Course:
    """What came of a descent: the curve of quality, and its seconds. The network is at its best."""

    curve: Curve
    seconds: float


def descend(task: Task, budget: Budget) -> Generator[Stage, bool | None, Course]:
    """Descend until the budget is spent, and leave the network as it was when it was best.

    The learning rate rises linearly and falls to 0 as a cosine of the spent part of the budget, so
    that every method gets a whole schedule whatever its step costs.

    Raises
    ------
    CryopickError
        If the loss is no longer a number.
    """
    optimiser = task.optimiser()
    peaks = [group["lr"] for group in optimiser.param_groups]
    best, best_quality = copy.deepcopy(task.network.state_dict()), -math.inf
    curve: list[tuple[float, float]] = []
    clock, step, spent, stop = Clock(), 0, 0.0, False
    while not stop and spent < 1:
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * schedule(spent)
        loss = _step(task, optimiser)
        step += 1
        spent = budget.spent(clock.seconds, step)
        stop = bool((yield Stage("training", clock.seconds, step, loss)))
        if stop or spent >= min(1.0, (len(curve) + 1) / CHECKS):
            task.network.eval()
            quality = task.quality()
            curve.append((clock.seconds, quality))
            if quality >= best_quality:
                best, best_quality = copy.deepcopy(task.network.state_dict()), quality
            stop |= bool((yield Stage("training", clock.seconds, step, loss, quality)))
            spent = budget.spent(clock.seconds, step)
    task.network.load_state_dict(best)
    task.network.eval()
    return Course(tuple(curve), clock.seconds)


def schedule(spent: float) -> float:
    """Learning rate as a fraction of its peak, when this part of the budget is spent."""
    return min(1.0, (spent + 1e-3) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))


def _step(task: Task, optimiser: torch.optim.Optimizer) -> float:
    """Descend once; return the loss."""
    task.network.train()
    optimiser.zero_grad(set_to_none=True)
    loss = task.loss()
    if not torch.isfinite(loss):
        raise CryopickError("training diverged")
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(task.network.parameters(), CLIP)
    optimiser.step()
    return float(loss.detach())
