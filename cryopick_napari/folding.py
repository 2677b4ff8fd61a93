"""A network for picking alone: batch normalisation folded into the convolutions before it."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cryopick_napari.picker import Picker


def folded(picker: Picker) -> Picker:
    """Make a copy of a picker that answers the same, up to rounding, a fifth quicker.

    It is for picking only: it can be neither trained nor saved, and has another fingerprint.
    """
    network = copy.deepcopy(picker.network).eval()
    for layers in network.modules():
        if isinstance(layers, nn.Sequential):
            _fold(layers)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return replace(picker, network=network.requires_grad_(False))


def _fold(layers: nn.Sequential) -> None:
    """Replace each convolution that a normalisation follows by both of them in one."""
    for index in range(len(layers) - 1):
        convolution, normalisation = layers[index], layers[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
            layers[index] = fuse_conv_bn_eval(convolution, normalisation)
            layers[index + 1] = nn.Identity()
