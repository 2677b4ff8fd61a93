from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cryopick_napari.config import TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.metrics import roc_auc
from cryopick_napari.network import AttentionUNet, PickingNetwork, UNet, mean_over_heads
from cryopick_napari.optimiser import AdamW, Crops, Optimiser

CONFIG = TrainingConfig(batch_size=8, precision="float32", gradient_clip=1e6)


class SmallMemory(UNet):
    """A network for which more than so many crops are too many."""

    room = 3

    def forward(self, image: Tensor) -> Tensor:
        if len(image) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(image)


def network(kind: type[UNet] = UNet, statistics: bool = False, **attention: object) -> PickingNetwork:
    """Make a small network; without batch statistics, a crop's answer does not depend on the others."""
    torch.manual_seed(0)
    made = PickingNetwork(kind(base_features=4, depth=2, **attention))
    for block in made.modules():
        for name, layer in [*block.named_children()]:
            if isinstance(layer, nn.BatchNorm2d) and not statistics:
                setattr(block, name, nn.Identity())
    return made


def crops(count: int = 8, seed: int = 0) -> Crops:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(count, 1, 16, 16, generator=generator)
    weight = torch.rand(count, 1, 16, 16, generator=generator)
    return image, (image > 1).float(), weight


def gradients(made: PickingNetwork) -> Tensor:
    return torch.cat([p.grad.flatten() for p in made.parameters() if p.grad is not None])


@pytest.mark.parametrize("at_once", [1, 2, 3, 5])
@pytest.mark.parametrize("settings", [{}, {"loss": "focal-dice"}, {"attention_supervision": 0.3}], ids=str)
def test_accumulated_gradients_are_those_of_one_batch(at_once, settings):
    config = replace(CONFIG, **settings)
    whole, parts = (Optimiser(network(AttentionUNet), config) for _ in range(2))
    parts.at_once = at_once
    assert parts.step(crops(), 1e-3) == pytest.approx(whole.step(crops(), 1e-3), rel=1e-5)
    assert torch.allclose(gradients(parts.network), gradients(whole.network), rtol=1e-4, atol=1e-7)
    assert gradients(whole.network).norm() > 1e-3


def test_accumulation_steps_go_through_batch_by_batch():
    sizes = []
    optimiser = Optimiser(network(), TrainingConfig(batch_size=3, precision="float32"))
    optimiser.network.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    optimiser.step(crops(8), 1e-3)
    assert sizes == [3, 3, 2]


def test_out_of_memory_halves_the_crops_at_once_and_changes_nothing_else():
    small, large = Optimiser(network(SmallMemory), CONFIG), Optimiser(network(), CONFIG)
    assert small.step(crops(), 1e-3) == pytest.approx(large.step(crops(), 1e-3), rel=1e-5)
    assert torch.allclose(gradients(small.network), gradients(large.network), rtol=1e-4, atol=1e-7)
    assert small.at_once == 2
    assert "2 crops at a time" in small.news()
    assert small.news() == large.news() == ""
    small.step(crops(seed=1), 1e-3)
    assert small.at_once == 2


def test_out_of_memory_with_one_crop_says_what_to_do():
    optimiser = Optimiser(network(SmallMemory), CONFIG)
    optimiser.network.unet.room = 0
    with pytest.raises(CryopickError, match="--patch-size"):
        optimiser.step(crops(), 1e-3)


@pytest.mark.parametrize("precision", ["auto", "bfloat16", "float16"])
def test_lower_precision_gives_nearly_the_same_loss(precision):
    exact, quick = (
        Optimiser(network(), CONFIG),
        Optimiser(network(), TrainingConfig(batch_size=8, precision=precision)),
    )
    wanted = exact.step(crops(), 1e-3)
    assert quick.step(crops(), 1e-3) == pytest.approx(wanted, rel=0.01)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in quick.network.parameters())
    assert quick.step(crops(), 1e-3) < wanted


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("clip", [0.5, 1e-3])
def test_clipping_bounds_the_gradient_and_keeps_its_direction(clip, precision):
    free = Optimiser(network(), CONFIG)
    bound = Optimiser(network(), TrainingConfig(batch_size=8, precision=precision, gradient_clip=clip))
    for optimiser in (free, bound):
        optimiser.network.unet.head.bias.data.fill_(20.0)  # far from right: a large gradient
        optimiser.step(crops(), 1e-3)
    long, short = gradients(free.network), gradients(bound.network)
    assert long.norm() > 0.5 > 0.999 * clip
    assert short.norm() == pytest.approx(clip, rel=1e-2)
    assert torch.cosine_similarity(long, short, dim=0) > 0.99


