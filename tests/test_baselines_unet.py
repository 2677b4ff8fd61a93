"""The U-Nets within a budget."""

from __future__ import annotations

import pytest
from methods import driven, example

from cryopick_napari.baselines.method import Budget
from cryopick_napari.baselines.unet import Pace, UNetMethod, planned_epochs
from cryopick_napari.config import TrainingConfig
from cryopick_napari.examples import new_picker
from cryopick_napari.simulate import SAMPLE_DIAMETER

TINY = {"base_features": 2, "depth": 2, "filter_channel": False}


@pytest.mark.parametrize(
    ("seconds", "epochs"),
    # 2 s of preparation; an epoch is 10 steps of 0.5 s and 1 s of validation
    [(62, 10), (61.9, 9), (120, 19), (1, 1), (8, 1), (14, 2)],
)
def test_as_many_epochs_as_fit(seconds, epochs):
    assert planned_epochs(seconds, Pace(2, 0.5, 1), 10) == epochs


def fit(budget, stop_at=None, **settings):
    picker = new_picker([example(0)], SAMPLE_DIAMETER, settings={**TINY, **settings})
    config = TrainingConfig(device="cpu", epoch_crops=16, patch_size=64)
    return driven(UNetMethod(picker, config).fit([example(0)], budget), stop_at)


def test_the_time_is_used_and_kept():
    learned, stages = fit(Budget(3))
    assert 1 < learned.seconds < 6
    assert stages[0].phase == "preparing"
    assert stages[-1].phase == "calibrating"
    assert len(learned.curve) > 1
    assert learned.curve[-1][0] <= learned.seconds
    assert learned.fitted.threshold == learned.fitted.picker.config.threshold


def test_it_ends_with_the_last_step():
    learned, stages = fit(Budget(3600, 5))
    assert stages[-1].step == 5
    assert len(learned.curve) == 3


def test_it_stops_when_asked():
    learned, stages = fit(Budget(3600, 100), stop_at=3)
    assert stages[-1].step == 3
    assert len(learned.curve) == 2


def test_it_sees_what_its_picker_picks():
    learned, _ = fit(Budget(3600, 2), gate="none")
    micrograph = example(2).micrograph
    seen, picker = learned.fitted.look(micrograph), learned.fitted.picker
    picked = picker.pick(micrograph)
    above = seen.picks.above(learned.fitted.threshold)
    assert above.yx.tolist() == picked.yx.tolist()
    assert seen.probability.shape == tuple(seen.scaled.image.shape)
    assert learned.fitted.parameters == sum(weights.numel() for weights in picker.network.parameters())
