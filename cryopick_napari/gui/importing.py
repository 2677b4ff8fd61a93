"""Coordinates of other programs on their way into a project."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.computing import import_torch
from cryopick_napari.gui.worker import Job, once

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.importing import Found


class Importing(QObject):
    """Reads coordinates beside the window, and makes labels of them once a person has said how.

    Signals
    -------
    found : Found
        What was read: it waits for `take`.
    changed
        Reading begins or ends.
    """

    found = Signal(object)
    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._reading: Job | None = None
        session.project_changed.connect(self._drop)
        session.closing.connect(self._drop)

    @property
    def is_reading(self) -> bool:
        """Whether coordinates are being read."""
        return self._reading is not None

    def read(self, source: Path) -> None:
        """Read a coordinate file, or a folder of them.

        Raises
        ------
        CryopickError
            If no micrographs are open.
        """
        session = self.session
        session.opened()
        if self.is_reading:
            raise CryopickError("coordinates are being read already")
        settings = session.settings
        work = partial(_read, source, list(session.micrographs), settings.spacing, settings.size)
        self._reading = job = Job(once(work), "import")
        job.returned.connect(lambda found: self._end(job, self.found, found))
        job.failed.connect(lambda error: self._end(job, session.failed, str(error)))
        job.start()
        self.changed.emit()

    def take(self, found: Found, is_mirrored: bool, is_complete: bool) -> None:
        """Make labels of what was read; on each micrograph it can be undone as one step.

        Parameters
        ----------
        found : Found
        is_mirrored : bool
            Mirror the positions top to bottom.
        is_complete : bool
            Say that these are all particles of their micrographs.
        """
        from cryopick_napari.importing import with_found

        session = self.session
        for path in found.picks:
            if path in session.micrographs:
                labels = with_found(session.labels_of(path), found, path, is_mirrored, is_complete)
                session.put_labels(path, labels)

    def _end(self, job: Job, signal: Any, told: object) -> None:
        if job is self._reading:
            self._reading = None
            self.changed.emit()
            signal.emit(told)

    def _drop(self) -> None:
        if self._reading is not None:
            self._reading.abandon()
            self._reading = None


def _read(source: Path, micrographs: list[Path], spacing: float | None, size: ParticleSize | None) -> Found:
    import_torch()
    from cryopick_napari.importing import find_labels

    return find_labels(source, micrographs, spacing, size)
