"""What an Attention U-Net is compared with: ResNet FixMatch and DETR, of the extra ``baselines``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cryopick_napari.errors import CryopickError


def transformers() -> Any:
    """Import the library that holds both networks; nothing is ever downloaded by it.

    Raises
    ------
    CryopickError
        If it is not installed.
    """
    try:
        return import_module("transformers")
    except ImportError as error:
        raise CryopickError(
            "ResNet FixMatch and DETR need one more library: pip install 'cryopick-napari[baselines]'"
        ) from error
