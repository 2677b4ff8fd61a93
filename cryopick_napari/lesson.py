"""What a training of a project learns from, and how an interrupted one is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import spread
from cryopick_napari.project import TRAINING, Project, Settings, content_of, labels_from

LESSON = "training.json"  # beside the checkpoint: what it was a training of
MOST_UNLABELLED = 30  # micrographs that self-training keeps in memory


@dataclass(frozen=True, eq=False)
class Lesson:
    """All that a training needs, as it was when it began.

    Attributes
    ----------
    preset : str or None
        None takes what suits the device.
    picker, training : mapping
        Fields of `PickerConfig` and `TrainingConfig` that differ from the preset's.
    size : ParticleSize
    spacing : float or None
        Å/px, where the files do not say it.
    labels : mapping of Path to Labels
        Of the labelled micrographs.
    unlabelled : tuple of Path
        Micrographs that self-training may learn from, too.
    """

    preset: str | None
    picker: Mapping[str, Any]
    training: Mapping[str, Any]
    size: ParticleSize
    spacing: float | None
    labels: Mapping[Path, Labels]
    unlabelled: tuple[Path, ...] = ()

    @property
    def particles(self) -> int:
        """How many are labelled."""
        return sum(len(labels.positives) for labels in self.labels.values())


def lesson_of(
    settings: Settings,
    labels: Mapping[Path, Labels],
    preset: str | None,
    picker: Mapping[str, Any],
    training: Mapping[str, Any],
) -> Lesson:
    """Say what a training of a project learns from.

    Parameters
    ----------
    settings : Settings
        Of the project.
    labels : mapping of Path to Labels
        Of every micrograph that is not rejected; those without labels may teach a self-training.
    preset, picker, training
        As of `Lesson`.

    Raises
    ------
    CryopickError
        If the particle's size or labels are missing.
    """
    labelled = {path: some for path, some in labels.items() if _says_something(some)}
    if settings.size is None:
        raise CryopickError("set the particle's diameter first, under Label")
    if not any(len(some.positives) for some in labelled.values()):
        raise CryopickError("label some particles first, under Label: 10 are a start")
    others = spread([path for path in labels if path not in labelled], MOST_UNLABELLED)
    return Lesson(preset, picker, training, settings.size, settings.spacing, labelled, tuple(others))


def _says_something(labels: Labels) -> bool:
    return bool(len(labels.positives) or len(labels.negatives) or labels.complete)


def can_resume(project: Project) -> bool:
    """Whether a training of the project was interrupted."""
    return all((project.folder / name).exists() for name in (LESSON, TRAINING))


def forget(project: Project) -> None:
    """Remove an interrupted training."""
    for name in (TRAINING, LESSON):
        (project.folder / name).unlink(missing_ok=True)


def begin(project: Project, lesson: Lesson) -> None:
    """Write down what the checkpoints to come belong to."""
    forget(project)
    content = {
        "preset": lesson.preset,
        "picker": dict(lesson.picker),
        "training": dict(lesson.training),
        "diameter": lesson.size.diameter,
        "in_angstrom": lesson.size.in_angstrom,
        "spacing": lesson.spacing,
        "micrographs": [content_of(path, labels) for path, labels in lesson.labels.items()],
        "unlabelled": [str(path) for path in lesson.unlabelled],
    }
    write_json(project.folder / LESSON, content)


def interrupted(project: Project) -> Lesson:
    """Read what an interrupted training was about.

    Raises
    ------
    CryopickError
        If it is not known any more.
    """
    path = project.folder / LESSON
    try:
        content = read_json(path)
        return Lesson(
            content["preset"],
            content["picker"],
            content["training"],
            ParticleSize(content["diameter"], content["in_angstrom"]),
            content["spacing"],
            {Path(entry["micrograph"]): labels_from(entry, path) for entry in content["micrographs"]},
            tuple(map(Path, content["unlabelled"])),
        )
    except (CryopickError, KeyError, TypeError, AttributeError) as error:
        raise CryopickError(
            f"the interrupted training cannot go on ({path} is damaged): train anew"
        ) from error
