"""Tensors and their description in one safetensors file: models, and trainings to be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing

FORMAT = "cryopick-napari"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Named tensors and a header of plain values.

    Attributes
    ----------
    kind : str
        ``model`` or ``training``.
    header : mapping
        Whatever JSON can say.
    tensors : mapping of str to tensor
    """

    kind: str
    header: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to a temporary name and rename it.

    Raises
    ------
    CryopickError
        If it cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": checkpoint.kind,
        "header": json.dumps(checkpoint.header),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    with replacing(path) as temporary:
        try:
            # Written by ourselves: the library makes files that only their owner can read.
            temporary.write_bytes(save(tensors, metadata))
        except SafetensorError as error:
            raise CryopickError(f"cannot write {path}: {error}") from error


def load_checkpoint(path: Path, kind: str) -> Checkpoint:
    """Read a checkpoint; nothing in the file is ever executed.

    Parameters
    ----------
    path : Path
        Of a safetensors file.
    kind : str
        ``model`` or ``training``.

    Raises
    ------
    CryopickError
        If the file is missing, damaged, of another kind or program, or of a newer version.
    """
    try:
        with path.open("rb"):  # safetensors does not say why it cannot
            pass
        with safe_open(path, framework="pt") as file:
            header = _header(path, kind, file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise CryopickError(_unreadable(path, error)) from error
    return Checkpoint(kind, header, tensors)


def _header(path: Path, kind: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Check what a file says it is, and read its header."""
    if metadata.get("format") != FORMAT:
        raise CryopickError(f"{path} was not written by cryopick: give the model.safetensors of a training")
    if not metadata.get("version", "").isdigit() or int(metadata["version"]) > VERSION:
        raise CryopickError(f"{path} is of a newer cryopick: upgrade with pip install -U cryopick-napari")
    if metadata.get("kind") != kind:
        raise CryopickError(f"{path} holds a {metadata.get('kind')}, not a {kind}")
    try:
        header = json.loads(metadata["header"])
    except (KeyError, ValueError, RecursionError) as error:
        raise CryopickError(f"{path} has a damaged header: train or copy it again") from error
    if not isinstance(header, dict):
        raise CryopickError(f"{path} has a damaged header: train or copy it again")
    return header


def _unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return f"{path} does not exist: train a model first, or correct the path"
    if path.is_dir():
        return f"{path} is a folder: give the model.safetensors in it"
    if isinstance(error, PermissionError):
        return f"{path}: no permission to read it: ask its owner for it"
    return f"{path} is damaged or not a safetensors file ({error}): copy or train it again"
