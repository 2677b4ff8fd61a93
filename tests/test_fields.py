from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import SPACED, drawn_micrograph, noise

from cryopick_napari.config import PickerConfig
from cryopick_napari.fields import Field, at_scale, hold_out, hold_out_all, inside, prepare, target_and_weight
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

CONFIG = PickerConfig(diameter=9, network_diameter=9)
CORNER = np.float32([(60, 40), (60, 95), (100, 95), (100, 40)])  # holds one particle, at (77.7, 55.2)


def clicks(**areas: object) -> Field:
    labels = Labels(Picks.of(SPACED), Picks.of([(30, 80)]), **areas)
    return prepare(Example(drawn_micrograph(), labels), CONFIG)


def whole_field() -> Field:
    micrograph = drawn_micrograph()
    return prepare(Example(micrograph, Labels.of_whole_field(Picks.of(SPACED), micrograph.shape)), CONFIG)


def weights(field: Field, ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target, weight = target_and_weight(field, 0.5, ground)
    return target.numpy(), weight.numpy()


@pytest.mark.parametrize("polarity", ["dark", "light"])
@pytest.mark.parametrize("diameter", [9, 18])
def test_particles_are_bright_and_labels_lie_on_them(polarity, diameter):
    micrograph = drawn_micrograph(height=-8 if polarity == "dark" else 8)
    config = replace(CONFIG, diameter=diameter, polarity=polarity)
    field = prepare(Example(micrograph, Labels(Picks.of(SPACED))), config)
    image = field.scaled.image.numpy()
    rows, columns = np.rint(field.positives).astype(int).T
    assert image[rows, columns].min() > 3
    assert np.abs(np.median(image)) < 0.2
    assert field.diameter == pytest.approx(9, rel=0.02)


@pytest.mark.parametrize("shape", [(120, 131), (97, 140)])
def test_at_another_scale_labels_and_what_is_held_out_stay_where_they_are(shape):
    micrograph = drawn_micrograph(shape=shape)
    labels = Labels(Picks.of(SPACED), Picks.of([(30, 80)]), excluded=(CORNER,))
    coarse = hold_out(
        prepare(Example(micrograph, labels), replace(CONFIG, network_diameter=5.0)),
        0.4,
        np.random.default_rng(0),
    )
    fine = at_scale(coarse, micrograph, CONFIG)
    direct = prepare(Example(micrograph, labels), CONFIG)
    assert np.array_equal(fine.scaled.image, direct.scaled.image)
    np.testing.assert_allclose(fine.positives, direct.positives, atol=1e-3)
    np.testing.assert_allclose(fine.negatives, direct.negatives, atol=1e-3)
    assert (fine.usable != direct.usable).mean() < 0.02
    assert fine.held.mean() == pytest.approx(coarse.held.mean(), rel=0.1)
    held = [inside(field.positives, field.held) for field in (coarse, fine)]
    assert held[0].any()
    assert np.array_equal(*held)
    assert fine.source() is micrograph


def test_the_pixel_size_decides_the_scale():
    config = replace(CONFIG, diameter=18, spacing=1.0)
    field = prepare(Example(drawn_micrograph(spacing=2.0), Labels(Picks.of(SPACED))), config)
    assert field.scaled.ratio == (1, 1)
    assert np.allclose(field.positives, SPACED, atol=1e-5)


def test_dead_and_excluded_ground_is_not_usable():
    image = noise((120, 120)) + 5
    image[:40] = 0
    labels = Labels(Picks.of([(80, 20)]), excluded=(CORNER,))
    field = prepare(Example(Micrograph(image), labels), CONFIG)
    assert not field.usable[:40].any()
    assert not field.usable[62:98, 42:93].any()
    assert field.usable[50:, :38].all()


@pytest.mark.parametrize("make", [clicks, whole_field])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_held_out_is_never_learned_from(make, seed):
    field = hold_out(make(), 0.2, np.random.default_rng(seed))
    assert field.held.any()
    assert not (field.learned & field.tested).any()
    assert np.array_equal(field.learned | field.tested, field.usable)
    assert not weights(field, field.learned)[1][field.held].any()
    assert not weights(field, field.tested)[1][~field.held].any()
    assert inside(field.positives, field.learned).any()
    assert inside(field.positives, field.tested).any()


def test_clicks_are_held_out_with_their_surroundings():
    field = hold_out(clicks(), 0.34, np.random.default_rng(0))
    held = field.positives[inside(field.positives, field.held)]
    assert len(held) == 2
    y, x = np.indices(field.held.shape)
    distance = np.min([np.hypot(y - row, x - column) for row, column in held], axis=0)
    assert np.array_equal(field.held, distance <= field.diameter)


def test_the_only_click_is_learned_from():
    labels = Labels(Picks.of(SPACED[:1]))
    for whole in (labels, Labels.of_whole_field(labels.positives, (96, 90))):
        field = prepare(Example(drawn_micrograph(), whole), CONFIG)
        assert not hold_out(field, 0.2, np.random.default_rng(0)).held.any()


@pytest.mark.parametrize("seed", range(8))
def test_a_band_is_a_part_of_the_fully_labelled_area_with_a_particle_in_it(seed):
    corners = np.float32([(5, 5), (5, 40), (90, 40), (90, 5)])
    field = hold_out(clicks(complete=(corners,)), 0.25, np.random.default_rng(seed))
    share = (field.held & field.complete).sum() / field.complete.sum()
    assert share == pytest.approx(0.25, abs=0.03)
    assert inside(field.positives, field.tested & field.complete).any()
    assert field.held.all(axis=0).any() or field.held.all(axis=1).any()


def test_chance_alone_decides_what_is_held_out():
    bands = [hold_out(whole_field(), 0.2, np.random.default_rng(seed)).held for seed in (0, 0, *range(1, 6))]
    assert np.array_equal(bands[0], bands[1])
    assert len({band.tobytes() for band in bands}) > 3


def test_a_whole_field_can_be_kept_for_validation():
    field = hold_out_all(whole_field())
    assert np.array_equal(field.tested, field.usable)
    assert not field.learned.any()


def test_inside_asks_the_nearest_pixel():
    mask = np.zeros((10, 10), bool)
    mask[4:, 5:] = True
    assert inside(np.float32([(4, 5), (3.6, 4.6), (3.4, 5), (9.4, 9.4)]), mask).tolist() == [1, 1, 0, 1]
    assert inside(np.zeros((0, 2), np.float32), mask).shape == (0,)


def test_every_pixel_of_a_whole_field_counts():
    field = whole_field()
    target, weight = weights(field, field.usable)
    assert (weight == 1).all()
    y, x = np.indices(target.shape)
    distance = np.min([np.hypot(y - row, x - column) for row, column in SPACED], axis=0)
    assert np.array_equal(target == 1, distance <= 0.5 * 9 / 2)
    assert set(np.unique(target)) == {0, 1}


def test_unlabelled_ground_counts_as_much_as_the_clicks():
    field = clicks()
    target, weight = weights(field, field.usable)
    y, x = np.indices(target.shape)
    negative = np.hypot(y - 30, x - 80) <= 4.5
    assert (weight[target == 1] == 1).all()
    assert (weight[negative] == 1).all()
    assert not target[negative].any()
    unknown = (target == 0) & ~negative
    assert weight[unknown].sum() == pytest.approx(target.sum(), rel=1e-3)
    assert 0 < weight[unknown].max() < 0.1
    assert not field.is_complete


def test_a_fully_labelled_area_counts_whatever_is_around():
    field = clicks(complete=(CORNER,))
    weight = weights(field, field.usable)[1]
    assert field.is_complete
    assert (weight[field.complete] == 1).all()
    assert weight[5, 40] < 0.1


def test_excluded_ground_counts_nothing_even_where_labelled():
    field = clicks(excluded=(CORNER,), complete=(CORNER,))
    target, weight = weights(field, field.usable)
    assert target[78, 55] == 1
    assert not weight[60:, 40:].any()
    assert weight[45, 32] == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3])
def test_of_particles_that_touch_one_is_left_to_learn_from(count, seed):
    touching = np.float32([(40, 30 + 8.5 * number) for number in range(count)])
    labels = Labels(Picks.of(touching))
    field = hold_out(
        prepare(Example(drawn_micrograph(touching), labels), CONFIG), 0.2, np.random.default_rng(seed)
    )
    assert len(field.taught)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_excluded_is_not_held_out_in_place_of_what_is_not(seed):
    labels = Labels(Picks.of([(20, 20), (30, 70), (77.7, 55.2)]), excluded=(CORNER,))
    field = hold_out(prepare(Example(drawn_micrograph(), labels), CONFIG), 0.2, np.random.default_rng(seed))
    assert len(field.taught) == 1
    assert inside(field.positives, field.tested).sum() == 1
