from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from drawing import SPACED, drawn_micrograph, gaussians

from cryopick_napari.config import PickerConfig
from cryopick_napari.fields import Field, hold_out_all, prepare, target_and_weight
from cryopick_napari.labels import Example, Labels
from cryopick_napari.picks import Picks
from cryopick_napari.validation import Answer, validate

CONFIG = PickerConfig(diameter=9, network_diameter=9)
PERFECT = 0.9 * gaussians((96, 90), SPACED, 2)
FALSE = gaussians((96, 90), [(30, 80), (62, 36)], 2)  # two places where nothing is


def whole_field(**areas: object) -> Field:
    micrograph = drawn_micrograph()
    labels = replace(Labels.of_whole_field(Picks.of(SPACED), micrograph.shape), **areas)
    return hold_out_all(prepare(Example(micrograph, labels), CONFIG))


def clicks() -> Field:
    return hold_out_all(prepare(Example(drawn_micrograph(), Labels(Picks.of(SPACED[:4]))), CONFIG))


def upper_half(field: Field) -> Field:
    held = np.zeros_like(field.held)
    held[:48] = True
    return replace(field, held=held)


def figures(field: Field, probability: np.ndarray):
    return validate([Answer(field, probability.astype(np.float32))], CONFIG, 0.5)


def test_a_perfect_map_is_perfect():
    found = figures(whole_field(), PERFECT)
    assert (found.precision, found.recall, found.f1) == (1, 1, 1)
    assert found.auc == pytest.approx(1, abs=0.01)
    assert 0.02 < found.threshold < 0.9


def test_false_picks_cost_precision_and_missed_ones_recall():
    found = figures(whole_field(), PERFECT + FALSE)
    assert (found.precision, found.recall) == (pytest.approx(6 / 8), 1)
    found = figures(whole_field(), 0.9 * gaussians((96, 90), SPACED[:3], 2))
    assert (found.precision, found.recall, found.f1) == (1, 0.5, pytest.approx(2 / 3))


def test_the_threshold_parts_the_right_from_the_wrong():
    found = figures(whole_field(), PERFECT + 0.5 * FALSE)
    assert found.f1 == 1
    assert 0.5 < found.threshold < 0.8


@pytest.mark.parametrize(("shift", "right"), [(2.0, True), (2.5, False)])
def test_half_a_radius_is_the_farthest_a_pick_may_be(shift, right):
    found = figures(whole_field(), 0.9 * gaussians((96, 90), SPACED + np.array([0, shift]), 2))
    assert found.f1 == (1 if right else 0)


def test_loss_and_auc_know_only_held_out_ground():
    field = upper_half(whole_field())
    wrong = PERFECT.copy()
    wrong[50:] = np.random.default_rng(0).random((46, 90))
    seen, unseen = figures(field, wrong), figures(field, PERFECT)
    assert (seen.loss, seen.auc) == (unseen.loss, unseen.auc)


def test_the_threshold_is_chosen_on_all_ground_and_scored_on_held_out_ground():
    field = upper_half(whole_field())
    lower = np.arange(96)[:, None] >= 50
    found = figures(field, np.where(lower, 0.3 * PERFECT, PERFECT))
    assert found.threshold < 0.3  # low enough for the half that answers less
    assert (found.precision, found.recall) == (1, 1)
    wrong = figures(field, np.where(lower, PERFECT, FALSE))
    assert wrong.recall == 0


def test_excluded_ground_is_not_tested():
    corners = np.float32([(25, 72), (25, 88), (36, 88), (36, 72)])
    found = figures(whole_field(excluded=(corners,)), PERFECT + gaussians((96, 90), [(30, 80)], 2))
    assert found.f1 == 1


def test_only_fully_labelled_ground_has_a_precision():
    corners = np.float32([(40, -0.5), (40, 89.5), (95.5, 89.5), (95.5, -0.5)])
    found = figures(whole_field(complete=(corners,)), PERFECT + FALSE)
    assert (found.precision, found.recall) == (pytest.approx(4 / 5), 1)


def test_the_loss_is_the_cross_entropy_of_the_held_out_pixels():
    field = upper_half(whole_field())
    probability = torch.rand(96, 90, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    target, weight = target_and_weight(field, 0.5, field.tested)
    wanted = F.binary_cross_entropy(probability, target, weight, reduction="sum") / weight.sum()
    found = figures(field, probability.numpy())
    assert found.loss == pytest.approx(wanted.item(), rel=1e-4)
    assert found.quality == -found.loss


def test_a_certain_mistake_costs_a_finite_loss():
    assert 1 < figures(whole_field(), 1 - (PERFECT > 0.5)).loss < 20


def test_clicks_have_a_recall_and_no_precision():
    found = figures(clicks(), PERFECT - 0.3 * gaussians((96, 90), SPACED[:4], 2))
    assert isnan(found.precision)
    assert isnan(found.f1)
    assert found.recall >= 0.75
    assert found.threshold < 0.8  # low enough for the four that answer less


def test_clicks_prefer_a_threshold_that_leaves_out_what_scores_less():
    half = figures(clicks(), PERFECT * (1 + 0.1 * gaussians((96, 90), SPACED[:4], 6)))
    assert half.recall >= 0.75
    assert half.threshold > 0.9


def test_a_single_certain_click_does_not_make_the_threshold():
    scores = np.linspace(0.3, 0.9, 4)[:, None, None]
    weak = np.max([s * gaussians((96, 90), SPACED[i : i + 1], 2) for i, s in enumerate(scores)], axis=0)
    found = figures(clicks(), weak)
    assert found.recall >= 0.75
    assert found.threshold < 0.7


@pytest.mark.parametrize("field", [whole_field(), clicks()])
def test_a_map_that_finds_nothing_scores_nothing(field):
    found = figures(field, np.zeros((96, 90)))
    assert (found.recall, found.threshold, found.auc) == (0, 0.5, 0.5)


def test_without_held_out_labels_there_are_no_figures():
    found = validate([], CONFIG, 0.5)
    assert isnan(found.loss)
    assert isnan(found.auc)
    assert (found.recall, found.quality, found.threshold) == (0, 0, 0.5)


def test_several_fields_share_one_threshold():
    answers = [Answer(whole_field(), PERFECT), Answer(whole_field(), 0.5 * PERFECT + 0.3 * FALSE)]
    found = validate(answers, CONFIG, 0.5)
    assert found.f1 == 1
    assert 0.3 < found.threshold < 0.43
