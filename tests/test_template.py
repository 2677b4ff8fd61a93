from __future__ import annotations

import numpy as np
import pytest
import torch
from drawing import gaussians, noise
from scipy.ndimage import correlate

from cryopick_napari.template import BINS, REACH, kernel_of, kernel_side, matched_filter, radial_profile


def gaussian_profile(diameter: float) -> torch.Tensor:
    radius = (torch.arange(BINS) + 0.5) * REACH * diameter / BINS
    return torch.exp(-(radius**2) / (2 * (diameter / 4) ** 2))


def test_profile_counts_the_pixels_of_a_disc():
    total, count = radial_profile(torch.full((60, 70), 3.0), np.float32([(30, 30), (30.4, 40.7)]), 10)
    assert np.allclose(total, 3 * count)
    assert count.sum() == pytest.approx(2 * np.pi * (REACH * 10) ** 2, rel=0.02)


def test_profile_of_a_gaussian_falls_off_as_it_does():
    centres = np.float32([(30.3, 30.8), (31.1, 80.5), (90.2, 50.6)])
    total, count = radial_profile(torch.from_numpy(gaussians((120, 120), centres, 5)), centres, 20)
    radius = (np.arange(BINS) + 0.5) * REACH * 20 / BINS
    assert np.abs(total / count - np.exp(-(radius**2) / 50)).max() < 0.03


def test_profiles_of_fields_add_up():
    image = torch.from_numpy(noise((50, 50)))
    yx = np.float32([(10, 12), (30, 33)])
    parts = radial_profile(image, yx[:1], 9) + radial_profile(image, yx[1:], 9)
    assert np.allclose(radial_profile(image, yx, 9), parts)


def test_profile_ends_with_the_field_and_with_the_labels():
    image = torch.ones(40, 40)
    corner = radial_profile(image, np.float32([(0, 0)]), 10)[1].sum()
    whole = radial_profile(image, np.float32([(20, 20)]), 10)[1].sum()
    assert whole / 4 < corner < whole / 3
    assert not radial_profile(image, np.zeros((0, 2), np.float32), 10).any()


@pytest.mark.parametrize("diameter", [3, 9.3, 13.5])
def test_kernel_has_mean_0_norm_1_and_an_odd_side(diameter):
    kernel = kernel_of(gaussian_profile(diameter), diameter)
    side = kernel_side(diameter)
    assert kernel.shape == (side, side)
    assert side % 2 == 1
    assert side >= 2 * REACH * diameter
    assert kernel.sum() == pytest.approx(0, abs=1e-5)
    assert kernel.norm() == pytest.approx(1)
    assert kernel.argmax() == kernel.numel() // 2
    assert torch.equal(kernel, kernel.T)
    assert torch.equal(kernel, kernel.flip(0))
    assert kernel[0, 0] == 0


def test_kernel_draws_the_profile():
    kernel = kernel_of(gaussian_profile(12), 12)
    drawn = torch.from_numpy(gaussians(tuple(kernel.shape), [(10, 10)], 3))
    inside = kernel != 0
    assert torch.corrcoef(torch.stack([kernel[inside], drawn[inside]]))[0, 1] > 0.999


@pytest.mark.parametrize("side", [15, 21, 31])
def test_kernel_may_be_cut_or_framed(side):
    kernel = kernel_of(gaussian_profile(12), 12, side)
    assert kernel.shape == (side, side)
    assert kernel.sum() == pytest.approx(0, abs=1e-5)
    assert kernel.norm() == pytest.approx(1)


def test_an_empty_profile_makes_an_empty_kernel():
    assert not kernel_of(torch.zeros(BINS), 9).any()


@pytest.mark.parametrize("shape", [(24, 31), (9, 8)], ids=str)
def test_filter_is_a_correlation_that_reflects_at_the_edges(shape):
    image, kernel = noise(shape), noise((7, 7), seed=1)
    answer = matched_filter(torch.from_numpy(image)[None, None], torch.from_numpy(kernel))
    assert np.allclose(answer[0, 0], correlate(image, kernel, mode="mirror"), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40)], ids=str)
def test_filter_takes_fields_smaller_than_the_template(shape):
    answer = matched_filter(torch.ones(2, 1, *shape), kernel_of(gaussian_profile(9), 9))
    assert answer.shape == (2, 1, *shape)
    assert answer.abs().max() < 1e-5


def test_filter_turns_unit_noise_into_unit_noise_and_answers_particles():
    kernel = kernel_of(gaussian_profile(10), 10)
    background = torch.from_numpy(noise((200, 200)))[None, None]
    assert matched_filter(background, kernel).std() == pytest.approx(1, abs=0.05)
    particle = torch.from_numpy(gaussians((80, 80), [(31, 47)], 2.5))[None, None]
    answer = matched_filter(particle, kernel)[0, 0]
    assert divmod(int(answer.argmax()), 80) == (31, 47)
