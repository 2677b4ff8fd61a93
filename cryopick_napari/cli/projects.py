"""``cryopick pick --project`` and ``cryopick train --project``: what the window does, without it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from cryopick_napari.batch import PickSettings
from cryopick_napari.cli import EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED
from cryopick_napari.cli.options import given
from cryopick_napari.cli.progress import bar_of, completed, report, show, stop_request
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.devices import resolve_device
from cryopick_napari.errors import CryopickError
from cryopick_napari.exporting import export
from cryopick_napari.general import PRIMING, general_picker
from cryopick_napari.holding import hold
from cryopick_napari.lesson import can_resume, interrupted, lesson_of
from cryopick_napari.material import Choice, gathered
from cryopick_napari.micrograph import read_micrograph, spread
from cryopick_napari.models import Model
from cryopick_napari.picker import Picker
from cryopick_napari.project import Project, Settings
from cryopick_napari.remaining import Step, pick_as_set
from cryopick_napari.teaching import teach

# What the project says itself, and what needs a list of files.
NOT_PICKING = (
    *("paths", "model", "watch", "shard", "scheduler", "diameter", "particle_radius", "spacing", "masks"),
    *("save_masks", "save_maps", "overlay", "sum_frames", "contamination_mask"),
)
NOT_TRAINING = (
    *("micrographs", "coordinates", "train_data_dir", "val_data_dir", "unlabelled", "output_dir", "masks"),
    *("diameter", "particle_radius", "spacing", "sum_frames", "multi_gpu"),
)


def train(options: argparse.Namespace) -> int:
    """Train on a project's labels, and keep the model there, in use; return the exit code."""
    _refuse(options, NOT_TRAINING)
    project = Project.existing(options.project)
    with hold(project.folder) or nullcontext(), stop_request() as asked, bar_of("preparing", "step") as bar:
        settings = project.settings()
        if options.resume and not can_resume(project):
            raise CryopickError(f"{project.folder} holds no interrupted training: leave out --resume")
        if options.resume:
            lesson = interrupted(project)
        else:
            labels = {path: project.labels(path) for path in _accepted(settings)}
            picker, training = given(options, PickerConfig), given(options, TrainingConfig)
            lesson = lesson_of(settings, labels, options.preset, picker, training)
        job = teach(lesson, project, options.resume)
        model = completed(job, asked, lambda step: show(bar, step[0]))
        if model is not None:
            name = model.record.name
            project.save_settings(replace(project.settings(), model=name, threshold=None))
    if model is None:
        print("stopped before the first epoch was over: there is no model to keep")
    else:
        report(model.picker, project.models.file(model.record.name))
    return EXIT_INTERRUPTED if asked.is_set() else EXIT_DONE


def pick(options: argparse.Namespace) -> int:
    """Pick what the project's model has not picked yet, and write coordinates; return the exit code."""
    _refuse(options, NOT_PICKING)
    PickSettings(threshold=options.threshold, min_distance=options.min_distance, border=options.border)
    project = Project.existing(options.project)
    with hold(project.folder) or nullcontext(), stop_request() as asked:
        settings = project.settings()
        paths = _accepted(settings)
        model = _model(project, settings, paths, options.device)
        settings = replace(settings, model=model.record.name)
        distance = settings.min_distance if options.min_distance is None else options.min_distance
        made_by = settings.picked_by(settings.model) or ""
        problems: list[str] = []
        with bar_of("picking", "micrograph") as bar:

            def tell(step: Step) -> None:
                bar.total, bar.n = step.total, step.done
                bar.refresh()
                if step.problem:
                    problems.append(step.problem)
                    bar.write(f"skipped: {step.problem}", file=sys.stderr)

            step = completed(pick_as_set(project, paths, model, settings, distance), asked, tell)
    failed = len(problems)
    print(f"{step.done - failed} micrographs picked by {made_by}, {len(paths) - step.total} were before")
    if asked.is_set():
        return EXIT_INTERRUPTED
    if options.output is not None:
        _export(options, project, settings, paths, model.picker.config.threshold, distance)
    return EXIT_ERROR if failed and failed == step.total else EXIT_DONE


def _export(
    options: argparse.Namespace,
    project: Project,
    settings: Settings,
    paths: Sequence[Path],
    threshold_of_model: float,
    distance: float | None,
) -> None:
    """Write the corrected picks, as the window does."""
    thresholds = options.threshold, settings.threshold, threshold_of_model
    threshold = next(value for value in thresholds if value is not None)
    choice = Choice("corrected", threshold, distance, options.border, settings.size)
    made_by = settings.picked_by(settings.model)
    materials = gathered(project, paths, made_by, settings.spacing)
    written = export(materials, choice, options.output, options.format, options.flip_y)
    for problem in written.summary.problems:
        print(f"left out: {problem}", file=sys.stderr)
    print(
        f"{written.summary.particles} particles on {written.summary.micrographs} micrographs, "
        f"with scores from {threshold:.3f} up and as labels correct them: {written.folder}"
    )
    print(written.advice)


def _accepted(settings: Settings) -> list[Path]:
    rejected = set(settings.rejected)
    paths = [Path(path) for path in settings.micrographs if path not in rejected]
    if not paths:
        raise CryopickError("the project has no micrographs, or all are rejected: open it in the window")
    return paths


def _model(project: Project, settings: Settings, paths: Sequence[Path], device_name: str) -> Model:
    """Give the model in use; without one, make it the general model for the particle's size."""
    device = resolve_device(device_name)
    if settings.model is not None:
        models = project.models
        return Model(Picker.load(models.file(settings.model), device), models.record(settings.model))
    if settings.size is None:
        raise CryopickError("how large is a particle? Open the project in the window and say it under Label")
    some = [read_micrograph(path, settings.spacing) for path in spread(paths, PRIMING)]
    diameter = settings.size.in_pixels(some[0].spacing)
    picker = general_picker(diameter, some[0].spacing, some)
    model = project.models.keep(picker, picker.training["answer"])
    project.save_settings(replace(settings, model=model.record.name, threshold=None))
    print(f"the project has no model yet: its {model.record.name!r} is the general one", file=sys.stderr)
    return Model(model.picker.to(device), model.record)


def _refuse(options: argparse.Namespace, names: tuple[str, ...]) -> None:
    """Refuse options that say what the project knows.

    Raises
    ------
    CryopickError
        If one was given.
    """
    for name in names:
        value = getattr(options, name, None)
        is_turned_off = value is False and name == "contamination_mask"  # absent where it is not given
        if is_turned_off or value not in (None, False, [], ()):
            word = "the paths" if name == "paths" else f"--{name.replace('_', '-')}"
            raise CryopickError(f"leave out {word}: with --project the project says it, or it cannot be")
