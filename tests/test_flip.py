from __future__ import annotations

import numpy as np
import pytest

from cryopick_napari.flip import AS_READ, PICTURE, SWAP_XY, WAYS, WORDS, evidence, flip_check, flip_warning
from cryopick_napari.metrics import mirrored
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

DIAMETER = SAMPLE_DIAMETER / 3.0  # px


@pytest.mark.parametrize("number", range(4))
def test_the_right_way_is_found_on_every_sample(number):
    micrograph, truth = sample(number)
    some = truth.where(np.arange(len(truth)) % 4 == 0)
    right = flip_check([(micrograph, some, DIAMETER)])
    wrong = flip_check([(micrograph, mirrored(some, micrograph.shape), DIAMETER)])
    assert right.is_clear and not right.is_mirrored
    assert wrong.is_clear and wrong.is_mirrored
    assert wrong.mirrored.evidence == pytest.approx(right.as_read.evidence, rel=0.01)


def test_pictures_show_both_ways():
    micrograph, truth = sample(0)
    check = flip_check([(micrograph, truth, DIAMETER)])
    for way in (check.as_read, check.mirrored):
        assert way.field.shape == (PICTURE, PICTURE, 3)
        assert way.average.shape == (PICTURE, PICTURE)
    pictures = [way.field for way in check.ways.values()]
    assert len({picture.tobytes() for picture in pictures}) == len(WAYS)


def test_noise_leaves_doubt():
    micrograph, truth = sample(0)
    rng = np.random.default_rng(0)
    anywhere = truth.__class__.of(rng.uniform(0, micrograph.shape, (60, 2)))
    noise = micrograph.__class__(rng.normal(size=micrograph.shape).astype(np.float32), 3.0)
    assert not flip_check([(noise, anywhere, DIAMETER)]).is_clear


def test_ice_under_a_few_positions_has_no_say():
    assert evidence([1.0, 1.1, 0.9, 1.0, -50.0]) > 3
    assert evidence([]) == evidence([1.0]) == evidence([0.0, 0.0]) == 0


def test_nothing_is_said_without_positions():
    assert flip_check([]) is None


def exchanged(picks):
    return Picks(picks.yx[:, ::-1].copy(), picks.score)


@pytest.mark.parametrize("option", WAYS)
def test_the_option_that_puts_it_right_is_named(option):
    micrograph, truth = sample(1)
    wrong = WAYS[option](truth, micrograph.shape)  # each way undoes itself
    said = flip_warning([(micrograph, wrong, DIAMETER)], "picks")
    if option == AS_READ:
        assert said == ""
    else:
        assert f"convert with {option}" in said
        assert WORDS[option] in said


def test_positions_beyond_a_field_that_is_no_square_say_nothing():
    micrograph, truth = sample(0)
    half = Micrograph(np.ascontiguousarray(micrograph.image[: micrograph.shape[0] // 2]), micrograph.spacing)
    inside = truth.within(half.shape)
    assert len(exchanged(inside).within(half.shape)) < len(inside)
    check = flip_check([(half, inside, DIAMETER)])
    assert check.better == ""
    assert flip_check([(half, exchanged(inside), DIAMETER)]).better == SWAP_XY
