"""What an interrupted training needs to go on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cryopick_napari.checkpoint import Checkpoint
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field
from cryopick_napari.history import Row
from cryopick_napari.network import PickingNetwork
from cryopick_napari.optimiser import Optimiser

DIGESTED = "labels and areas "  # of which a subject is the digest


@dataclass(eq=False)
class Best:
    """The best network so far."""

    network: PickingNetwork
    quality: float = -math.inf
    epoch: int = 0


def subject_of(picker: PickerConfig, fields: Sequence[Field]) -> str:
    """Digest what is trained on what: the picker's settings, the labels, and what is held out of them."""
    settings = dataclasses.replace(picker, threshold=0.0).for_digest()
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for field in fields:
        for yx in (field.positives, field.negatives):
            digest.update(np.asarray(yx, np.float32).tobytes() + b";")
        for ground in (field.complete, field.usable, field.held):
            digest.update(np.packbits(ground).tobytes() + b";")
    return DIGESTED + digest.hexdigest()


def checkpoint_of(
    epoch: int, optimiser: Optimiser, best: Best, history: list[Row], config: TrainingConfig, subject: str
) -> Checkpoint:
    """Gather what `restore` needs."""
    parts = {
        "network": optimiser.network.state_dict(),
        "best": best.network.state_dict(),
        "optimiser": optimiser.state(),
    }
    tensors = {
        f"{part}.{name}": value.clone() for part, state in parts.items() for name, value in state.items()
    }
    header = {
        "epoch": epoch,
        "best_epoch": best.epoch,
        "quality": best.quality,
        "history": history,
        "config": dataclasses.asdict(config),
        "subject": subject,
    }
    return Checkpoint("training", header, tensors)


def restore(
    checkpoint: Checkpoint,
    optimiser: Optimiser,
    best: Best,
    history: list[Row],
    config: TrainingConfig,
    subject: str,
) -> int:
    """Take up an interrupted training; return the epochs it had done.

    Raises
    ------
    CryopickError
        If the checkpoint is of a training with other settings, particles or labels.
    """
    header = checkpoint.header
    saved, wanted = header.get("config"), dataclasses.asdict(config)
    # Settings that are younger than the checkpoint had their defaults.
    if not isinstance(saved, dict) or dataclasses.asdict(TrainingConfig()) | saved != wanted:
        raise CryopickError("the interrupted training had other settings: resume with those, or train anew")
    known = str(header.get("subject"))
    if known.startswith(DIGESTED) and known != subject:  # older checkpoints do not say, or less
        raise CryopickError(
            "the interrupted training was of another network, particle size, or other labels: "
            "resume with those, or train anew"
        )
    try:
        optimiser.network.load_state_dict(part_of(checkpoint, "network"))
        best.network.load_state_dict(part_of(checkpoint, "best"))
        optimiser.restore(part_of(checkpoint, "optimiser"))
        best.quality, best.epoch = float(header["quality"]), int(header["best_epoch"])
        history.extend(dict(row) for row in header["history"])
        return int(header["epoch"])
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise CryopickError("the interrupted training was of another network: train anew") from error


def part_of(checkpoint: Checkpoint, part: str) -> dict[str, torch.Tensor]:
    """Select the tensors whose names begin with ``part.``, without it."""
    return {
        name.removeprefix(f"{part}."): value
        for name, value in checkpoint.tensors.items()
        if name.startswith(f"{part}.")
    }
