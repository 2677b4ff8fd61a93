"""The U-Nets as methods: `train` as it is, with a schedule that fits a budget."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from cryopick_napari.baselines.method import Budget, Clock, Fit, Learned, Seen, Stage
from cryopick_napari.config import TrainingConfig
from cryopick_napari.labels import Example
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.network import parameter_count
from cryopick_napari.picker import Picker
from cryopick_napari.training import Job, train

PROBE = 6  # steps that are timed before the schedule is made


@dataclass(frozen=True)
class Pace:
    """What a training takes, s.

    Attributes
    ----------
    preparation, step, validation : float
        Before the first step, for each step, and after each epoch.
    """

    preparation: float
    step: float
    validation: float


def planned_epochs(seconds: float, pace: Pace, steps: int) -> int:
    """Count the whole epochs that fit into a time, at least one.

    The learning rate of `train` falls to 0 over a number of epochs that is known beforehand: as
    many as fit give a U-Net its whole schedule within the budget.

    Parameters
    ----------
    seconds : float
        The budget.
    pace : Pace
    steps : int
        Of an epoch.
    """
    return max(1, math.floor((seconds - pace.preparation) / (steps * pace.step + pace.validation)))


@dataclass(frozen=True, eq=False)
class FittedUNet:
    """A trained picker."""

    picker: Picker

    @property
    def threshold(self) -> float:
        """Least score of a pick, chosen on held-out labels."""
        return self.picker.config.threshold

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""
        return parameter_count(self.picker.network)

    def look(self, micrograph: Micrograph) -> Seen:
        """Look at a field as `Picker.pick` does."""
        scaled, probability = self.picker.search(micrograph)
        return Seen(scaled, probability, self.picker.picks(probability, scaled))


@dataclass(frozen=True)
class UNetMethod:
    """A U-Net with or without gates, as the untrained picker's settings say."""

    picker: Picker
    training: TrainingConfig

    def fit(self, examples: Sequence[Example], budget: Budget) -> Fit:
        """Learn; send True to stop, and the best so far is returned."""
        yield Stage("preparing")
        config = self.training
        steps = max(1, round(config.epoch_crops / (config.batch_size * config.accumulation_steps)))
        if budget.steps is None:
            epochs = planned_epochs(budget.seconds, self.pace(examples), steps)
        else:
            epochs = math.ceil(budget.steps / steps)
        # The budget is spent, as by the others: the best epoch is kept, whichever it was.
        config = replace(config, initial_epochs=epochs, patience=0, self_training_iterations=0)
        return (yield from _followed(train(self.picker, examples, config), budget))

    def pace(self, examples: Sequence[Example]) -> Pace:
        """Time a few steps and a validation, of a training that is then thrown away."""
        crops = PROBE * self.training.batch_size * self.training.accumulation_steps
        job = train(self.picker, examples, replace(self.training, initial_epochs=1, epoch_crops=crops))
        times = []
        for progress in job:
            times.append(time.perf_counter())
            if progress.validation is not None:
                break
        job.close()
        began, *steps, validated = times
        between = [after - before for before, after in pairwise(steps)]
        return Pace(steps[0] - began, median(between), validated - steps[-1])


def _followed(job: Job, budget: Budget) -> Generator[Stage, bool | None, Learned]:
    """Run a training until it ends or the budget is spent, and note how it went."""
    clock, seconds = Clock(), 0.0
    curve: list[tuple[float, float]] = []
    answer: bool | None = None
    while True:
        try:
            progress = job.send(answer)
        except StopIteration as end:
            return Learned(FittedUNet(end.value), tuple(curve), seconds)
        quality = math.nan if progress.validation is None else progress.validation.quality
        if progress.validation is not None:
            curve.append((clock.seconds, quality))
        if progress.phase == "training":
            seconds = clock.seconds
        asked = yield Stage(progress.phase, clock.seconds, progress.step, progress.loss, quality)
        answer = bool(asked) or budget.spent(clock.seconds, progress.step) >= 1 or None
