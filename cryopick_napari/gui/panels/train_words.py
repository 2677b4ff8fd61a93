"""What the Train panel says."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from cryopick_napari.words import counted

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.models import ModelRecord
    from cryopick_napari.training import Progress

ENOUGH = 10  # particles to begin with
UNKNOWN = "–"
FIGURES = {"f1": "F1", "recall": "recall"}


def obstacle(session: Session, particles: int) -> str:
    """Say what has to be done before a training can start; empty if nothing."""
    if session.project is None or not session.micrographs:
        return "Open micrographs to begin."
    size = session.settings.size
    if size is None:
        return "Set the particle's diameter first (Label)."
    if size.in_angstrom and session.field is not None and session.spacing is None:
        return "Type the pixel size first (Micrographs), or give the diameter in px (Label)."
    if not particles:
        return f"Label some particles first (Label). Train when you have {ENOUGH} or more."
    return ""


def readiness(session: Session, particles: int, micrographs: int) -> str:
    """Say how good the model in use is, and what could be learned from."""
    record = session.learning.record
    told = obstacle(session, particles)
    if not told:
        labels = f"{counted(particles, 'particle')} on {counted(micrographs, 'micrograph')}"
        enough = particles >= ENOUGH
        told = f"{labels}: ready to train." if enough else f"{labels}. Train when you have {ENOUGH} or more."
    return told if record is None else f"{record.name}: {quality(record)}.\n{told}"


def quality(record: ModelRecord) -> str:
    """Say how good a model is."""
    found = record.validation
    known = [f"{word} {figure(found.get(key))}" for key, word in FIGURES.items() if is_known(found.get(key))]
    return f"{', '.join(known)} on held-out labels" if known else "not tested on held-out labels"


def course(progress: Progress | None, seconds: float | None, stopping: bool) -> str:
    """Say what a training is doing."""
    if stopping:
        return "Stopping: the best model so far is being kept."
    if progress is None:
        return "Preparing the training."
    if progress.phase == "preparing":
        return "Preparing: micrographs are being read."
    if progress.phase == "calibrating":
        return "Choosing the threshold on held-out labels."
    epoch = f"epoch {min(progress.epoch + 1, progress.epochs)} of {progress.epochs}"
    left = "" if seconds is None else f", {about(seconds)} left"
    if progress.round:
        return f"Self-training: round {progress.round} of {progress.rounds}, {epoch}{left}"
    return f"Training: {epoch}{left}"


def about(seconds: float) -> str:
    """Say a time as roughly as it is known."""
    if seconds < 3600:
        return (
            f"about {max(5, 5 * math.ceil(seconds / 5))} s"
            if seconds < 90
            else f"about {seconds / 60:.0f} min"
        )
    return f"about {seconds / 3600:.1f} h"


def figure(value: float | None) -> str:
    """Write a figure on held-out labels, or a dash where there is none."""
    return f"{value:.2f}" if value is not None and math.isfinite(value) else UNKNOWN


def is_known(value: float | None) -> bool:
    """Whether there is such a figure."""
    return figure(value) != UNKNOWN


def date(seconds: float) -> str:
    """Write a time as people of any country read it."""
    return time.strftime("%d %b, %H:%M", time.localtime(seconds)) if seconds else UNKNOWN
