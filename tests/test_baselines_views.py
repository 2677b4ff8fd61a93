"""Patches, their views, and a classifier that moves over a field."""

from __future__ import annotations

import pytest
import torch

from cryopick_napari.baselines.views import cut, shifted, strong, weak
from cryopick_napari.baselines.windows import patch_side, slide


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_patches_have_their_place_in_the_middle():
    image = torch.arange(80.0).view(8, 10)
    patches = cut(image, torch.tensor([[3, 4], [0, 0], [7, 9]]), 5)
    assert patches.shape == (3, 1, 5, 5)
    assert patches[:, 0, 2, 2].tolist() == [34, 0, 79]
    assert patches[0, 0, 0].tolist() == image[1, 2:7].tolist()
    assert patches[1, 0, :2].abs().max() == 0  # beyond the edge


def test_weak_views_are_the_patch_turned_or_mirrored(generator):
    patch = torch.rand(1, 1, 5, 5)
    views = weak(patch.expand(64, 1, 5, 5), generator)
    possible = [patch.rot90(turns, (2, 3)) for turns in range(4)]
    possible += [view.flip(3) for view in possible]
    seen = {next(i for i, other in enumerate(possible) if torch.equal(view[None], other)) for view in views}
    assert seen == set(range(8))
    assert (views[:, 0, 2, 2] == patch[0, 0, 2, 2]).all()


def test_strong_views_differ_more_than_weak_ones(generator):
    patches = torch.ones(64, 1, 21, 21)
    assert torch.equal(weak(patches, generator), patches)
    views = strong(patches, generator)
    assert (views != patches).float().mean() > 0.99
    holes = (views == 0).float().mean((1, 2, 3))
    assert 0.01 < holes.mean() < 0.4**2
    assert views.mean((1, 2, 3)).std() > 0.1  # contrast and brightness


def test_shifted_places_stay_near_and_on_the_field(generator):
    yx = torch.tensor([[0.0, 0.0], [50, 60], [99, 119]]).repeat(100, 1)
    moved = shifted(yx, torch.Size((100, 120)), 41, generator)
    assert (moved - yx).abs().max() == 2
    assert (moved >= 0).all()
    assert (moved < torch.tensor([100, 120])).all()


@pytest.mark.parametrize("shape", [(40, 52), (41, 53), (5, 9)])
def test_a_sliding_classifier_answers_at_its_nodes(shape):
    size = patch_side(4.0, 1.6)
    image = torch.rand(shape)
    seen = slide(image, size, 4, lambda patches: patches[:, 0, size // 2, size // 2])
    assert seen.shape == shape
    torch.testing.assert_close(seen[::4, ::4], image[::4, ::4])


@pytest.mark.parametrize("diameter", [13.5, 20.0])
def test_patches_have_a_middle_pixel(diameter):
    assert patch_side(diameter, 1.6) % 2 == 1
    assert abs(patch_side(diameter, 1.6) - 1.6 * diameter) <= 1
