from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import drawn_micrograph, near

from cryopick_napari.config import PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.examples import new_picker
from cryopick_napari.fields import prepare
from cryopick_napari.first_look import MOST_CLICKS, Average, first_look, look_of, unbiased
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.peaks import highest_near
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample
from cryopick_napari.template import kernel_side, matched_filter
from cryopick_napari.training import completed, train

CONFIG = PickerConfig(diameter=9, network_diameter=9)
GRID = np.float32([(row, column) for row in range(20, 240, 30) for column in range(20, 240, 30)])


def crowd(seed: int = 0, height: float = -4.0) -> Example:
    micrograph = drawn_micrograph(GRID, (256, 250), height=height, seed=seed)
    return Example(micrograph, Labels(Picks.of(GRID[:10])))


def test_ten_clicks_find_the_others():
    picker = first_look([crowd()], CONFIG)
    assert near(picker.pick(crowd(seed=1).micrograph).yx, GRID) < 1


def test_it_finds_light_particles_too():
    config = replace(CONFIG, polarity="light")
    picker = first_look([crowd(height=4.0)], config)
    assert near(picker.pick(crowd(seed=1, height=4.0).micrograph).yx, GRID) < 1


def test_clicks_on_nothing_find_no_particles():
    rng = np.random.default_rng(0)
    nowhere = Labels(Picks.of(rng.uniform(20, 230, (10, 2))))
    picker = first_look([Example(crowd().micrograph, nowhere)], CONFIG)
    assert score(picker.pick(crowd(seed=1).micrograph), Picks.of(GRID), STRICT * 9).f1 < 0.5


def test_a_particle_at_the_threshold_scores_half_and_an_average_one_nearly_one():
    field = prepare(crowd(), CONFIG)
    picker = look_of([field], CONFIG).picker
    found = picker.pick(crowd().micrograph, threshold=0.0)
    right = found.above(0.5)
    assert len(right) == len(GRID)
    assert np.median(right.score) == pytest.approx(0.98, abs=0.02)


def test_whole_fields_give_their_own_threshold():
    micrograph = crowd().micrograph
    picker = first_look(
        [Example(micrograph, Labels.of_whole_field(Picks.of(GRID), micrograph.shape))], CONFIG
    )
    assert picker.training["validation"]["f1"] == 1
    assert len(picker.pick(micrograph)) == len(GRID)


def test_two_clicks_are_too_few():
    two = Example(crowd().micrograph, Labels(Picks.of(GRID[:2])))
    with pytest.raises(CryopickError, match="3 labelled particles"):
        first_look([two], CONFIG)


def test_it_is_kept_in_a_file(tmp_path):
    picker = first_look([crowd()], CONFIG)
    picker.save(tmp_path / "look.safetensors")
    again = Picker.load(tmp_path / "look.safetensors")
    micrograph = crowd(seed=2).micrograph
    assert again.config == picker.config
    assert again.config.depth == 0
    np.testing.assert_array_equal(again.pick(micrograph).yx, picker.pick(micrograph).yx)
    assert again.attention(again.scale(micrograph)) == {}


def test_training_a_picker_without_levels_gives_a_first_look():
    picker = completed(train(Picker.new(replace(CONFIG, depth=0)), [crowd()]))
    assert near(picker.pick(crowd(seed=1).micrograph).yx, GRID) < 1


def test_a_particle_is_compared_with_the_average_of_the_others():
    """On pure noise, each agrees with an average that it is part of more than with that of the others."""
    rng = np.random.default_rng(1)
    micrograph = drawn_micrograph(np.zeros((0, 2)), (256, 250))
    field = prepare(Example(micrograph, Labels(Picks.of(rng.uniform(20, 230, (MOST_CLICKS + 1, 2))))), CONFIG)
    side = kernel_side(field.diameter)
    kernel = Average.of([field], CONFIG).kernel(side)
    with_itself = matched_filter(field.scaled.image[None, None], kernel)[0, 0].numpy()
    biased = highest_near(with_itself, field.positives, 0.25 * field.diameter)
    (honest,) = unbiased([field], CONFIG, side)
    assert biased.mean() > honest.mean() + 0.1


def test_the_sample_gets_picks_that_are_better_than_chance():
    micrograph, truth = sample(0)
    clicks = truth.where(np.random.default_rng(0).permutation(len(truth))[:30])
    example = Example(micrograph, Labels(clicks))
    picker = first_look([example], new_picker([example], SAMPLE_DIAMETER).config)
    distance = STRICT * picker.config.diameter
    assert score(picker.pick(micrograph), truth, distance).f1 > 0.35
