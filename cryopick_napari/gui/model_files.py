"""Models of a project between the disk and the memory: slow, for jobs only."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing
from cryopick_napari.gui.computing import import_torch, import_training
from cryopick_napari.models import Model, ModelRecord, Models

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker


def load_model(models: Models, name: str) -> Model:
    """Read a model of a project; slow, and imports PyTorch.

    Raises
    ------
    CryopickError
        If it is missing or damaged.
    """
    return Model(_load(models.file(name)), models.record(name))


def import_model(models: Models, path: Path) -> Model:
    """Copy a model from elsewhere into a project.

    Raises
    ------
    CryopickError
        If it is none, or cannot be written.
    """
    picker = _load(path)
    name = models.new_name() if models.file(path.stem).exists() else path.stem
    validation = picker.training.get("validation")
    record = ModelRecord(name, time.time(), validation=validation if isinstance(validation, dict) else {})
    models.save(picker, record)
    return Model(picker, record)


def _load(path: Path) -> Picker:
    import_torch()
    from cryopick_napari.devices import resolve_device
    from cryopick_napari.picker import Picker

    return Picker.load(path, resolve_device())


def suggested_preset() -> str:
    """Say which preset suits this computer; imports all that a training needs."""
    import_training()
    from cryopick_napari.devices import default_preset, resolve_device

    return default_preset(resolve_device())


def copy_model(source: Path, target: Path) -> None:
    """Copy a model's file.

    Raises
    ------
    CryopickError
        If it is gone, or the copy cannot be written.
    """
    if not source.exists():
        raise CryopickError(f"{source} is gone: was it moved or deleted?")
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
