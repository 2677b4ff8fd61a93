from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from drawing import gaussians, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_opening

from cryopick_napari.config import PickerConfig
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.rescale import CLIP, _opened, blurred, fourier_resize, median, seen, to_network_scale

SOURCES = [(96, 120), (97, 121), (96, 121), (97, 120)]
TARGETS = [(32, 40), (33, 41), (32, 41), (33, 40)]


def resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return fourier_resize(torch.from_numpy(image), shape).numpy()


def scaled_of(image: np.ndarray, diameter: float = 40.0, network_diameter: float | None = 13.5):
    return to_network_scale(Micrograph(image.astype(np.float32)), diameter, network_diameter)


def summit(image: np.ndarray) -> np.ndarray:
    """Centre of a Gaussian, exactly: the logarithm of a Gaussian is a parabola."""
    y, x = np.unravel_index(image.argmax(), image.shape)
    centre = []
    for line, at in ((image[:, x], y), (image[y], x)):
        before, middle, after = np.log(line[at - 1 : at + 2].astype(float))
        centre.append(at + (after - before) / 2 / (2 * middle - before - after))
    return np.array(centre)


@pytest.mark.parametrize(("source", "target"), [*product(SOURCES, TARGETS), ((409, 576), (57, 80))], ids=str)
@pytest.mark.parametrize("place", [(0.4, 0.6), (0.317, 0.291)], ids=str)
def test_positions_survive_to_a_tenth_of_a_source_pixel(source, target, place):
    ratio = np.divide(source, target)
    centre = np.multiply(source, place)
    drawn = gaussians(source, centre, 1.5 * ratio.max())
    found = summit(resized(drawn, target)) * ratio
    assert np.abs(found - centre).max() < 0.1


@pytest.mark.parametrize("shape", [(240, 300), (241, 301), (240, 301), (407, 573)], ids=str)
@pytest.mark.parametrize("diameter", [20, 27.3, 40])
@pytest.mark.parametrize("axis", [0, 1])
def test_positions_survive_all_of_the_way_to_the_network(shape, diameter, axis):
    """The phase of a wave tells where its crests lie."""
    period, crest = 1.5 * diameter, 3.3
    scaled = scaled_of(np.cos(2 * np.pi * (np.indices(shape)[axis] - crest) / period), diameter)
    line = scaled.image.numpy().mean(axis=1 - axis)
    phase = 2 * np.pi * np.arange(len(line)) * scaled.ratio[axis] / period
    waves = np.stack([np.cos(phase), np.sin(phase), np.ones_like(phase)], axis=-1)
    window = np.hanning(len(line)) ** 2  # the background is less well known at the edges
    (cosine, sine, _), *_ = np.linalg.lstsq(waves * window[:, None], line * window)
    assert abs(np.arctan2(sine, cosine) * period / (2 * np.pi) - crest) < 0.1


@pytest.mark.parametrize("shape", SOURCES, ids=str)
def test_the_ratio_is_what_really_came_out(shape):
    scaled = scaled_of(noise(shape), diameter=40)
    rows, columns = scaled.image.shape
    assert scaled.ratio == (shape[0] / rows, shape[1] / columns)
    assert rows == round(shape[0] * 13.5 / 40)
    assert scaled.shape == shape
    assert scaled.diameter == pytest.approx(40 / np.mean(scaled.ratio))


def test_to_source_and_from_source_are_inverses():
    scaled = scaled_of(noise((97, 150)))
    yx = np.random.default_rng(0).uniform(-0.5, 96, (50, 2)).astype(np.float32)
    assert np.allclose(scaled.to_source(scaled.from_source(yx)), yx, atol=1e-4)
    assert scaled.to_source(np.float32([[1, 1]]))[0] == pytest.approx(scaled.ratio)
    assert scaled.from_source(yx).dtype == scaled.to_source(yx).dtype == np.float32


@pytest.mark.parametrize("source", [*SOURCES, (5, 7)], ids=str)
@pytest.mark.parametrize("target", [*TARGETS, (1, 1), (200, 131)], ids=str)
def test_resizing_keeps_the_mean(source, target):
    image = noise(source) + 3
    assert resized(image, target).shape == target
    assert resized(image, target).mean() == pytest.approx(image.mean(), abs=1e-4)


