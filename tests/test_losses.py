from __future__ import annotations

import math
import typing

import pytest
import torch

from cryopick_napari.config import TrainingConfig
from cryopick_napari.losses import (
    LOSSES,
    attention_loss,
    focal_dice,
    weighted_bce,
    weighted_dice,
    weighted_focal,
)

ALL = pytest.mark.parametrize("loss", [*LOSSES.values(), weighted_focal, weighted_dice])


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


@ALL
def test_a_pixel_without_weight_has_no_say(loss):
    logits, target, weight = random_batch()
    weight[0] = weight[2, 0, :3] = 0
    unseen = weight == 0
    logits.requires_grad_()
    found = loss(logits, target, weight, weight.sum())
    found.backward()
    assert not logits.grad[unseen].any()
    assert logits.grad[~unseen].all()
    other = torch.where(unseen, 1 - target, target)
    assert loss(logits, other, weight, weight.sum()) == found


@ALL
@pytest.mark.parametrize("size", [1, 3])
def test_parts_of_a_batch_add_up(loss, size):
    planes = random_batch()
    total = planes[2].sum()
    parts = [loss(*part, total) for part in zip(*(plane.split(size) for plane in planes), strict=True)]
    assert sum(parts).item() == pytest.approx(loss(*planes, total).item())


@ALL
def test_what_is_right_costs_nothing_and_what_is_wrong_does(loss):
    _, target, weight = random_batch()
    right, wrong = (loss(side * 60 * (target - 0.5), target, weight, weight.sum()) for side in (1, -1))
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert wrong.item() > 0.9


def plane(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_focal_counted_by_hand():
    logits, target, weight = plane(logit(0.9), logit(0.2)), plane(1, 0), plane(1, 3)
    wanted = (0.1**2 * -math.log(0.9) + 3 * 0.2**2 * -math.log(0.8)) / 4
    assert weighted_focal(logits, target, weight, weight.sum()).item() == pytest.approx(wanted)


@pytest.mark.parametrize(("given", "part"), [(0.5, 0.25), (0.9, 0.01), (0.99, 0.0001)])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_an_easy_pixel_counts_a_hundredth_of_its_cross_entropy(given, part, target):
    """Lin et al. 2017, sec. 3.2: with gamma 2, 100 times less at 0.9, and 10,000 times at 0.99."""
    logits = plane(logit(given) if target else -logit(given))
    one = plane(1.0)
    focal, entropy = (loss(logits, plane(target), one, one.sum()) for loss in (weighted_focal, weighted_bce))
    assert focal.item() == pytest.approx(part * entropy.item(), rel=1e-4)


def test_focal_pulls_at_hard_pixels_more_than_at_easy_ones():
    def pull(loss):
        logits = plane(logit(0.9), logit(0.1)).requires_grad_()
        loss(logits, plane(1, 1), plane(1, 1), torch.tensor(2.0)).backward()
        easy, hard = logits.grad.abs().flatten().tolist()
        return hard / easy

    def slope(p):  # of -(1 - p)^2 log(p) against the logit of p
        return (1 - p) ** 2 * (1 - p - 2 * p * math.log(p))

    assert pull(weighted_bce) == pytest.approx(0.9 / 0.1, rel=1e-4)
    assert pull(weighted_focal) == pytest.approx(slope(0.1) / slope(0.9), rel=1e-4)
    assert pull(weighted_focal) > 40 * pull(weighted_bce)


def test_dice_counted_by_hand():
    logits, target, weight = plane(logit(0.8), logit(0.4), logit(0.5)), plane(1, 0, 1), plane(2, 1, 0.5)
    both = 2 * 0.8 + 0.5 * 0.5
    squares = (2 * 0.64 + 0.16 + 0.5 * 0.25) + (2 + 0.5)
    assert weighted_dice(logits, target, weight, weight.sum()).item() == pytest.approx(
        1 - (2 * both + 1) / (squares + 1)
    )


def test_dice_is_taken_crop_by_crop_and_averaged_over_their_weights():
    logits = torch.tensor([[logit(0.8)] * 4, [logit(0.3)] * 4]).view(2, 1, 2, 2)
    target, weight = torch.ones(2, 1, 2, 2), torch.tensor([1.0, 0.25]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    first = 1 - (2 * 4 * 0.8 + 1) / (4 * 0.64 + 4 + 1)
    second = 1 - (2 * 0.3 + 1) / (0.09 + 1 + 1)
    wanted = (4 * first + 1 * second) / 5
    assert weighted_dice(logits, target, weight, weight.sum()).item() == pytest.approx(wanted)


def test_a_crop_without_particles_is_right_if_nothing_is_answered():
    target, weight = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    nothing, something = (
        weighted_dice(torch.full((1, 1, 8, 8), level), target, weight, weight.sum()) for level in (-60.0, 0.0)
    )
    assert nothing.item() == pytest.approx(0)
    assert something.item() == pytest.approx(1 - 1 / (64 * 0.25 + 1))


def test_the_combined_loss_is_seven_parts_focal_and_three_parts_dice():
    planes = random_batch()
    total = planes[2].sum()
    parts = 0.7 * weighted_focal(*planes, total) + 0.3 * weighted_dice(*planes, total)
    assert focal_dice(*planes, total).item() == pytest.approx(parts.item())
    assert LOSSES["focal-dice"] is focal_dice


def test_every_loss_of_the_configuration_is_there():
    assert typing.get_args(typing.get_type_hints(TrainingConfig)["loss"]) == tuple(LOSSES)


def maps_for(target: torch.Tensor, seed: int = 0, heads: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = target.shape
    sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(3)]
    return {
        f"att{level}": torch.rand(count, heads, *size, generator=generator)
        for level, size in enumerate(sizes, 1)
    }


def test_attention_is_pulled_to_the_mean_target_below_each_pixel():
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).view(1, 1, 2, 4)
    weight = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]]).view(1, 1, 2, 4)
    coarse = torch.tensor([0.6, 0.3]).view(1, 1, 1, 2)
    fine = torch.full((1, 1, 2, 4), 0.5)
    entropy = 4 * -(0.75 * math.log(0.6) + 0.25 * math.log(0.4)) + 2 * -math.log(0.7)
    wanted = (math.log(2) + entropy / 6) / 2
    found = attention_loss({"att1": fine, "att2": coarse}, target, weight, weight.sum())
    assert found.item() == pytest.approx(wanted, rel=1e-3)


