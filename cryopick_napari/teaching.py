"""A training of a project, from labels to a saved model."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cryopick_napari.config import training_config
from cryopick_napari.errors import CryopickError
from cryopick_napari.history import Row, row_of
from cryopick_napari.lesson import Lesson, begin, forget
from cryopick_napari.models import Model, ModelRecord
from cryopick_napari.project import TRAINING, Project

if TYPE_CHECKING:
    from cryopick_napari.labels import Example
    from cryopick_napari.picker import Picker
    from cryopick_napari.training import Job, Progress

Rows = tuple[Row, ...]
Step = tuple["Progress", Rows]

# Two trainings at once would fight for the processors, and for the checkpoint.
_ONE_AT_A_TIME = threading.Lock()


def teach(
    lesson: Lesson, project: Project, resumes: bool = False
) -> Generator[Step, bool | None, Model | None]:
    """Train, keep a checkpoint an epoch in the project, and save the best as a new model.

    Yields
    ------
    progress : Progress
    rows : tuple of Row
        One for each epoch so far.

    Returns
    -------
    Model or None
        None if it was stopped before the first epoch was over.

    Raises
    ------
    CryopickError
        As training does, and if a micrograph or the checkpoint cannot be read.
    """
    with _ONE_AT_A_TIME:
        return (yield from _taught(lesson, project, resumes))


def _taught(lesson: Lesson, project: Project, resumes: bool) -> Generator[Step, bool | None, Model | None]:
    from cryopick_napari.checkpoint import load_checkpoint
    from cryopick_napari.devices import default_preset, resolve_device
    from cryopick_napari.selftraining import self_train

    preset = lesson.preset or default_preset(resolve_device(lesson.training.get("device", "auto")))
    examples = yield from _examples(lesson)
    if len(examples) < len(lesson.labels):  # stopped
        return None
    only_clicks = not any(labels.complete for labels in lesson.labels.values())
    config = training_config(preset, only_clicks, lesson.training)
    picker = _new_picker(lesson, examples, preset, config.seed, config.from_scratch)
    resume = load_checkpoint(project.folder / TRAINING, "training") if resumes else None
    if resume is None:
        begin(project, replace(lesson, preset=preset))
    rows: Rows = () if resume is None else tuple(resume.header.get("history", ()))
    job = self_train(picker, examples, lesson.unlabelled, config, resume=resume)
    return (yield from _kept(job, lesson, project, rows, resume is not None))


def _examples(lesson: Lesson) -> Generator[Step, bool | None, list[Example]]:
    """Read the labelled micrographs; not all of them once it is stopped."""
    from cryopick_napari.examples import few_labels
    from cryopick_napari.labels import Example
    from cryopick_napari.micrograph import read_micrograph
    from cryopick_napari.training import Progress

    examples: list[Example] = []
    plan = Progress("preparing", steps=len(lesson.labels), message=few_labels(lesson.particles))
    for number, (path, labels) in enumerate(lesson.labels.items()):
        if (yield replace(plan, step=number), ()):
            break
        micrograph = read_micrograph(path, lesson.spacing)
        if lesson.size.in_angstrom and micrograph.spacing is None:
            raise CryopickError(
                f"the pixel size of {path.name} is unknown: type it under Micrographs, "
                "or give the diameter in px under Label"
            )
        examples.append(Example(micrograph, labels))
    return examples


def _new_picker(
    lesson: Lesson, examples: Sequence[Example], preset: str, seed: int, from_scratch: bool
) -> Picker:
    from cryopick_napari.examples import new_picker

    size = lesson.size
    return new_picker(
        examples,
        size.diameter if size.in_angstrom else None,
        radius=None if size.in_angstrom else size.diameter / 2,
        preset=preset,
        settings=lesson.picker,
        seed=seed,
        from_scratch=from_scratch,
    )


def _kept(
    job: Job, lesson: Lesson, project: Project, rows: Rows, has_best: bool
) -> Generator[Step, bool | None, Model | None]:
    """Run a training; keep its checkpoints, and its model in the end."""
    from cryopick_napari.checkpoint import save_checkpoint

    answer: bool | None = None
    is_cut_short = False
    while True:
        try:
            progress = job.send(answer)
        except StopIteration as end:
            picker: Picker = end.value
            break
        if progress.checkpoint is not None:
            save_checkpoint(_here(project).folder / TRAINING, progress.checkpoint)
            has_best = True
        if progress.validation is not None:
            rows = (*rows, row_of(progress))
        answer = yield replace(progress, checkpoint=None), rows
        is_cut_short |= bool(answer) and progress.phase != "calibrating"
        if is_cut_short and not has_best:  # a model of a few steps is worse than none
            job.close()
            return None
    place = _here(project)
    record = ModelRecord(
        place.models.new_name(),
        time.time(),
        lesson.particles,
        len(lesson.labels),
        picker.training["validation"],
        rows,
    )
    place.models.save(picker, record)
    if not is_cut_short:
        forget(place)
    return Model(picker, record)


def _here(project: Project) -> Project:
    """Find a project that may have been given another folder in the meantime."""
    return Project.opened(project.folder)
