from __future__ import annotations

import pytest
import torch

from cryopick_napari.config import TrainingConfig
from cryopick_napari.devices import autocast, default_preset, gradient_scaler, resolve_device
from cryopick_napari.errors import CryopickError

CPU = torch.device("cpu")


def test_auto_finds_a_device_that_computes():
    device = resolve_device()
    assert torch.ones(3, device=device).sum().item() == 3
    assert device.type != "cpu" or not torch.cuda.is_available()
    assert resolve_device("cpu") == CPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA card")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_card_that_is_not_there_is_refused(name):
    with pytest.raises(CryopickError, match=f"no device '{name}' here: use --device cpu"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:99", "cuda:x", "meta", "hpu", "cpu cpu", "Grafikkarte"])
def test_nonsense_is_refused(name):
    with pytest.raises(CryopickError, match="--device"):
        resolve_device(name)


def test_a_card_gets_the_full_preset():
    assert default_preset(CPU) == "small"
    assert default_preset(torch.device("cuda")) == "full"


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_precision_is_as_asked(precision, dtype):
    layer = torch.nn.Linear(4, 4)
    with autocast(CPU, precision):
        assert layer(torch.ones(1, 4)).dtype == dtype
    assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert gradient_scaler(CPU, precision).is_enabled() == (precision == "float16")


def test_automatic_precision_never_needs_a_gradient_scaler():
    with autocast(CPU, TrainingConfig().precision):
        assert torch.nn.Linear(4, 4)(torch.ones(1, 4)).dtype in (torch.float32, torch.bfloat16)
    assert not gradient_scaler(CPU, "auto").is_enabled()
