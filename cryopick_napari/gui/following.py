"""Follow a folder that is still filling, as one of a microscope that is still running."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.watching import Watched, arrivals

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.remaining import Step


class Following(QObject):
    """Lists micrographs as they arrive in a folder, and picks them with the model in use.

    Attributes
    ----------
    folder : Path or None
        The one that is followed.
    arrived : int
        Micrographs that were listed since.
    picks : bool
        Whether they are picked too.

    Signals
    -------
    changed
        Another folder is followed or none, or micrographs have arrived.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.folder: Path | None = None
        self.arrived = 0
        self.picks = True
        self._waiting: dict[Path, None] = {}  # to be picked
        self._seen: set[Path] = set()
        self._job: Job | None = None
        self._enough = threading.Event()
        session.project_changed.connect(self._on_project)
        session.closing.connect(self.stop)
        session.picking.progressed.connect(self._on_picked)
        session.picking.stopped.connect(lambda: self.set_picks(False))
        session.picking.changed.connect(self._pick)
        session.model_changed.connect(self._pick)

    def start(self, folder: str | Path) -> None:
        """Follow a folder; what is in it already is listed too.

        Raises
        ------
        CryopickError
            If it is no folder, or the project is only shown here.
        """
        if self.session.project is not None:
            self.session.writable()
        watched = Watched.of(str(folder))
        self.stop()
        self.folder, self.arrived = watched.folder, 0
        self._enough = enough = threading.Event()
        self._job = job = Job(partial(_arrived, watched, enough), "following")
        job.yielded.connect(lambda paths: self._on_arrived(job, paths))
        job.failed.connect(self.session.say)
        job.start()
        self.changed.emit()

    def stop(self) -> None:
        """Follow no longer; what was listed stays."""
        self._waiting.clear()
        self._seen.clear()
        if self._job is None:
            return
        self._enough.set()
        self._job.abandon()
        self._job, self.folder = None, None
        self.changed.emit()

    def set_picks(self, picks: bool) -> None:
        """Pick what arrives from now on, and what has arrived; or only list it."""
        if self.picks != picks:
            self.picks = picks
            self.changed.emit()
        self._pick()

    def _on_arrived(self, job: Job, paths: list[Path]) -> None:
        if job is not self._job or not paths:
            return
        try:
            new = self.session.add(paths)
        except CryopickError as error:
            self.session.say(error)
            self.stop()
            return
        if job is not self._job:
            return  # the project turned out to be open elsewhere
        self.arrived += len(new)
        listed = [path.absolute() for path in paths]
        self._renew([path for path in listed if path in self._seen])
        self._seen.update(listed)
        self._waiting.update(dict.fromkeys(listed))
        if self.session.current is None:
            self.session.go(listed[0])
        self.changed.emit()
        self._pick()

    def _renew(self, paths: list[Path]) -> None:
        """Forget what was picked of files that have changed since."""
        for path in paths:
            self.session.problems.pop(path, None)
            self.session.guarded(self.session.writable().forget_picks, path)
            self.session.row_changed.emit(path)

    def _pick(self) -> None:
        """Pick what waits, once nothing else is picked."""
        session = self.session
        is_ready = session.settings.model is not None and not session.picking.is_running
        if not (self.picks and self._waiting and is_ready):
            return
        wanted = set(session.accepted).intersection(self._waiting)
        for path in self._waiting.keys() - wanted:
            del self._waiting[path]
        if wanted and not session.guarded(session.picking.start, list(self._waiting)):
            self.stop()

    def _on_picked(self, step: Step) -> None:
        if step.path is not None:
            self._waiting.pop(step.path, None)
        elif step.done == step.total:  # all were picked before
            self._waiting.clear()

    def _on_project(self) -> None:
        if self.session.project is None or self.session.project.is_read_only:
            self.stop()


def _arrived(watched: Watched, enough: threading.Event) -> Work:
    yield from arrivals(watched, enough)
