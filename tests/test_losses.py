from __future__ import annotations

import math

import pytest
import torch

from cryopick_napari.losses import weighted_bce


def random_batch() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    logits, target, weight = torch.rand(3, 4, 1, 6, 5, generator=generator)
    return 4 * logits - 2, (target > 0.5).float(), weight


def test_an_undecided_network_loses_log_2():
    logits, target, weight = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3), torch.rand(2, 1, 3, 3)
    assert weighted_bce(logits, target, weight, weight.sum()).item() == pytest.approx(math.log(2))


def test_a_case_counted_by_hand():
    logits = torch.tensor([2.0, -1.0]).view(1, 1, 1, 2)
    target, weight = torch.tensor([1.0, 1.0]).view(1, 1, 1, 2), torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)
    wanted = (math.log1p(math.exp(-2)) + 3 * math.log1p(math.exp(1))) / 4
    assert weighted_bce(logits, target, weight, weight.sum()).item() == pytest.approx(wanted)


def test_a_pixel_without_weight_has_no_say():
    logits, target, weight = random_batch()
    weight[0] = 0
    logits.requires_grad_()
    loss = weighted_bce(logits, target, weight, weight.sum())
    loss.backward()
    assert not logits.grad[0].any()
    assert logits.grad[1:].all()
    other = target.clone()
    other[0] = 1 - other[0]
    assert weighted_bce(logits, other, weight, weight.sum()) == loss


def test_parts_of_a_batch_add_up():
    planes = random_batch()
    total = planes[2].sum()
    parts = [weighted_bce(*part, total) for part in zip(*(plane.split(1) for plane in planes), strict=True)]
    assert sum(parts).item() == pytest.approx(weighted_bce(*planes, total).item())
