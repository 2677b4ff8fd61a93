from __future__ import annotations

import numpy as np
import pytest
from drawing import gaussians, noise

from cryopick_napari.display import DisplayFilter, default_filter, shown
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph

SHAPES = [(240, 240), (241, 243), (127, 311)]
PLAIN = DisplayFilter(4)


def brightest(picture):
    """Where the light of a picture's brightest spot comes from, px of the micrograph."""
    image = picture.image - np.median(picture.image)
    row, column = np.unravel_index(image.argmax(), image.shape)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    light = image * (np.hypot(y - row, x - column) <= 30 / picture.scale[0])
    centre = np.array([(y * light).sum(), (x * light).sum()]) / light.sum()
    return centre * picture.scale + picture.translate


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("low_pass", [None, 1, 4, 9, 13, 30])
def test_a_spot_is_shown_where_it_is(shape, low_pass):
    spot = np.array([0.31, 0.71]) * shape
    picture = shown(Micrograph(gaussians(shape, spot, sigma=5)), DisplayFilter(low_pass))
    np.testing.assert_allclose(brightest(picture), spot, atol=0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pixel", [(100, 37), (77, 101)])
def test_a_single_pixel_is_shown_within_half_a_pixel(shape, pixel):
    image = np.zeros(shape, np.float32)
    image[pixel] = 1
    picture = shown(Micrograph(image), DisplayFilter(9))
    assert picture.scale == (2, 2)
    np.testing.assert_allclose(brightest(picture), pixel, atol=0.51)


def test_positions_map_to_display_pixels():
    picture = shown(Micrograph(noise((90, 70))), DisplayFilter(13))
    yx = [(1, 1), (31.0, 40.5)]
    np.testing.assert_allclose(picture.from_source(yx), [(0, 0), (10, 39.5 / 3)], rtol=1e-6)


@pytest.mark.parametrize("shape", [(100, 64), (101, 67), (3, 200), (1, 1)])
@pytest.mark.parametrize("factor", [1, 3, 8])
def test_the_last_row_and_column_are_shown(shape, factor):
    image = np.zeros(shape, np.float32)
    image[-1, -1] = 1
    picture = shown(Micrograph(image), DisplayFilter(4.0 * factor))
    last = np.array(picture.image.shape) * factor
    assert (last >= shape).all() and (last < np.array(shape) + factor).all()
    assert picture.image[-1, -1] == picture.image.max()


@pytest.mark.parametrize("low_pass", [4, 8, 12, 18, 32])
def test_half_the_amplitude_is_left_at_the_low_pass(low_pass):
    wave = np.sin(2 * np.pi * np.arange(600) / low_pass)
    picture = shown(Micrograph(np.tile(wave, (600, 1)).astype(np.float32)), DisplayFilter(low_pass))
    assert picture.image.std() / wave.std() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("low_pass", [None, 2, 20])
def test_the_micrograph_is_left_alone(low_pass):
    micrograph = Micrograph(noise((64, 64)))
    picture = shown(micrograph, DisplayFilter(low_pass, invert=True))
    picture.image[:] = 0
    np.testing.assert_array_equal(micrograph.image, noise((64, 64)))


def test_nothing_is_smoothed_without_a_low_pass():
    picture = shown(Micrograph(noise((300, 300))), DisplayFilter(None))
    np.testing.assert_allclose(picture.image, noise((300, 300)), atol=0.1)


def test_a_slope_is_taken_away():
    ramp = np.linspace(0, 50, 400, dtype=np.float32)
    picture = shown(Micrograph(noise((300, 400)) + ramp), PLAIN)
    middle = picture.image[:, 100:300]
    assert np.ptp(middle.mean(axis=0)) < 2


def with_gold(image):
    image[40:70, 40:70] -= 200
    return image


def with_smear(image):
    image[:60] = image[60]
    return image


def with_padding(image):
    image[:, 330:] = -500
    return image


@pytest.mark.parametrize("spoiled", [with_gold, with_smear, with_padding])
def test_gold_and_dead_areas_do_not_set_the_contrast(spoiled):
    clean, other = (
        shown(Micrograph(image), PLAIN) for image in (noise((400, 400)), spoiled(noise((400, 400))))
    )
    np.testing.assert_allclose(other.contrast_limits, clean.contrast_limits, rtol=0.1)
    # ... nor the grey values around them
    np.testing.assert_allclose(other.image[75:300, 80:300].mean(), 0, atol=0.05)


@pytest.mark.parametrize("percent", [0.5, 5, 20])
def test_contrast_is_the_part_that_is_black_and_white(percent):
    grey = shown(Micrograph(noise((500, 400))), DisplayFilter(4, contrast=percent)).grey()
    assert (grey == 0).mean() * 100 == pytest.approx(percent, rel=0.2)
    assert (grey == 255).mean() * 100 == pytest.approx(percent, rel=0.2)


def test_inverting_swaps_dark_and_bright():
    micrograph = Micrograph(noise((80, 90)))
    plain, inverted = shown(micrograph, PLAIN), shown(micrograph, DisplayFilter(4, invert=True))
    np.testing.assert_array_equal(inverted.image, -plain.image)
    np.testing.assert_allclose(inverted.contrast_limits, -np.array(plain.contrast_limits)[::-1], rtol=1e-5)


@pytest.mark.parametrize(
    ("diameter", "spacing", "low_pass"),
    [(100, 1.5, 25), (100, None, 25), (None, 2.0, 10), (None, None, 4), (6, 1.0, 2), (None, 50.0, 2)],
)
def test_the_default_follows_the_particle(diameter, spacing, low_pass):
    assert default_filter(diameter, spacing).low_pass == low_pass


@pytest.mark.parametrize("wrong", [(0,), (-1,), (float("nan"),), (4, -1), (4, 50)])
def test_a_filter_out_of_range_is_an_error(wrong):
    with pytest.raises(CryopickError, match="must be"):
        DisplayFilter(*wrong)
