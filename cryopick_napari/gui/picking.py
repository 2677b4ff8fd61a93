"""Pick many micrographs beside the window, and write coordinates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.activity import Activity
from cryopick_napari.gui.exports import Exports
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.project import Project, Settings
from cryopick_napari.words import first_of

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.remaining import Step


class Picking(Exports):
    """Picks of the whole project, and their way out of it.

    Attributes
    ----------
    step : Step or None
        Where the picking that runs, or ran last, stands.
    problems : list of str
        What could not be picked in it, and why.

    Signals
    -------
    progressed : Step
        Another micrograph is done, or passed over.
    stopped
        A person has had enough.
    """

    progressed = Signal(object)
    stopped = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.step: Step | None = None
        self.problems: list[str] = []
        self._picking: Job | None = None
        self._made_by: str | None = None  # what picks
        self._project: Project | None = None
        self._begun = 0.0
        self._activity = Activity()
        session.project_changed.connect(self._on_project)
        session.model_changed.connect(self._on_model)

    @property
    def is_running(self) -> bool:
        """Whether micrographs are being picked."""
        return self._picking is not None

    @property
    def is_stopping(self) -> bool:
        """Whether the one that is being picked is the last."""
        return self._picking is not None and self._picking.was_stopped

    @property
    def remaining(self) -> int | None:
        """How many micrographs the model in use has not picked; None while they are being counted."""
        paths = self.session.accepted
        known = self.materials.of(paths)
        return sum(material.picks is None for material in known) if len(known) == len(paths) else None

    @property
    def seconds_left(self) -> float | None:
        """How long the picking still takes, s, if that can be told."""
        if self.step is None or not self.step.done or not self.is_running:
            return None
        return (time.monotonic() - self._begun) / self.step.done * (self.step.total - self.step.done)

    def start(self, paths: Sequence[Path] | None = None) -> None:
        """Pick micrographs that the model in use has not picked yet.

        Parameters
        ----------
        paths : sequence of Path, optional
            Among these; by default all of the project that are not rejected.

        Raises
        ------
        CryopickError
            If there is no model, or they are being picked already.
        """
        session = self.session
        project, model = session.writable(), session.settings.model
        if model is None:
            raise CryopickError("there is no model to pick with: train one first, under Train")
        if self.is_running:
            raise CryopickError("micrographs are being picked already")
        paths = list(session.accepted if paths is None else paths)
        settings, min_distance = session.settings, session.review.min_distance
        self.step, self.problems, self._begun = None, [], 0.0
        self._made_by, self._project = settings.picked_by(model), project
        self._picking = job = Job(partial(_picked, project, paths, model, settings, min_distance), "picking")
        job.yielded.connect(lambda step: self._on_step(job, step))
        job.failed.connect(lambda error: self._on_broken(job, error))
        job.finished.connect(lambda: self._on_picked(job))
        job.start()
        self._activity.show("Picking", 0, 0)
        self.changed.emit()

    def stop(self) -> None:
        """Pick no further micrograph; what is done is kept."""
        if self._picking is not None:
            self._picking.stop()
            self.stopped.emit()
            self.changed.emit()

    def _on_step(self, job: Job, step: Step) -> None:
        if job is not self._picking:
            return
        self.step = step
        self._begun = self._begun or time.monotonic()
        if step.problem:
            self.problems.append(step.problem)
        self._activity.show("Picking", step.done, step.total)
        if step.path is not None:
            self.session.row_changed.emit(step.path)
        self.progressed.emit(step)

    def _on_broken(self, job: Job, error: Exception) -> None:
        if job is self._picking:
            self.session.say(error)
            self.stopped.emit()  # what could not be done now is not tried again by itself

    def _on_picked(self, job: Job) -> None:
        if job is not self._picking:
            return
        self._picking = None
        self._activity.close()
        if self.problems:
            self.session.say(CryopickError(f"not picked: {first_of(self.problems)}"))
        self.changed.emit()

    def _on_project(self) -> None:
        if self._project != self.session.project:
            self._drop()
            self.step, self.problems = None, []
            self.changed.emit()

    def _on_model(self) -> None:
        # Picks of the old model must not replace those of the new one. A training has none until it ends.
        settings = self.session.settings
        if settings.picked_by(settings.model) != self._made_by and self._picking is not None:
            self._picking.stop()
            self.changed.emit()

    def _drop(self) -> None:
        if self._picking is not None:
            self._picking.abandon()
            self._picking = None
        self._activity.close()

    def _on_closing(self) -> None:
        self._drop()
        super()._on_closing()


def _picked(
    project: Project, paths: Sequence[Path], model: str, settings: Settings, min_distance: float
) -> Work:
    """Pick with a saved model: one that is being trained changes under way."""
    from cryopick_napari.gui.model_files import load_model

    saved = load_model(project.models, model)
    from cryopick_napari.remaining import pick_as_set

    return (yield from pick_as_set(project, paths, saved, settings, min_distance))
