"""Pick particles in cryo-EM micrographs with an Attention U-Net."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryopick_napari.config import PickerConfig, TrainingConfig
    from cryopick_napari.coordinates import CoordinateSet, read_coordinates, write_coordinates
    from cryopick_napari.errors import CryopickError
    from cryopick_napari.examples import new_picker
    from cryopick_napari.labels import Example, Labels
    from cryopick_napari.micrograph import Micrograph, read_micrograph
    from cryopick_napari.network import AttentionUNet, UNet
    from cryopick_napari.picker import Picker
    from cryopick_napari.picks import Picks
    from cryopick_napari.selftraining import self_train
    from cryopick_napari.simulate import SAMPLE_DIAMETER, sample
    from cryopick_napari.training import Progress, completed, train

_HOME = {
    "AttentionUNet": "network",
    "CoordinateSet": "coordinates",
    "CryopickError": "errors",
    "Example": "labels",
    "Labels": "labels",
    "Micrograph": "micrograph",
    "Picker": "picker",
    "PickerConfig": "config",
    "Picks": "picks",
    "Progress": "training",
    "SAMPLE_DIAMETER": "simulate",
    "TrainingConfig": "config",
    "UNet": "network",
    "completed": "training",
    "new_picker": "examples",
    "read_coordinates": "coordinates",
    "read_micrograph": "micrograph",
    "sample": "simulate",
    "self_train": "selftraining",
    "train": "training",
    "write_coordinates": "coordinates",
}

__all__ = [
    "SAMPLE_DIAMETER",
    "AttentionUNet",
    "CoordinateSet",
    "CryopickError",
    "Example",
    "Labels",
    "Micrograph",
    "Picker",
    "PickerConfig",
    "Picks",
    "Progress",
    "TrainingConfig",
    "UNet",
    "completed",
    "new_picker",
    "read_coordinates",
    "read_micrograph",
    "sample",
    "self_train",
    "train",
    "write_coordinates",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, a help text must not."""
    if name == "__version__":
        from importlib.metadata import version

        return version("cryopick-napari")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