def test_attention_where_nothing_is_known_is_left_alone():
    _, target, weight = random_batch()
    weight[1] = 0
    maps = {name: alpha.requires_grad_() for name, alpha in maps_for(target).items()}
    loss = attention_loss(maps, target, weight, weight.sum())
    loss.backward()
    for alpha in maps.values():
        assert not alpha.grad[1].any()
        assert alpha.grad[[0, 2, 3]].all()
    other = target.clone()
    other[1] = 1 - other[1]
    assert attention_loss(maps, other, weight, weight.sum()) == loss


def test_attention_losses_of_parts_add_up_at_any_size():
    _, target, weight = random_batch()  # 6 x 5 px: neither side is a multiple of 4
    maps, total = maps_for(target), weight.sum()
    whole = attention_loss(maps, target, weight, total)
    parts = [
        attention_loss({name: alpha[[i]] for name, alpha in maps.items()}, target[[i]], weight[[i]], total)
        for i in range(4)
    ]
    assert sum(parts).item() == pytest.approx(whole.item())


def test_only_the_mean_over_the_heads_is_pulled():
    _, target, weight = random_batch()
    maps = maps_for(target, heads=2)
    swapped = {name: alpha.flip(1) for name, alpha in maps.items()}
    mean = {name: alpha.mean(1, keepdim=True) for name, alpha in maps.items()}
    losses = [attention_loss(each, target, weight, weight.sum()).item() for each in (maps, swapped, mean)]
    assert losses == pytest.approx([losses[0]] * 3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_attention_of_exactly_0_or_1_has_gradients_that_low_precision_holds(kind):
    alpha = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=kind).view(1, 1, 1, 4).requires_grad_()
    attention_loss({"att1": alpha}, plane(0, 0, 1, 1), plane(1, 1, 1, 1), torch.tensor(4.0)).backward()
    assert alpha.grad.isfinite().all()
    assert (alpha.grad.flatten().sign() == torch.tensor([1, 1, -1, -1])).all()
