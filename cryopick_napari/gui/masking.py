"""Masks of contamination on their way into a project, and out of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.computing import import_torch
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.words import first_of

if TYPE_CHECKING:
    from cryopick_napari.excluding import Masked
    from cryopick_napari.gui.session import Session
    from cryopick_napari.labels import Polygon
    from cryopick_napari.picker import Picker
    from cryopick_napari.project import Project


class Masking(QObject):
    """Reads masks of other programs as excluded areas, and writes what is left out as masks.

    Attributes
    ----------
    step : Masked or None
        The micrograph that was done last.
    count : int
        Masks that were read or written.
    written : Path or None
        The folder that masks are, or were last, written to; None where they were read.
    finds_contamination : bool
        Whether they hold more than the areas that were drawn.
    problems : list of str

    Signals
    -------
    changed
        Work begins or ends, or another micrograph is done.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.step: Masked | None = None
        self.written: Path | None = None
        self.finds_contamination = False
        self.problems: list[str] = []
        self.count = 0
        self._job: Job | None = None
        session.project_changed.connect(self._on_project)
        session.closing.connect(self._drop)

    @property
    def is_running(self) -> bool:
        """Whether masks are being read or written."""
        return self._job is not None

    def read(self, folder: Path) -> None:
        """Make excluded areas of the masks of a folder; on each micrograph it can be undone as one step.

        Raises
        ------
        CryopickError
            If no project is open, or it is only shown here.
        """
        self.session.writable()
        self.written = None
        self._begin(partial(_read, folder, self._paths()))

    def write(self, folder: Path) -> None:
        """Write the masks of all micrographs that are not rejected to a folder.

        Raises
        ------
        CryopickError
            If no project is open, or it has no micrographs that are not rejected.
        """
        session = self.session
        project, paths = session.opened(), self._paths()
        session.flush()
        self.written = folder
        picker, model = session.learning.picker, session.settings.model
        if not session.review.avoids_contamination:
            picker, model = None, None
        self.finds_contamination = picker is not None or model is not None
        self._begin(partial(_write, project, paths, folder, picker, model, session.settings.spacing))

    def stop(self) -> None:
        """Have enough; what is done stays."""
        if self._job is not None:
            self._job.stop()

    def _paths(self) -> list[Path]:
        paths = self.session.accepted
        if not paths:
            raise CryopickError("all micrographs are rejected: accept some under Micrographs")
        return paths

    def _begin(self, make: partial[Work]) -> None:
        if self.is_running:
            raise CryopickError("masks are being read or written already")
        self.step, self.problems, self.count = None, [], 0
        self._job = job = Job(make, "masks")
        job.yielded.connect(lambda step: self._on_step(job, step))
        job.failed.connect(lambda error: self.session.say(error) if job is self._job else None)
        job.finished.connect(lambda: self._on_finished(job))
        job.start()
        self.changed.emit()

    def _on_step(self, job: Job, step: Masked) -> None:
        if job is not self._job:
            return
        self.step = step
        try:
            if step.problem:
                self.problems.append(step.problem)
            elif self.written is not None:
                self.count += 1
            elif step.areas is not None:
                self._exclude(step.path, step.areas)
                self.count += 1
        except CryopickError as error:
            self.problems.append(str(error))
            if self.session.opened().is_read_only:
                job.stop()
        self.changed.emit()

    def _exclude(self, path: Path, areas: tuple[Polygon, ...]) -> None:
        from cryopick_napari.excluding import with_areas

        session = self.session
        if path in session.micrographs:
            session.save_now()  # what is being drawn is a label too
            labels = session.labels_of(path)
            new = with_areas(labels, areas)
            if new is not labels:
                session.put_labels(path, new)

    def _on_finished(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            if self.problems:
                self.session.say(CryopickError(f"a mask is left out: {first_of(self.problems)}"))
            self.changed.emit()

    def _on_project(self) -> None:
        if self.session.project is None:
            self._drop()
            self.step, self.problems = None, []
            self.changed.emit()

    def _drop(self) -> None:
        if self._job is not None:
            self._job.abandon()
            self._job = None


def _read(folder: Path, micrographs: list[Path]) -> Work:
    from cryopick_napari.excluding import read_areas

    yield from read_areas(folder, micrographs)


def _write(
    project: Project,
    paths: list[Path],
    folder: Path,
    picker: Picker | None,
    model: str | None,
    spacing: float | None,
) -> Work:
    if model is not None and picker is None:  # it is still being read
        from cryopick_napari.gui.model_files import load_model

        picker = load_model(project.models, model).picker
    if picker is not None:
        import_torch()
    from cryopick_napari.excluding import write_masks

    yield from write_masks(project, paths, folder, picker, spacing)
