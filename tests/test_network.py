from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cryopick_napari.metrics import roc_auc
from cryopick_napari.network import (
    AttentionUNet,
    PickingNetwork,
    SpatialAttention,
    UNet,
    mean_over_heads,
    parameter_count,
)
from cryopick_napari.template import matched_filter

SIZES = [(1, 1), (1, 7), (2, 3), (5, 40), (16, 16), (17, 31), (33, 64), (47, 15)]


KINDS = [
    {"gate": "additive", "spatial_attention": True},
    {"gate": "multihead", "heads": 3},
    {"gate": "multihead", "heads": 3, "spatial_attention": True},
    {"gate": "none", "spatial_attention": True},
]


def attention_unet(depth: int = 3, channels: int = 1, seed: int = 0, **attention) -> AttentionUNet:
    """Make a small network whose gates differ from place to place."""
    torch.manual_seed(seed)
    network = AttentionUNet(channels, base_features=4, depth=depth, **attention)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # one pass sets the statistics
    network(torch.randn(4, channels, 64, 64))
    return network.eval()


@pytest.mark.parametrize(("kind", "count"), [(AttentionUNet, 31_393_901), (UNet, 31_042_369)])
def test_parameters_are_those_of_the_paper(kind, count):
    with torch.device("meta"):
        assert parameter_count(kind()) == count