def test_resizing_to_the_same_odd_size_changes_nothing():
    image = noise((31, 45))
    assert np.allclose(resized(image, (31, 45)), image, atol=1e-5)


@pytest.mark.parametrize("large", [(64, 90), (61, 87), (60, 120)], ids=str)
def test_enlarging_and_shrinking_again_changes_nothing(large):
    image = noise((31, 45))
    assert np.allclose(resized(resized(image, large), (31, 45)), image, atol=1e-5)


def test_shrinking_does_not_alias():
    y, _ = np.mgrid[:96, :96]
    fast = np.cos(2 * np.pi * y * 30 / 96).astype(np.float32)  # of a frequency above the Nyquist of 32 rows
    assert np.abs(resized(fast, (32, 32))).max() < 1e-5


@pytest.mark.parametrize("network_diameter", [None, 13.5])
def test_a_small_particle_keeps_the_files_own_pixels(network_diameter):
    config = PickerConfig(diameter=10, network_diameter=network_diameter)
    scaled = seen(Micrograph(noise((40, 51))), config)
    assert (scaled.image.shape, scaled.ratio, scaled.diameter) == ((40, 51), (1.0, 1.0), 10.0)


@pytest.mark.parametrize(("spacing", "size"), [(0.5, 9.0), (1.0, 9.0), (1.5, 9.0), (2.0, 9.0), (6.0, 6.0)])
@pytest.mark.parametrize("shape", [(96, 120), (97, 121)], ids=str)
def test_coarser_micrographs_are_enlarged_to_what_the_network_knows(spacing, size, shape):
    micrograph = Micrograph(noise(shape), spacing)
    scaled = seen(micrograph, PickerConfig(diameter=18, spacing=1.0, network_diameter=9))
    assert scaled.diameter == pytest.approx(size, rel=0.03)  # at most twice as large
    ends = np.float32([(0, 0), (shape[0] - 1, shape[1] - 1)])
    np.testing.assert_allclose(scaled.to_source(scaled.from_source(ends)), ends, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 200), (8, 8)], ids=str)
def test_the_smallest_micrographs_pass(shape):
    scaled = scaled_of(noise(shape), diameter=50)
    assert scaled.image.isfinite().all()
    assert scaled.valid.any()


def test_noise_becomes_unit_noise_whatever_its_grey_values():
    image = noise((240, 270))
    scaled, other = scaled_of(image), scaled_of(1000 * image + 30_000)
    assert scaled.image.median().abs() < 0.05
    assert 1.4826 * scaled.image.abs().median() == pytest.approx(1, abs=0.05)
    assert torch.allclose(scaled.image, other.image, atol=0.02)
    assert scaled.image.dtype == torch.float32


@pytest.mark.parametrize("shape", [(96, 120), (97, 121)], ids=str)
@pytest.mark.parametrize("network_diameter", [None, 13.5])
def test_inverted_contrast_is_exactly_the_negated_image(shape, network_diameter):
    image = 3 * gaussians(shape, [(30, 40), (60, 90)], 6) + noise(shape)
    as_is = scaled_of(image, network_diameter=network_diameter)
    inverted = scaled_of(-image, network_diameter=network_diameter)
    assert torch.equal(inverted.image, -as_is.image)
    assert torch.equal(inverted.image, as_is.inverted().image)
    assert torch.equal(inverted.valid, as_is.valid)


def test_the_median_lies_between_the_middle_two():
    assert median(torch.tensor([4.0, 1.0, 2.0, 9.0])) == 3
    assert median(torch.tensor([4.0, 1.0, 2.0])) == 2
    assert median(torch.tensor([5.0])) == 5


def test_a_gradient_hardly_matters():
    image = noise((400, 420))
    y, x = np.mgrid[:400, :420]
    plain, tilted = scaled_of(image, 30).image, scaled_of(image + y / 400 - x / 420, 30).image
    assert (plain - tilted)[30:-30, 30:-30].abs().mean() < 0.15
    assert torch.corrcoef(torch.stack([plain.ravel(), tilted.ravel()]))[0, 1] > 0.95


