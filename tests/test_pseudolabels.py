from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import SPACED, drawn_micrograph, gaussians

from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.fields import Field, hold_out, prepare, target_and_weight
from cryopick_napari.labels import Example, Labels
from cryopick_napari.picks import Picks
from cryopick_napari.pseudolabels import has_spare_ground, pseudo_labelled

SHAPE, DIAMETER = (96, 90), 9
CONFIG = TrainingConfig(positive_threshold=0.9, negative_threshold=0.05)
CORNER = np.float32([(60, 40), (60, 85), (92, 85), (92, 40)])  # holds one particle, at (77.7, 55.2)


def field_with(labels: Labels) -> Field:
    return prepare(Example(drawn_micrograph(), labels), PickerConfig(diameter=9, network_diameter=9))


def unlabelled() -> Field:
    return field_with(Labels(Picks.of([])))


def distance_to(centres: object) -> np.ndarray:
    y, x = np.indices(SHAPE)
    return np.min([np.hypot(y - row, x - column) for row, column in np.asarray(centres)], axis=0)


def painted(field: Field) -> tuple[np.ndarray, np.ndarray]:
    return tuple(image.numpy() for image in target_and_weight(field, CONFIG.target_radius, field.learned))


@pytest.mark.parametrize("whole", [False, True])
def test_confident_pixels_teach_and_those_between_are_ignored(whole):
    sure = np.maximum(gaussians(SHAPE, SPACED[:3], 3), 0.8 * gaussians(SHAPE, SPACED[3:], 3))
    new = pseudo_labelled(unlabelled(), sure, CONFIG, whole)
    assert np.allclose(sorted(new.positives.tolist()), SPACED[:3], atol=0.3)
    target, weight = painted(new)
    assert np.array_equal(target == 1, distance_to(new.positives) <= 0.5 * DIAMETER / 2)
    background = (sure <= 0.05) & (target == 0)
    assert (weight[target == 1] == 1).all()
    assert (weight[background] > 0).all()
    assert not weight[(sure > 0.05) & (target == 0)].any()
    assert weight[background].sum() == pytest.approx(background.sum() if whole else target.sum(), rel=1e-3)


def test_thresholds_are_reached_by_what_equals_them():
    sure = np.full(SHAPE, 0.5, np.float32)
    sure[20, 20], sure[50, 50], sure[70:] = 0.75, 0.74, 0.25
    new = pseudo_labelled(
        unlabelled(), sure, replace(CONFIG, positive_threshold=0.75, negative_threshold=0.25), True
    )
    assert new.positives.tolist() == [[20, 20]]
    assert np.array_equal(new.usable, (distance_to([(20, 20)]) <= 2.25) | (sure <= 0.25))


@pytest.mark.parametrize(("apart", "kept"), [(DIAMETER - 1, 1), (DIAMETER + 1, 2)])
def test_new_particles_keep_a_diameter_from_each_other_and_from_labels(apart, kept):
    there, beside = (40, 40), (40, 40 + apart)
    sure = np.maximum(gaussians(SHAPE, [there], 2), 0.95 * gaussians(SHAPE, [beside], 2))
    new = pseudo_labelled(unlabelled(), sure, CONFIG, False)
    assert len(new.positives) == kept
    assert np.allclose(new.positives[0], there, atol=0.3)
    assert not np.any(painted(new)[1][40, 40 + apart : 43 + apart]) or kept == 2
    beside_a_click = pseudo_labelled(field_with(Labels(Picks.of([beside]))), sure, CONFIG, False)
    assert len(beside_a_click.positives) == kept
    assert np.allclose(beside_a_click.positives[0], beside)


def test_what_a_person_said_stays():
    labels = Labels(Picks.of(SPACED[:1]), Picks.of(SPACED[1:2]), complete=(CORNER,))
    field = field_with(labels)
    sure = gaussians(SHAPE, SPACED, 3)  # of all six: the labels say no to two
    new = pseudo_labelled(field, sure, CONFIG, False)
    assert np.allclose(new.positives[0], SPACED[0], atol=1e-5)
    assert np.allclose(sorted(new.positives[1:].tolist()), SPACED[[2, 3, 4]], atol=0.3)
    target, weight = painted(new)
    assert (weight[field.complete] == 1).all()
    assert not target[field.complete].any()
    negative = distance_to(SPACED[1:2]) <= DIAMETER / 2
    assert not target[negative].any()
    assert (weight[negative] == 1).all()


def test_nothing_is_learned_where_labels_are_held_out():
    field = hold_out(field_with(Labels(Picks.of(SPACED[:4]))), 0.5, np.random.default_rng(0))
    sure = gaussians(SHAPE, [*SPACED, field.positives[0] + 3], 3)
    new = pseudo_labelled(field, sure, CONFIG, False)
    assert np.array_equal(new.held, field.held)
    assert not painted(new)[1][field.held].any()
    assert not (new.usable & ~field.usable).any()
    assert len(new.positives) == 6


def test_fully_labelled_fields_have_no_ground_to_spare():
    whole = field_with(Labels.of_whole_field(Picks.of(SPACED), SHAPE))
    assert not has_spare_ground(whole)
    assert has_spare_ground(unlabelled())
    assert has_spare_ground(field_with(Labels(Picks.of(SPACED), complete=(CORNER,))))
