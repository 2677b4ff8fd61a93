from __future__ import annotations

import pytest
import torch
from drawing import drawn_micrograph
from torch import nn

from cryopick_napari.config import PickerConfig
from cryopick_napari.folding import folded
from cryopick_napari.picker import Picker

KINDS = [
    {},
    {"gate": "multihead"},
    {"gate": "none"},
    {"gate": "none", "spatial_attention": True},
    {"blend": True},
    {"depth": 0},
]


def used(config: PickerConfig) -> Picker:
    """Make a picker whose normalisations have seen something."""
    picker = Picker.new(config)
    with torch.no_grad():
        for layer in picker.network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                for tensor in (layer.running_mean, layer.weight, layer.bias):
                    tensor += 0.3 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1))
                layer.running_var *= 1.7
        picker.network.kernel += 0.1
    return picker


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_folded_network_answers_the_same(kind):
    config = PickerConfig(9, 2.0, 9, **{"base_features": 2, "depth": 2, **kind})
    picker = used(config)
    before = {name: tensor.clone() for name, tensor in picker.network.state_dict().items()}
    quick = folded(picker)
    image = torch.from_numpy(drawn_micrograph().image)[None, None]
    with torch.inference_mode():
        logits, maps = picker.network.with_attention(image)
        same, same_maps = quick.network.with_attention(image)
    torch.testing.assert_close(same, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(same_maps, maps, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in picker.network.state_dict().items())