def test_gold_does_not_set_the_scale():
    image = noise((300, 300))
    y, x = np.mgrid[:300, :300]
    gold = np.hypot(y - 150, x - 150) < 12
    plain, other = scaled_of(image, 30).image, scaled_of(image - 20 * gold, 30).image
    near = torch.from_numpy(resized(gold.astype(np.float32), tuple(plain.shape))) > 0.5
    far = blurred(near.float(), 10) < 1e-3
    assert (other[near] == -CLIP).float().mean() > 0.9
    assert other[far].std() / plain[far].std() == pytest.approx(1, abs=0.03)
    assert torch.corrcoef(torch.stack([other[far], plain[far]]))[0, 1] > 0.98


@pytest.mark.parametrize("fill", ["zeros", "smeared"])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_dead_borders_are_marked_and_carry_zero(fill, side):
    image = noise((240, 270)) + 100
    turned = np.rot90(image, ["top", "right", "bottom", "left"].index(side))  # a view with that side on top
    turned[:60] = 0 if fill == "zeros" else turned[60]
    scaled = scaled_of(image)
    dead = np.zeros((240, 270), bool)
    np.rot90(dead, ["top", "right", "bottom", "left"].index(side))[:60] = True
    share = torch.from_numpy(resized(dead.astype(np.float32), tuple(scaled.image.shape)))
    deep, live = blurred(share, 1.5) > 0.99, blurred(share, 1.5) < 0.01
    assert not scaled.valid[deep].any()
    assert scaled.valid[live].all()
    assert not scaled.image[~scaled.valid].any()


def test_a_sliver_between_a_padding_and_the_edge_is_dead_too():
    image = noise((480, 540)) + 100
    image[400:465] = image[399]  # smeared, but for the last 15 rows: a third of a particle
    live = scaled_of(image).live
    assert not live[-20:].any()
    assert live[:-35].all()
    image[400:440] = noise((40, 540), 1) + 100  # now a whole particle finds room beyond a dead band
    assert scaled_of(image).live[:140].all()


@settings(deadline=None, max_examples=40)
@given(
    arrays(
        bool,
        st.tuples(st.integers(8, 20), st.integers(8, 20)),
        elements=st.sampled_from([True] * 9 + [False]),
    ),
    st.integers(2, 8),
)
def test_slivers_are_given_up_as_a_morphological_opening_does(live, width):
    expected = binary_opening(live, np.ones((width, width)))
    expected = expected if expected.any() else live
    np.testing.assert_array_equal(_opened(torch.from_numpy(live), width), expected)


@pytest.mark.parametrize("shape", [(240, 270), (241, 269)])
@pytest.mark.parametrize("small", [(60, 68), (57, 61)])
def test_resizing_with_dead_ground_is_resizing_the_field_filled_with_its_mean(shape, small):
    image, live = noise(shape), np.ones(small, bool)
    live[:13], live[:, -9:] = False, False
    rows, columns = (np.arange(side) * few // side for side, few in zip(shape, small, strict=True))
    alive = live[rows][:, columns]
    filled = np.where(alive, image, image[alive].mean(dtype=np.float64)).astype(np.float32)
    found = fourier_resize(torch.from_numpy(image), (48, 52), torch.from_numpy(live))
    np.testing.assert_allclose(found, resized(filled, (48, 52)), atol=1e-5)


@pytest.mark.parametrize("level", [0, 100, 5000])
def test_the_edge_of_a_padding_does_not_ring_through_the_field(level):
    image = noise((240, 270)) + 100
    whole = scaled_of(image).image
    image[:60] = level
    padded = scaled_of(image)
    difference = (padded.image - whole)[padded.valid]
    assert difference.abs().mean() < 0.1


def test_blurring_keeps_a_constant_and_widens_a_point():
    assert torch.allclose(blurred(torch.full((20, 31), 2.0), 3), torch.tensor(2.0))
    point = torch.zeros(41, 41)
    point[20, 20] = 1
    spread = blurred(point, 2)
    y = torch.arange(41.0) - 20
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert (spread.sum(1) * y**2).sum() == pytest.approx(4, rel=0.1)
    assert torch.allclose(spread, spread.T, atol=1e-7)


def test_a_micrograph_that_is_asked_for_again_is_not_rescaled_again():
    micrograph = Micrograph(np.random.default_rng(0).standard_normal((90, 80), np.float32), None)
    first = to_network_scale(micrograph, 20, 10)
    assert to_network_scale(micrograph, 20, 10) is first
    assert to_network_scale(micrograph, 25, 10) is not first
    assert to_network_scale(replace(micrograph), 20, 10) is not first
