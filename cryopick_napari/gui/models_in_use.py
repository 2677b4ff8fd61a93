"""The models of a project, and the one that is in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from cryopick_napari.gui.model_files import copy_model, import_model, load_model
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.history import Row
from cryopick_napari.models import Model, ModelRecord

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.picker import Picker


class ModelsInUse(QObject):
    """The model in use, and what a person does with models; they are read and copied in jobs.

    Attributes
    ----------
    picker : Picker or None
        The model in use.
    record : ModelRecord or None
        How it was made, if it is saved.
    rows : list of Row
        The course of its training.

    Signals
    -------
    changed
        Another model is in use, or has another name.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.picker: Picker | None = None
        self.record: ModelRecord | None = None
        self.rows: list[Row] = []
        self._reading: Job | None = None
        session.project_changed.connect(self._on_project)
        session.closing.connect(self.drop)

    @property
    def model_name(self) -> str | None:
        """The name of the model in use; None while it is not saved."""
        return None if self.record is None else self.record.name

    def models(self) -> list[ModelRecord]:
        """List the project's models, oldest first."""
        project = self.session.project
        return [] if project is None else list(project.models)

    def use(self, name: str) -> None:
        """Pick with another model; it is loaded beside the window.

        Raises
        ------
        CryopickError
            If a training runs.
        """
        self._require_rest()
        models = self.session.opened().models
        self._fetch(lambda: load_model(models, name))

    def import_model(self, path: str | Path) -> None:
        """Copy a model file into the project, and pick with it.

        Raises
        ------
        CryopickError
            If a training runs, or no project is open.
        """
        self._require_rest()
        models = self.session.writable().models
        self._fetch(lambda: import_model(models, Path(path)))

    def export_model(self, name: str, path: str | Path) -> None:
        """Copy a model of the project to a file, which the command line and other projects can use."""
        source = self.session.opened().models.file(name)
        job = Job(once(lambda: copy_model(source, Path(path))), "model")
        job.failed.connect(self.session.say)
        job.start()

    def rename(self, old: str, new: str) -> None:
        """Give a model another name.

        Raises
        ------
        CryopickError
            If it cannot be a name, or another model has it.
        """
        new = new.strip()
        if new == old:
            return
        self.session.writable().models.rename(old, new)
        if self.session.settings.model == old:
            self.session.change(model=new)
        if self.record is not None and self.record.name == old:
            self.record = replace(self.record, name=new)
        self.changed.emit()

    def _require_rest(self) -> None:
        """Refuse what would be undone by a training at its next epoch."""

    def _fetch(self, make: Callable[[], Model]) -> None:
        """Read a model in a job, and use it; a newer wish replaces an older one."""
        self._drop_reading()
        job = self._reading = Job(once(make), "model")
        job.returned.connect(lambda model: self._take(model) if job is self._reading else None)
        job.failed.connect(lambda error: self.session.say(error) if job is self._reading else None)
        job.start()

    def _take(self, model: Model) -> None:
        """Use a saved model, with the threshold it was given when it was made."""
        if self.session.settings.model != model.record.name:
            self.session.change(model=model.record.name, threshold=None)
        self.rows = list(model.record.rows)
        self._put_in_use(model.picker, model.record)
        self.changed.emit()

    def _put_in_use(self, picker: Picker | None, record: ModelRecord | None) -> None:
        self.picker, self.record = picker, record
        self.session.model_changed.emit()

    def _on_project(self) -> None:
        project, name = self.session.project, self.session.settings.model
        if project is None:  # one was closed; one that only got another folder keeps its model
            self.drop()
            self.picker, self.record, self.rows = None, None, []
        elif self.picker is None and name is not None:
            models = project.models
            self._fetch(lambda: load_model(models, name))
        self.changed.emit()

    def drop(self) -> None:
        """Hear no more of what runs."""
        self._drop_reading()

    def _drop_reading(self) -> None:
        if self._reading is not None:
            self._reading.abandon()
            self._reading = None
