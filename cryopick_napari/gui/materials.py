"""What is known of all micrographs of a project, kept up to date beside the window."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.labels import Labels
from cryopick_napari.material import Material, gathered

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

WAIT = 100  # ms, for further changes
TELL_EVERY = 0.2  # s


class Materials(QObject):
    """Labels and picks of all micrographs, read once somebody looks.

    Signals
    -------
    changed
        More is known, or something is outdated.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.known: dict[Path, Material] = {}
        self.labels: dict[Path, Labels] = {}  # newer than those on the disk
        self._outdated: set[Path] = set()
        self._basis: tuple[object, ...] = ()
        self._is_looked_at = False
        self._job: Job | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT)
        self._soon.timeout.connect(self._read)
        session.row_changed.connect(self._on_row)
        signals = (session.project_changed, session.micrographs_changed, session.model_changed)
        for signal in (*signals, session.size_changed):
            signal.connect(self._on_change)
        session.learning.changed.connect(self._on_name)
        session.closing.connect(self.close)

    def look(self) -> None:
        """Begin to read, and keep up from now on."""
        self._is_looked_at = True
        self._on_change()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is outdated."""
        return self._is_looked_at and not self._outdated and self._job is None

    def of(self, paths: Sequence[Path]) -> list[Material]:
        """Give what is known, in the order of the paths."""
        return [self.known[path] for path in paths if path in self.known]

    def gathered(self, paths: Sequence[Path]) -> Iterator[Material]:
        """Read anew, as a generator for a job."""
        session = self.session
        settings = session.settings
        made_by = settings.picked_by(settings.model)
        return gathered(session.opened(), paths, made_by, settings.spacing, dict(self.labels))

    def close(self) -> None:
        """End."""
        self._soon.stop()
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _on_row(self, path: Path) -> None:
        try:
            self.labels[path] = self.session.labels_of(path)
        except CryopickError:  # damaged, which was said; it is said again of what is made with them
            self.labels.pop(path, None)
        self._outdated.add(path)
        self._soon.start()

    def _on_change(self) -> None:
        """Take up another list of micrographs; begin anew where the project or the model is another."""
        session = self.session
        if self._basis != self._present():
            if self._basis[:1] != self._present()[:1]:
                self.labels.clear()
            self._basis = self._present()
            self.close()
            self.known.clear()
        self._outdated = {path for path in session.micrographs if path not in self.known} | self._outdated
        self._outdated &= set(session.micrographs)
        self._soon.start()

    def _on_name(self) -> None:
        if self._basis != self._present():
            self._on_change()

    def _present(self) -> tuple[object, ...]:
        settings = self.session.settings
        return self.session.project, settings.picked_by(settings.model), settings.spacing

    def _read(self) -> None:
        if not self._is_looked_at or self._job is not None:
            return
        if self._outdated and self.session.project is not None:
            paths = [path for path in self.session.micrographs if path in self._outdated]
            self._outdated.clear()
            self._job = job = Job(partial(_batches, self.gathered(paths)), "materials")
            job.yielded.connect(lambda batch: self._take(job, batch))
            job.failed.connect(self.session.say)
            job.finished.connect(lambda: self._on_finished(job))
            job.start()
        self.changed.emit()

    def _take(self, job: Job, batch: list[Material]) -> None:
        if job is self._job:
            self.known.update({material.path: material for material in batch})
            self.changed.emit()

    def _on_finished(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            self._read()


def _batches(materials: Iterator[Material]) -> Work:
    """Put materials together, so that the window is not told of each one."""
    batch: list[Material] = []
    told = time.monotonic()
    for material in materials:
        batch.append(material)
        if time.monotonic() - told > TELL_EVERY:
            yield batch
            batch, told = [], time.monotonic()
    yield batch
