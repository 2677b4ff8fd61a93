"""Which processor to compute on, and in which arithmetic."""

from __future__ import annotations

import contextlib

import torch

from cryopick_napari.errors import CryopickError


def resolve_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device.

    Raises
    ------
    CryopickError
        If this machine, or this PyTorch, has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # some devices can be named, but compute nothing
    except (RuntimeError, AssertionError, ImportError) as error:
        raise CryopickError(f"no device {name!r} here: use --device cpu, or auto") from error
    return device


def default_preset(device: torch.device) -> str:
    """Choose the preset that suits a device: full on a CUDA card, small elsewhere."""
    return "full" if device.type == "cuda" else "small"


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Run what follows in an arithmetic of ``TrainingConfig.precision``.

    ``auto`` takes bfloat16 where the processor has it, float32 elsewhere.
    """
    dtype = _dtype(device, precision)
    return contextlib.nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def gradient_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Make the gradient scaler that float16 needs and other arithmetics pass by."""
    return torch.amp.GradScaler(device.type, enabled=_dtype(device, precision) == torch.float16)


def _dtype(device: torch.device, precision: str) -> torch.dtype | None:
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device.type) else None
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


def _has_bfloat16(device: str) -> bool:
    """Whether the processor computes in bfloat16 itself, rather than emulating it."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        abilities = torch.cpu.get_capabilities()
        return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16") or abilities.get("bf16"))
    return False
