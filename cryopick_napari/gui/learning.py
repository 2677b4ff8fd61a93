"""Train beside the window, and keep the models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.activity import Activity
from cryopick_napari.gui.computing import import_torch
from cryopick_napari.gui.model_files import suggested_preset
from cryopick_napari.gui.models_in_use import ModelsInUse
from cryopick_napari.gui.worker import Job, Work, once
from cryopick_napari.lesson import Lesson, can_resume, interrupted, lesson_of
from cryopick_napari.models import Model
from cryopick_napari.project import Project
from cryopick_napari.teaching import Step, teach

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.picker import Picker
    from cryopick_napari.training import Progress

UNTRAINED = ("general model", "first look")
TELL_EVERY = 0.1  # s; steps in between are not told one by one


class Learning(ModelsInUse):
    """The training of a session, and the model in use.

    Attributes
    ----------
    picker : Picker or None
        The model in use; while a training runs, its newest state.
    record : ModelRecord or None
        How it was made; None while it is not saved.
    rows : list of Row
        The epochs of the training that runs, or of the model in use.
    progress : Progress or None
        Where the training stands; None before it has begun in earnest.
    message : str
        What there is to know about the training that runs or ran last.
    suggested : str or None
        The preset that suits this computer, once `look_at_device` has found out.

    Signals
    -------
    progressed : Progress
        At most ten times a second.
    changed
        Something else than the progress is another.
    """

    progressed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.progress: Progress | None = None
        self.message = ""
        self.suggested: str | None = None
        self._training: Job | None = None
        self._looking: Job | None = None
        self._best: Picker | None = None
        self._best_quality = 0.0
        self._begun = (0.0, 0)  # when, at which step
        self._told = 0.0
        self._activity = Activity()
        session.labels_changed.connect(self._on_labels)

    @property
    def is_running(self) -> bool:
        """Whether a training runs."""
        return self._training is not None

    @property
    def is_stopping(self) -> bool:
        """Whether a person has had enough of it."""
        return self._training is not None and self._training.was_stopped

    @property
    def can_resume(self) -> bool:
        """Whether the project has a training that was interrupted."""
        project = self.session.project
        return project is not None and not self.is_running and can_resume(project)

    @property
    def seconds_left(self) -> float | None:
        """How long the training still takes, s, if that can be told."""
        since, first = self._begun
        if self.progress is None or self.progress.step <= first or not since:
            return None
        pace = (time.monotonic() - since) / (self.progress.step - first)
        return pace * (self.progress.steps - self.progress.step)

    def start(
        self, preset: str | None, picker_settings: Mapping[str, Any], training_settings: Mapping[str, Any]
    ) -> None:
        """Train on the labels as they are now.

        Parameters
        ----------
        preset : str or None
            None takes what suits the computer.
        picker_settings, training_settings : mapping
            Fields of `PickerConfig` and `TrainingConfig` that differ from the preset's.

        Raises
        ------
        CryopickError
            If something is missing: a diameter, a pixel size, labels.
        """
        session = self.session
        session.writable()
        labels = {path: session.labels_of(path) for path in session.accepted}
        lesson = lesson_of(session.settings, labels, preset, picker_settings, training_settings)
        if lesson.size.in_angstrom and session.field is not None and session.spacing is None:
            raise CryopickError(
                "the pixel size is unknown: type it under Micrographs, or give the diameter in px under Label"
            )
        self._begin(lesson)

    def resume(self) -> None:
        """Go on with the interrupted training, with the labels and settings it had.

        Raises
        ------
        CryopickError
            If it is not known any more.
        """
        self._begin(interrupted(self.session.opened()), resumes=True)

    @property
    def untrained(self) -> str:
        """What is in use that was not trained here: ``general model`` or ``first look``; else nothing."""
        if self.picker is None or self.record is not None:
            return ""
        answer: str = self.picker.training.get("answer", "")
        return answer if answer in UNTRAINED else ""

    def take_untrained(self, picker: Picker) -> None:
        """Use what needs no training, as long as there is no model."""
        if self.picker is not picker:
            self._put_in_use(picker, None)
            self.changed.emit()

    def keep(self) -> None:
        """Make a model of the project of what is in use untrained, so that it picks all micrographs.

        Raises
        ------
        CryopickError
            If there is none, or no project is open.
        """
        picker, kind = self.picker, self.untrained
        if picker is None or not kind:
            raise CryopickError("there is nothing to keep: say how large the particle is, under Label")
        models = self.session.writable().models
        self._fetch(lambda: models.keep(picker, kind))

    def stop(self) -> None:
        """Have enough: the best model so far is kept, and the training can go on later."""
        if self._training is not None:
            self._training.stop()
            self.changed.emit()

    def _begin(self, lesson: Lesson, resumes: bool = False) -> None:
        if self.is_running:
            raise CryopickError("a training runs already: stop it first")
        self.drop()
        self.progress, self.rows, self.message = None, [], ""
        self._best, self._begun = None, (0.0, 0)
        job = Job(partial(_taught, lesson, self.session.writable(), resumes), "training")
        self._training = job
        job.yielded.connect(lambda step: self._on_step(job, step))
        job.returned.connect(lambda model: self._on_taught(job, model))
        job.failed.connect(lambda error: self._on_failed(job, error))
        job.finished.connect(lambda: self._on_finished(job))
        job.start()
        self.changed.emit()
        self._activity.show("Preparing", 0, 0)

    def _on_step(self, job: Job, step: Step) -> None:
        if job is not self._training:
            return  # one that was dropped
        before, (self.progress, rows) = self.progress, step
        progress = self.progress
        self.rows = list(rows)
        if progress.steps and not self._begun[0] and progress.phase == "training":
            self._begun = time.monotonic(), progress.step
        if progress.picker is not None:
            self._take_snapshot(progress)
        is_news = before is None or before.phase != progress.phase or progress.picker is not None
        if progress.message:
            self.message, is_news = progress.message, True
        if is_news or time.monotonic() - self._told >= TELL_EVERY:
            self._told = time.monotonic()
            self.progressed.emit(progress)
            if is_news:
                self.changed.emit()
            # Last: napari handles events as it draws the bar, the next steps and the end among them.
            self._activity.show(progress.phase.capitalize(), progress.step, progress.steps)

    def _take_snapshot(self, progress: Progress) -> None:
        found = progress.validation
        if found is not None and (self._best is None or found.quality >= self._best_quality):
            self._best, self._best_quality = progress.picker, found.quality
        self._put_in_use(progress.picker, None)

    def _on_taught(self, job: Job, model: Model | None) -> None:
        if job is not self._training:
            return
        if model is None:
            self.message = "Stopped before the first epoch was over: there is no model to keep."
        else:
            from cryopick_napari.choosing import verdict  # PyTorch is there by now

            own = self.session.review.settings.own("threshold")
            self._take(model)
            said = [verdict(model.picker.training)]
            if own is not None:
                new = model.picker.config.threshold
                said.append(f"The threshold is this model's own, {new:.2f}; yours was {own:.2f}.")
            self.message = "\n".join(filter(None, said))

    def _on_failed(self, job: Job, error: CryopickError) -> None:
        if job is not self._training:
            return
        self.message = f"The training failed: {error}"
        if self._best is not None:
            self.message += ". The best model so far stays in use."
            self._put_in_use(self._best, None)
        self.session.say(error)

    def _on_finished(self, job: Job) -> None:
        if job is self._training:
            self._training = self.progress = self._best = None
            self._activity.close()
            self.changed.emit()

    def look_at_device(self) -> None:
        """Find out which preset suits this computer, and have PyTorch at hand."""
        if self.suggested is None and self._looking is None:
            self._looking = Job(once(suggested_preset), "device")
            self._looking.returned.connect(self._on_device)
            self._looking.start()

    def _on_labels(self) -> None:
        """Have PyTorch at hand by the time that Train is pressed."""
        if len(self.session.labels.positives):
            self.look_at_device()

    def _on_device(self, preset: str) -> None:
        self.suggested = preset
        self.changed.emit()

    def _on_project(self) -> None:
        if self.session.project is None:
            self.message = ""
        super()._on_project()

    def _require_rest(self) -> None:
        if self.is_running:
            raise CryopickError("a training runs, and its model is in use: stop it first")

    def drop(self) -> None:
        """Hear no more of what runs; the training can go on later, from its last checkpoint."""
        super().drop()
        if self._training is not None:
            self._training.abandon()
            self._training = self.progress = None
        self._activity.close()


def _taught(lesson: Lesson, project: Project, resumes: bool) -> Work:
    """Train, with a core left to the window."""
    import_torch()
    return (yield from teach(lesson, project, resumes))
