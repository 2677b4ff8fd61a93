"""Train a baseline on one field, and see whether it beats chance on another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from drawing import drawn_micrograph

from cryopick_napari.baselines.method import Budget, Learned, Method, Stage
from cryopick_napari.baselines.scoring import outcome
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.examples import new_picker
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import random_picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

EXTRA = "transformers is not installed: pip install 'cryopick-napari[baselines]'"
BLOB, SIDES = 13.0, (240, 260)  # diameter and field, px


@cache
def example(number: int) -> Example:
    """A sample, fully labelled."""
    micrograph, truth = sample(number)
    return Example(micrograph, Labels.of_whole_field(truth, micrograph.shape))


@cache
def blobs(seed: int) -> Example:
    """A drawn field of blobs that nobody could miss, fully labelled."""
    truth = random_picks(130, SIDES, BLOB, np.random.default_rng(seed))
    return Example(drawn_micrograph(truth.yx, SIDES, seed=seed), Labels.of_whole_field(truth, SIDES))


def config_of(field: Example) -> PickerConfig:
    if field.micrograph.spacing is None:
        return new_picker([field], radius=BLOB / 2).config
    return new_picker([field], SAMPLE_DIAMETER, settings={"network_diameter": 13.5}).config


def fitted(make: Callable[[PickerConfig, TrainingConfig], Method], field: Example, steps: int) -> Learned:
    """Fit for some steps, however long they take."""
    job = make(config_of(field), TrainingConfig(device="cpu")).fit([field], Budget(3600, steps))
    learned, stages = driven(job)
    assert_told(stages, steps)
    return learned


def assert_told(stages: list[Stage], steps: int) -> None:
    """Whether a user saw what was going on."""
    assert [stages[0].phase, stages[-1].phase] == ["preparing", "calibrating"]
    training = [stage for stage in stages if stage.phase == "training"]
    assert training[-1].step == steps
    assert sum(stage.quality == stage.quality for stage in training) >= 10


def learns_above_chance(learned: Learned, field: Example) -> None:
    found = outcome("", 0, learned, [field], config_of(field).diameter)
    assert found.best_f1 > 2 * found.chance
    assert found.auc > 0.6
    assert 0 <= found.threshold <= 1


def driven(job, stop_at=None):
    """Run a method's job, stopped at a step if one is given; return its result and its stages."""
    stages, answer = [], None
    while True:
        try:
            stages.append(job.send(answer))
        except StopIteration as end:
            return end.value, stages
        answer = stages[-1].step == stop_at or None