def test_the_learning_rate_is_that_of_the_step():
    optimiser = Optimiser(network(), CONFIG)
    before = [p.clone() for p in optimiser.network.parameters()]
    optimiser.step(crops(), 0.0)
    assert all(torch.equal(p, q) for p, q in zip(optimiser.network.parameters(), before, strict=True))
    optimiser.step(crops(), 1e-2)
    moved = [(p - q).abs().max() for p, q in zip(optimiser.network.parameters(), before, strict=True)]
    assert 0.005 < max(moved) < 0.02


def test_repeated_steps_learn_the_crops():
    optimiser = Optimiser(network(AttentionUNet, statistics=True), CONFIG)
    losses = [optimiser.step(crops(), 1e-2) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_diverged_training_says_so():
    image, target, weight = crops()
    with pytest.raises(CryopickError, match="--learning-rate"):
        Optimiser(network(), CONFIG).step((image * math.inf, target, weight), 1e-3)


def test_crops_without_any_weight_change_no_gradient():
    image, target, weight = crops()
    optimiser = Optimiser(network(), CONFIG)
    assert optimiser.step((image, target, 0 * weight), 1e-3) == 0
    assert not gradients(optimiser.network).any()


def test_the_state_takes_up_where_it_was():
    first = Optimiser(network(), CONFIG)
    for seed in range(3):
        first.step(crops(seed=seed), 1e-3)
    second = Optimiser(network(), CONFIG)
    second.network.load_state_dict(first.network.state_dict())
    second.restore({name: value.clone() for name, value in first.state().items()})
    for optimiser in (first, second):
        optimiser.step(crops(seed=9), 1e-3)
    pairs = zip(first.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def test_a_new_optimiser_has_no_state():
    optimiser = Optimiser(network(), CONFIG)
    assert optimiser.state() == {}
    optimiser.restore({})
    assert optimiser.step(crops(), 1e-3) > 0


def test_the_compiler_of_pytorch_is_not_imported():
    code = (
        "import sys, torch\n"
        "from cryopick_napari.config import TrainingConfig\n"
        "from cryopick_napari.network import PickingNetwork, UNet\n"
        "from cryopick_napari.optimiser import Optimiser\n"
        "optimiser = Optimiser(PickingNetwork(UNet(base_features=4)), TrainingConfig(batch_size=2))\n"
        "optimiser.step([torch.rand(2, 1, 16, 16) for _ in range(3)], 1e-3)\n"
        "optimiser.restore(optimiser.state())\n"
        "print(*{'torch._dynamo', 'sympy'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_without_the_compiler_adamw_is_the_same():
    ours, theirs = network(), network()
    settings = {"lr": 1e-2, "weight_decay": 1e-2}
    pairs = (
        (ours, AdamW(ours.parameters(), **settings)),
        (theirs, torch.optim.AdamW(theirs.parameters(), **settings)),
    )
    for step in range(3):
        for made, adamw in pairs:
            adamw.zero_grad()
            made(crops(seed=step)[0]).square().mean().backward()
            adamw.step()
    for here, there in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(here, there)
        assert here.requires_grad


# Attention.


def drawn_crops(seed: int = 0) -> Crops:
    """Draw bright discs on noise, all of them labelled."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    places = 4 + 24 * torch.rand(8, 3, 2, generator=generator)
    reach = ((rows - places[..., :1, None]) ** 2 + (columns - places[..., 1:, None]) ** 2).amin(1)
    disc = (reach.reshape(8, 1, 32, 32) <= 3**2).float()
    return 2 * disc + torch.randn(disc.shape, generator=generator), disc, torch.ones_like(disc)


def map_aucs(made: PickingNetwork, crops: Crops) -> list[float]:
    """Area under the ROC curve of each level's map against the discs."""
    image, target, _ = crops
    with torch.inference_mode():
        maps = made.eval().get_attention_maps(image).values()
    found = (nn.functional.interpolate(mean_over_heads(alpha), target.shape[2:]) for alpha in maps)
    return [roc_auc(alpha.numpy(), target.numpy() > 0.5) for alpha in found]


def learned(steps: int = 40, attention: dict[str, object] | None = None, **settings: object) -> Optimiser:
    optimiser = Optimiser(network(AttentionUNet, True, **(attention or {})), replace(CONFIG, **settings))
    for seed in range(steps):
        optimiser.step(drawn_crops(seed), 1e-2)
    return optimiser


@pytest.mark.parametrize(
    "attention", [{}, {"gate": "multihead", "heads": 2}, {"gate": "none", "spatial_attention": True}], ids=str
)
def test_supervised_maps_show_the_particles(attention):
    free, supervised = (learned(attention=attention, attention_supervision=w).network for w in (0.0, 0.5))
    before, after = (map_aucs(made, drawn_crops(1000)) for made in (free, supervised))
    assert min(after) > 0.9
    assert 1 - min(after) < 0.5 * (1 - min(before))


def test_supervision_reaches_gates_and_leaves_the_head_to_the_answer():
    one, both = (
        Optimiser(network(AttentionUNet), replace(CONFIG, attention_supervision=w)) for w in (1.0, 3.0)
    )
    for optimiser in (one, both):
        optimiser.step(crops(), 0.0)
    first, second = one.network.unet, both.network.unet
    assert torch.allclose(first.head.weight.grad, second.head.weight.grad)
    assert not torch.allclose(first.gates[0].psi[0].weight.grad, second.gates[0].psi[0].weight.grad)
    assert both.step(crops(), 0.0) > one.step(crops(), 0.0)


def moved(optimiser: Optimiser, steps: int = 3) -> tuple[float, float]:
    """How far gates and the rest went."""
    own = set(map(id, optimiser.network.unet.attention_parameters()))
    before = [(p, p.detach().clone()) for p in optimiser.network.parameters()]
    for seed in range(steps):
        optimiser.step(crops(seed=seed), 1e-3)
    far = [(id(p) in own, (p - old).abs().mean().item()) for p, old in before]
    gates, rest = ([distance for is_gate, distance in far if is_gate is which] for which in (True, False))
    return sum(gates) / len(gates), sum(rest) / len(rest)


@pytest.mark.parametrize("factor", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("attention", [{}, {"gate": "multihead", "heads": 2, "spatial_attention": True}])
def test_gates_have_a_learning_rate_of_their_own(factor, attention):
    config = replace(CONFIG, learning_rate=1e-3, weight_decay=0.0)
    same, own = (
        moved(Optimiser(network(AttentionUNet, True, **attention), replace(config, gate_learning_rate=rate)))
        for rate in (None, factor * 1e-3)
    )
    assert own[0] / same[0] == pytest.approx(factor, rel=0.2)
    assert own[1] / same[1] == pytest.approx(1, rel=0.05)


def test_the_rate_of_the_gates_follows_the_schedule():
    optimiser = Optimiser(network(AttentionUNet), replace(CONFIG, gate_learning_rate=3e-4))
    optimiser.step(crops(), CONFIG.learning_rate / 2)
    assert [group["lr"] for group in optimiser.adamw.param_groups] == pytest.approx([1.5e-3, 1.5e-4])


def test_a_state_with_a_rate_for_gates_takes_up_where_it_was():
    config = replace(CONFIG, gate_learning_rate=1e-4)
    first, second = (Optimiser(network(AttentionUNet), config) for _ in range(2))
    first.step(crops(seed=1), 1e-3)
    second.network.load_state_dict(first.network.state_dict())
    second.restore({name: value.clone() for name, value in first.state().items()})
    for optimiser in (first, second):
        optimiser.step(crops(seed=2), 1e-3)
    pairs = zip(first.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize("settings", [{"attention_supervision": 0.1}, {"gate_learning_rate": 1e-4}], ids=str)
def test_a_plain_unet_has_no_attention_to_teach(settings):
    with pytest.raises(CryopickError, match=r"plain U-Net.*--gate"):
        Optimiser(network(), replace(CONFIG, **settings))


def test_focal_dice_learns_the_crops_too():
    optimiser = learned(40, loss="focal-dice")
    image, target, _ = drawn_crops(1000)
    with torch.inference_mode():
        answer = optimiser.network.eval()(image)
    assert roc_auc(answer.numpy(), target.numpy() > 0.5) > 0.97


def test_in_half_precision_a_resumed_training_goes_on_with_the_same_scale():
    half = TrainingConfig(batch_size=8, precision="float16")
    first = Optimiser(network(), half)
    first.step(crops(), 1e-3)
    first.scaler.update(128.0)
    again = Optimiser(network(), half)
    again.network.load_state_dict(first.network.state_dict())
    again.restore(first.state())
    assert again.scaler.state_dict() == first.scaler.state_dict()
    assert again.scaler.get_scale() == 128.0
    assert again.step(crops(), 1e-3) == first.step(crops(), 1e-3)
    exact = Optimiser(network(), CONFIG)
    exact.restore(first.state())  # what was begun in half precision
    assert exact.step(crops(), 1e-3) > 0
