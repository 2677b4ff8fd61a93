from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cryopick_napari.blind import (
    ball_profiles,
    completed_profile,
    guessed_profile,
    is_guess_sure,
    lopsidedness,
)
from cryopick_napari.config import PickerConfig
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.rescale import seen
from cryopick_napari.template import BINS, kernel_of, radial_profile

CONFIG = PickerConfig(diameter=13.5, network_diameter=13.5)
SHAPE = 400, 380


def field(profile: np.ndarray, contrast: float, seed: int = 0) -> tuple[Micrograph, np.ndarray]:
    """Draw dark particles of a profile at random places into noise of unit deviation."""
    rng = np.random.default_rng(seed)
    stamp = kernel_of(torch.from_numpy(profile).float(), CONFIG.diameter).numpy()
    reach = len(stamp) // 2
    image = rng.standard_normal(SHAPE).astype(np.float32)
    centres = rng.integers(reach, np.array(SHAPE) - reach, (250, 2))
    for row, column in centres:
        image[row - reach : row + reach + 1, column - reach : column + reach + 1] -= contrast * stamp
    return Micrograph(image, None), centres.astype(np.float32)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate two profiles as the templates that are drawn of them."""
    kernels = (kernel_of(torch.from_numpy(profile).float(), CONFIG.diameter) for profile in (one, other))
    return float(torch.mul(*kernels).sum())


@pytest.mark.parametrize("number", [4, 28, 35, 53])
def test_the_profile_is_guessed_without_a_click(number):
    drawn = ball_profiles()[number]
    micrograph, _ = field(drawn, 3.5)
    assert likeness(guessed_profile([micrograph], CONFIG), drawn) >= 0.85


def test_several_faint_fields_say_more_than_one():
    drawn = ball_profiles()[35]
    fields = [field(drawn, 1.2, seed)[0] for seed in range(6)]
    together = likeness(guessed_profile(fields, CONFIG), drawn)
    alone = [likeness(guessed_profile([one], CONFIG), drawn) for one in fields]
    assert together >= 0.85
    assert together >= np.mean(alone)


def test_a_guess_from_noise_is_not_sure():
    noise, _ = field(ball_profiles()[28], 0.0)
    micrograph, _ = field(ball_profiles()[28], 3.0)
    assert is_guess_sure([micrograph], CONFIG)
    assert not is_guess_sure([noise], CONFIG)
    assert not is_guess_sure([micrograph], replace(CONFIG, polarity="light"))


def test_noise_is_not_lopsided_and_gold_decides_nothing():
    noise, _ = field(ball_profiles()[0], 0.0)
    assert np.abs(lopsidedness(seen(noise, CONFIG))).max() < 0.1
    micrograph, _ = field(ball_profiles()[35], 3.0)
    image = micrograph.image.copy()
    for row, column in np.random.default_rng(3).integers(10, 370, (4, 2)):
        image[row : row + 3, column : column + 3] = -40
    golden = guessed_profile([Micrograph(image, None)], CONFIG)
    assert likeness(golden, ball_profiles()[35]) >= 0.85


def test_a_field_that_is_left_out_as_a_whole_says_nothing():
    masked = replace(field(ball_profiles()[0], 3.0)[0], mask=np.ones(SHAPE, bool))
    assert not lopsidedness(seen(masked, CONFIG)).any()


def test_few_clicks_lean_on_the_guess_and_many_do_not():
    drawn, guess = ball_profiles()[35], ball_profiles()[23]
    micrograph, centres = field(drawn, 2.0)
    image = seen(micrograph, CONFIG).image

    def completed(clicks: int) -> np.ndarray:
        return completed_profile(radial_profile(image, centres[:clicks], CONFIG.diameter), 1.0, guess)

    def plain(clicks: int) -> np.ndarray:
        sums = radial_profile(image, centres[:clicks], CONFIG.diameter)
        return sums[0] / np.maximum(sums[1], 1)

    assert likeness(guess, drawn) < 0.8
    assert likeness(completed(3), drawn) > likeness(plain(3), drawn) + 0.05
    assert likeness(completed(250), plain(250)) > 0.98


def test_clicks_that_contradict_the_guess_outweigh_it():
    clicks = np.stack([-ball_profiles()[0], np.ones(BINS)]) * 1000
    assert likeness(completed_profile(clicks, 1.0, ball_profiles()[0]), -ball_profiles()[0]) > 0.99
