from __future__ import annotations

import pytest
import torch

from cryopick_napari.patches import Canvas, batch

MARK = (21, 34)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def marked(shape: tuple[int, int] = (50, 70), mark: tuple[int, int] = MARK) -> Canvas:
    """Mark one pixel in all three planes; everywhere else the weight is 1."""
    planes = torch.zeros(3, *shape)
    planes[2] = 1
    planes[:, *mark] = torch.tensor([1000.0, 1.0, 0.25])
    return Canvas(planes, torch.tensor([mark], dtype=torch.float32))


def test_image_target_and_weight_stay_together():
    image, target, weight = batch([marked()], 200, 16, seeded(), near_label=1.0)
    assert image.shape == target.shape == weight.shape == (200, 1, 16, 16)
    seen = target.sum((1, 2, 3)) == 1
    assert seen.float().mean() > 0.85  # rounding puts some marks just outside
    assert torch.equal(image > 500, target == 1)
    assert torch.equal(weight == 0.25, target == 1)
    assert torch.equal(weight == 1, target == 0)


def test_a_crop_comes_in_all_eight_orientations():
    canvas = marked((16, 16), (2, 5))
    _, target, _ = batch([canvas], 200, 16, seeded(), near_label=0.0)
    assert {tuple(place) for place in target[:, 0].nonzero()[:, 1:].tolist()} == {
        (2, 5), (2, 10), (13, 5), (13, 10), (5, 2), (10, 2), (5, 13), (10, 13)
    }  # fmt: skip


def test_labels_are_sought_as_often_as_asked():
    canvas = marked((400, 400))
    shares = [(batch([canvas], 200, 16, seeded(), near)[1].sum() / 200).item() for near in (0.0, 0.5, 1.0)]
    assert shares[0] < 0.05
    assert 0.35 < shares[1] < 0.65
    assert shares[2] > 0.85


def test_every_part_of_a_field_is_cut_out():
    planes = torch.stack([torch.zeros(20, 30), torch.arange(600.0).view(20, 30), torch.ones(20, 30)])
    _, target, _ = batch([Canvas(planes, torch.zeros(0, 2))], 300, 16, seeded(), near_label=1.0)
    assert set(target.long().unique().tolist()) == set(range(600))


def test_every_field_is_drawn_from():
    canvases = [Canvas(torch.full((3, 20, 20), float(value)), torch.zeros(0, 2)) for value in range(3)]
    _, target, _ = batch(canvases, 60, 16, seeded(), near_label=0.5)
    assert set(target.unique().tolist()) == {0, 1, 2}


@pytest.mark.parametrize("shape", [(10, 12), (40, 9), (1, 1)], ids=str)
def test_small_fields_are_padded_with_what_does_not_count(shape):
    canvas = Canvas(torch.ones(3, *shape), torch.tensor([[0.0, 0.0]]))
    _, target, weight = batch([canvas], 20, 16, seeded(), near_label=0.5)
    inside = min(shape[0], 16) * min(shape[1], 16)
    assert (weight.sum((1, 2, 3)) == inside).all()
    assert torch.equal(target, weight)


def test_the_generator_decides_all_and_nothing_else_does():
    canvas = Canvas(torch.randn(3, 40, 40), torch.tensor([[20.0, 20.0]]))
    first = batch([canvas], 8, 16, seeded(1), 0.5)
    torch.randn(100)
    again, other = batch([canvas], 8, 16, seeded(1), 0.5), batch([canvas], 8, 16, seeded(2), 0.5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_contrast_brightness_and_noise_vary_and_the_field_does_not():
    field = torch.randn(40, 40, generator=seeded())
    canvas = Canvas(torch.stack([field, field, field.abs()]), torch.zeros(0, 2))
    before = canvas.planes.clone()
    image, target, weight = batch([canvas], 100, 32, seeded(), 0.0)
    assert torch.equal(canvas.planes, before)
    assert torch.equal(target.abs(), weight)
    slope = (image * target).mean((1, 2, 3)) / target.square().mean((1, 2, 3))
    assert 0.7 < slope.min() < 0.9 < 1.1 < slope.max() < 1.35
    assert 0.1 < (image - target).mean((1, 2, 3)).std() < 0.3
    added = (image - slope[:, None, None, None] * target).std((1, 2, 3))
    assert added.min() < 0.1 < 0.3 < added.max() < 0.45
