"""Descent within a budget, on a parabola."""

from __future__ import annotations

import pytest
import torch
from methods import driven
from torch import nn

from cryopick_napari.baselines.descent import CHECKS, descend, schedule
from cryopick_napari.baselines.method import Budget
from cryopick_napari.errors import CryopickError


class Parabola:
    """(x - 3)^2, begun at 0; its qualities are given."""

    def __init__(self, qualities=None, power=2):
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.qualities, self.power, self.seen = qualities, power, []

    @property
    def x(self):
        return float(self.network.weight.detach())

    def optimiser(self):
        return torch.optim.SGD(self.network.parameters(), 0.3)

    def loss(self):
        assert self.network.training
        return ((self.network.weight - 3) ** self.power).sum()

    def quality(self):
        assert not self.network.training
        self.seen.append(self.x)
        return -((self.x - 3) ** 2) if self.qualities is None else self.qualities.pop(0)


def run(task, budget, stop_at=None):
    return driven(descend(task, budget), stop_at)


def test_it_descends_for_as_many_steps_as_the_budget_has():
    task = Parabola()
    course, stages = run(task, Budget(3600, 120))
    assert task.x == pytest.approx(3, abs=0.01)
    assert stages[-1].step == 120
    assert len(course.curve) == CHECKS
    qualities = [quality for _, quality in course.curve]
    assert qualities == sorted(qualities)


def test_it_ends_when_the_time_is_over():
    course, stages = run(Parabola(), Budget(0.3))
    assert 0.3 <= course.seconds < 3
    assert len(course.curve) <= CHECKS
    assert stages[-1].quality == stages[-1].quality


def test_the_best_is_kept():
    task = Parabola([*range(CHECKS - 3), 99, 0, 0])
    run(task, Budget(3600, 2 * CHECKS))
    assert task.x == task.seen[CHECKS - 3]
    assert task.x != task.seen[-1]
    assert not task.network.training


def test_it_stops_when_asked_and_validates_once_more():
    course, stages = run(Parabola(), Budget(3600, 1200), stop_at=7)
    assert stages[-1].step == 7
    assert len(course.curve) == 1


def test_no_number_is_said_to_be_none():
    task = Parabola()
    nn.init.constant_(task.network.weight, float("nan"))
    with pytest.raises(CryopickError, match="diverged"):
        run(task, Budget(3600, 10))


def test_the_rate_rises_and_falls_to_nothing():
    assert schedule(0) < 0.05
    assert schedule(0.05) == pytest.approx(1, abs=0.01)
    assert schedule(0.5) == pytest.approx(0.5)
    assert schedule(1) == schedule(1.3) == pytest.approx(0)