def test_frozen_parameters_do_not_count():
    layer = nn.Linear(3, 2)
    assert parameter_count(layer) == 8
    assert parameter_count(layer.requires_grad_(False)) == 0


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
@torch.inference_mode()
def test_any_size_goes_in_and_comes_out(size, depth):
    logits, maps = attention_unet(depth).with_attention(torch.randn(2, 1, *size))
    assert logits.shape == (2, 1, *size)
    assert logits.isfinite().all()
    assert list(maps) == [f"att{level}" for level in range(1, depth + 1)]
    for level, alpha in enumerate(maps.values()):
        assert alpha.shape == (2, 1, *(-(-side // 2**level) for side in size))
        assert ((alpha >= 0) & (alpha <= 1)).all()


@torch.inference_mode()
def test_padding_is_a_reflection_that_is_cropped_away():
    network, image = attention_unet(), torch.randn(1, 1, 17, 24)
    rows = [*range(17), *range(15, 8, -1)]
    assert torch.allclose(network(image), network(image[..., rows, :])[..., :17, :], atol=1e-6)


def test_channels_and_features_are_as_asked():
    network = AttentionUNet(in_channels=3, out_channels=2, base_features=1, depth=2).eval()
    assert network(torch.randn(1, 3, 9, 9)).shape == (1, 2, 9, 9)
    assert UNet(base_features=6, depth=2).encoder[2][0].out_channels == 24


@torch.inference_mode()
def test_attention_maps_are_what_the_skips_are_multiplied_by():
    network, image = attention_unet(), torch.randn(1, 1, 32, 40)
    gates, joined = {}, {}
    for level in range(3):
        network.gates[level].register_forward_hook(
            lambda _, given, alpha, at=level: gates.update({at: (given[1], alpha)})
        )
        network.decoder[level].register_forward_hook(
            lambda _, given, __, at=level: joined.update({at: given[0]})
        )
    _, maps = network.with_attention(image)
    for level in range(3):
        skip, alpha = gates[level]
        assert maps[f"att{level + 1}"].data_ptr() == alpha.data_ptr()
        assert torch.equal(maps[f"att{level + 1}"], alpha)
        assert torch.equal(joined[level][:, : skip.shape[1]], alpha * skip)
        assert alpha.std() > 0.01


@torch.inference_mode()
def test_get_attention_maps_returns_those_of_the_forward_pass():
    network, image = attention_unet(), torch.randn(1, 1, 21, 30)
    maps = network.with_attention(image)[1]
    assert all(torch.equal(alpha, maps[name]) for name, alpha in network.get_attention_maps(image).items())
    assert len(maps) == 3


@pytest.mark.parametrize("kind", KINDS, ids=str)
@torch.inference_mode()
def test_every_kind_multiplies_the_skips_by_the_maps_it_shows(kind):
    network, image = attention_unet(**kind), torch.randn(2, 1, 21, 30)
    heads = kind.get("heads", 1)
    maps, seen = network.get_attention_maps(image), {}
    for level in range(3):
        network.decoder[level].register_forward_hook(
            lambda _, given, __, at=level: seen.update({at: given[0]})
        )
    skips = []
    for level in range(3):
        network.encoder[level].register_forward_hook(lambda _, __, skip: skips.append(skip))
    logits = network(image)
    for level, (skip, (name, alpha)) in enumerate(zip(skips, maps.items(), strict=True)):
        height, width = alpha.shape[-2:]
        assert (name, alpha.shape[:2]) == (f"att{level + 1}", (2, heads))
        assert ((alpha >= 0) & (alpha <= 1)).all()
        assert alpha.std() > 1e-3
        skip = skip[..., :height, :width]
        weighed = torch.cat([alpha[:, [head]] * skip for head in range(heads)], dim=1)
        wanted = network.combine[level](weighed) if heads > 1 else weighed
        joined = seen[level][:, : skip.shape[1], :height, :width]
        assert torch.allclose(joined, wanted, atol=1e-6)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_learns_with_all_its_parameters(kind):
    network = attention_unet(**kind).train()
    network(torch.randn(2, 1, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    weights = [p for name, p in network.named_parameters() if p.dim() == 4]
    assert all(p.grad.any() for p in weights)


@torch.inference_mode()
def test_heads_look_at_different_things_and_each_counts():
    network, image = attention_unet(gate="multihead", heads=3), torch.randn(1, 1, 32, 40)
    answer = network(image)
    for alpha in network.get_attention_maps(image).values():
        likeness = torch.corrcoef(alpha[0].flatten(1))
        assert (likeness[~torch.eye(3, dtype=torch.bool)].abs() < 0.95).all()
    for head in network.gates[0].heads:
        handle = head.register_forward_hook(lambda _, __, alpha: torch.zeros_like(alpha))
        closed = network(image)
        handle.remove()
        assert not torch.allclose(closed, answer, atol=1e-4)
    assert torch.equal(network(image), answer)


def test_heads_that_are_paid_for_different_things_part():
    """Two heads of one gate learn to open for bright and for dark places."""
    torch.manual_seed(0)
    gate = attention_unet(gate="multihead", heads=2).gates[0].train()
    skip = torch.randn(8, 4, 16, 16)
    wanted = torch.cat([skip[:, :1] > 0.5, skip[:, :1] < -0.5], dim=1).float()
    adam = torch.optim.Adam(gate.parameters(), lr=3e-2)
    for _ in range(150):
        adam.zero_grad()
        nn.functional.mse_loss(gate(torch.zeros_like(skip), skip), wanted).backward()
        adam.step()
    alpha = gate(torch.zeros_like(skip), skip)
    bright, dark = wanted.bool().unbind(1)
    assert alpha[:, 0][bright].mean() > 0.7 > 0.3 > alpha[:, 0][dark].mean()
    assert alpha[:, 1][dark].mean() > 0.7 > 0.3 > alpha[:, 1][bright].mean()


def test_one_head_shows_itself_and_several_their_mean():
    maps = torch.tensor([0.2, 0.4, 0.9]).view(1, 3, 1, 1)
    assert mean_over_heads(maps).item() == pytest.approx(0.5)
    assert mean_over_heads(maps).shape == (1, 1, 1, 1)
    assert torch.equal(mean_over_heads(maps[:, :1]), maps[:, :1])


def test_spatial_attention_pools_over_channels_as_cbam():
    layer = SpatialAttention()
    with torch.no_grad():
        layer.conv.weight.zero_()
        layer.conv.weight[0, :, 3, 3] = torch.tensor([2.0, -1.0])
        layer.conv.bias.fill_(0.5)
    features = torch.tensor([[1.0, 4.0, -2.0]]).view(1, 3, 1, 1)
    assert layer(features).item() == pytest.approx(1 / (1 + math.exp(-(2 * 4 - 1 + 0.5))))
    assert layer.conv.kernel_size == (7, 7)
    assert parameter_count(layer) == 2 * 7 * 7 + 1


def test_spatial_attention_learns_where_a_texture_is():
    """No single pixel tells a speckled patch from its surroundings: a neighbourhood does."""
    torch.manual_seed(0)
    layer, where = SpatialAttention(), torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    for number, (top, left) in enumerate([(2, 3), (20, 18), (10, 16), (17, 1)]):
        where[number, :, top : top + 11, left : left + 11] = True
    features = torch.rand(4, 5, 32, 32) * (0.6 + 0.4 * where)
    adam = torch.optim.Adam(layer.parameters(), lr=3e-2)
    for _ in range(200):
        adam.zero_grad()
        nn.functional.binary_cross_entropy(layer(features[:3]), where[:3].float()).backward()
        adam.step()
    unseen = layer(features[3:])
    assert roc_auc(unseen.detach().numpy(), where[3:].numpy()) > 0.99
    assert roc_auc(features[3:].mean(1, keepdim=True).numpy(), where[3:].numpy()) < 0.92


def test_the_parameters_of_attention_are_those_a_plain_unet_lacks():
    plain = parameter_count(UNet(base_features=4, depth=3))
    assert [*UNet(base_features=4, depth=3).attention_parameters()] == []
    for kind in [{}, *KINDS[:1], KINDS[3]]:
        network = attention_unet(**kind)
        own = sum(parameter.numel() for parameter in network.attention_parameters())
        assert parameter_count(network) == plain + own
        assert own > 0


def test_several_heads_have_the_parameters_counted_by_hand():
    network = AttentionUNet(base_features=4, depth=1, gate="multihead", heads=3)
    head = 2 * ((4 * 2 + 2) + 2 * 2) + (2 * 1 + 1) + 2  # two transforms and psi, each normalised
    assert sum(p.numel() for p in network.attention_parameters()) == 3 * head + (3 * 4 * 4 + 4)


@pytest.mark.parametrize("level", range(3))
@torch.inference_mode()
def test_closing_any_gate_changes_the_answer(level):
    network, image = attention_unet(), torch.randn(1, 1, 32, 40)
    open_answer = network(image)
    network.gates[level].register_forward_hook(lambda _, __, alpha: torch.zeros_like(alpha))
    answer, maps = network.with_attention(image)
    assert not maps[f"att{level + 1}"].any()
    assert not torch.allclose(answer, open_answer, atol=1e-4)


@torch.inference_mode()
def test_open_gates_make_a_plain_unet():
    network, image = attention_unet(), torch.randn(1, 1, 19, 40)
    plain = UNet(base_features=4, depth=3).eval()
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("gates.")})
    assert not torch.allclose(network(image), plain(image), atol=1e-4)
    for gate in network.gates:
        gate.register_forward_hook(lambda _, __, alpha: torch.ones_like(alpha))
    assert torch.equal(network(image), plain(image))
    assert plain.with_attention(image)[1] == {}


@torch.inference_mode()
def test_evaluation_is_deterministic_and_independent_of_the_batch():
    network, images = attention_unet(), torch.randn(3, 1, 24, 24)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert torch.equal(network(images), network(images))
    assert torch.allclose(network(images)[1:2], network(images[1:2]), atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_every_parameter_learns():
    network = attention_unet().train()
    network(torch.randn(2, 1, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert all(gate.W_x[0].weight.grad.any() and gate.W_g[0].weight.grad.any() for gate in network.gates)


@torch.inference_mode()
def test_the_filter_is_the_second_channel():
    network = PickingNetwork(attention_unet(channels=2), kernel_side=5).eval()
    image = torch.randn(2, 1, 20, 24)
    assert not network.with_filter(image)[:, 1].any()
    blank = network(image)
    network.kernel.copy_(torch.randn(5, 5))
    network.gain.fill_(2.5)
    both = network.with_filter(image)
    assert torch.equal(both[:, :1], image)
    assert torch.allclose(both[:, 1:], 2.5 * matched_filter(image, network.kernel))
    assert torch.equal(network(image), network.unet(both))
    assert not torch.allclose(network(image), blank)
    assert torch.equal(
        network.get_attention_maps(image)["att1"], network.unet.get_attention_maps(both)["att1"]
    )


@torch.inference_mode()
def test_without_a_filter_the_image_goes_in_alone():
    network = PickingNetwork(UNet(base_features=2, depth=2)).eval()
    image = torch.randn(1, 1, 8, 8)
    assert network.with_filter(image) is image
    assert network.get_attention_maps(image) == {}


@pytest.mark.parametrize("shape", [(48, 60), (45, 61), (31, 30)])
@torch.inference_mode()
def test_a_finer_filter_sees_the_image_while_the_unet_sees_it_smaller(shape):
    network = PickingNetwork(attention_unet(channels=2), 5, blends=True, finer_side=9, zoom=0.6).eval()
    network.kernel.copy_(torch.randn(5, 5))
    network.finer.copy_(torch.randn(9, 9))
    network.contrast.fill_(1.7)
    image = torch.randn(1, 1, *shape)
    small = network.smaller(image)
    assert small.shape[-2:] == tuple(round(0.6 * side) for side in shape)
    assert torch.equal(network.with_filter(small)[:, 1:], network.filtered(small))
    network.weights.copy_(torch.tensor([0.0, 2.0, -1.0]))
    assert torch.allclose(network(image), 2 * matched_filter(image, network.finer) - 1)
    network.weights.copy_(torch.tensor([1.0, 0.0, 0.0]))
    alone = network.unet(network.with_filter(small))
    assert network(image).shape == image.shape
    assert network(image).mean() == pytest.approx(float(alone.mean()), abs=0.05)
    maps = network.get_attention_maps(image)
    for level, alpha in enumerate(maps.values()):
        assert alpha.shape[-2:] == tuple(-(-side // 2**level) for side in shape)
        assert alpha.min() >= 0
        assert alpha.max() <= 1


@pytest.mark.parametrize("shape", [(301, 203), (256, 320)])
@torch.inference_mode()
def test_attention_maps_of_a_smaller_image_lie_where_they_lay(shape):
    network = PickingNetwork(attention_unet(), blends=True, kernel_side=3, finer_side=5, zoom=0.675).eval()
    image = torch.randn(1, 1, *shape)
    small = network.smaller(image)
    maps = network.get_attention_maps(image)
    for level, (name, coarse) in enumerate(network.unet.get_attention_maps(small).items()):
        stride = 2**level
        middles = [
            # The middle of each cell in the whole image, and the cell of the enlarged map that is there.
            ((torch.arange(cells) + 0.5) * stride * large / little / stride - 0.5)
            .round()
            .long()
            .clamp(max=most - 1)
            for cells, large, little, most in zip(
                coarse.shape[-2:], image.shape[-2:], small.shape[-2:], maps[name].shape[-2:], strict=True
            )
        ]
        there = maps[name][0, 0][middles[0]][:, middles[1]]
        moved = maps[name][0, 0].roll((1, 1), (0, 1))[middles[0]][:, middles[1]]
        right, wrong = (
            torch.corrcoef(torch.stack([coarse.flatten(), one.flatten()]))[0, 1] for one in (there, moved)
        )
        assert right > 0.9
        assert right > wrong + 0.1


def test_the_filter_is_saved_and_never_trained():
    network = PickingNetwork(UNet(2, base_features=2, depth=2), kernel_side=3)
    assert {"kernel", "gain"} <= set(network.state_dict())
    assert parameter_count(network) == parameter_count(network.unet)
