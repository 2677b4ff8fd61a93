"""What is known of each micrograph of a project: counted beside the window, and kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.labels import Labels, outside
from cryopick_napari.micrograph import read_size

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.project import Project

EVERY = 0.1  # s between two redraws of what was counted


@dataclass(frozen=True, eq=False)
class Tally:
    """Numbers of one micrograph.

    Attributes
    ----------
    labels : int
        Labelled particles.
    is_complete : bool
        Whether an area is fully labelled.
    scores : (n,) float32 or None
        Of all its picks outside excluded areas, ascending; None if it was never picked.
    made_by : str
        What picked it.
    """

    labels: int = 0
    is_complete: bool = False
    scores: NDArray[np.float32] | None = None
    made_by: str = ""

    def picks(self, threshold: float) -> int | None:
        """Count the picks that score at least ``threshold``; None if it was never picked."""
        return None if self.scores is None else len(self.above(threshold))

    def mean(self, threshold: float) -> float | None:
        """Average the scores of these picks, if there are some."""
        return float(self.above(threshold).mean()) if self.picks(threshold) else None

    def above(self, threshold: float) -> NDArray[np.float32]:
        """Give the scores from ``threshold`` on."""
        if self.scores is None:
            return np.zeros(0, np.float32)
        return self.scores[np.searchsorted(self.scores, np.float32(threshold)) :]

    def labelled(self, labels: Labels) -> Tally:
        """Count other labels."""
        return replace(self, labels=len(labels.positives), is_complete=bool(labels.complete))


class Tallies(QObject):
    """The numbers of all micrographs of the session.

    Signals
    -------
    changed : sequence of Path
        These have other numbers now.
    """

    changed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._known: dict[Path, Tally] = {}
        self._labelled: dict[Path, int] = {}  # of the few that have labels: asked for at each click
        self._edited: dict[Path, Labels] = {}  # they are newer than those on the disk may be
        self._asked: dict[Path, None] = {}
        self._job: Job | None = None
        session.project_changed.connect(self._start_anew)
        session.micrographs_changed.connect(self._read_new)
        session.row_changed.connect(self._on_row)
        session.closing.connect(self._stop)
        self._read_new()

    def of(self, path: Path) -> Tally:
        """Give the numbers of a micrograph; nothing is known of one that was not read yet."""
        return self._known.get(path, Tally())

    def labelled(self) -> tuple[int, int]:
        """Count the labelled particles, and the micrographs they are on; rejected ones do not count."""
        rejected = set(self.session.settings.rejected)
        numbers = [number for path, number in self._labelled.items() if str(path) not in rejected]
        return sum(numbers), len(numbers)

    def _learn(self, path: Path, tally: Tally) -> None:
        self._known[path] = tally
        if tally.labels:
            self._labelled[path] = tally.labels
        else:
            self._labelled.pop(path, None)

    def _start_anew(self) -> None:
        self._stop()
        self._known.clear()
        self._labelled.clear()
        self._edited.clear()
        self._read_new()

    def _stop(self) -> None:
        self._asked.clear()
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _read_new(self) -> None:
        listed = set(self.session.micrographs)
        for path in self._known.keys() - listed:
            del self._known[path]
            self._labelled.pop(path, None)
        self._ask(path for path in self.session.micrographs if path not in self._known)

    def _on_row(self, path: Path) -> None:
        if self.session.project is None:
            return
        try:
            labels = self._edited[path] = self.session.labels_of(path)
        except CryopickError:
            return  # it is said when it is looked at
        self._learn(path, self.of(path).labelled(labels))
        self.changed.emit([path])
        self._ask([path])

    def _ask(self, paths: Iterable[Path]) -> None:
        self._asked.update(dict.fromkeys(paths))
        project = self.session.project
        if self._job is not None or project is None or not self._asked:
            return
        paths, self._asked = tuple(self._asked), {}
        newer = {path: self._edited[path] for path in paths if path in self._edited}
        job = self._job = Job(lambda: _count(project, paths, newer), "tallies")
        job.yielded.connect(lambda read: self._take(job, read))
        job.finished.connect(lambda: self._go_on(job))
        job.start()

    def _take(self, job: Job, read: dict[Path, Tally]) -> None:
        if job is not self._job:
            return  # of a project that was closed
        for path, tally in read.items():
            old = self.of(path)
            is_newer = path in self._edited
            self._learn(path, replace(old, scores=tally.scores, made_by=tally.made_by) if is_newer else tally)
        self.changed.emit(list(read))

    def _go_on(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            self._ask(())


def _count(project: Project, paths: Sequence[Path], newer: Mapping[Path, Labels]) -> Work:
    read: dict[Path, Tally] = {}
    last = time.monotonic()
    for path in paths:
        read[path] = _tally(project, path, newer.get(path))
        if time.monotonic() - last > EVERY:
            yield read
            read, last = {}, time.monotonic()
    yield read


def _tally(project: Project, path: Path, labels: Labels | None) -> Tally:
    known = project.picks(path)
    tally = Tally() if known is None else Tally(scores=np.sort(known[0].score), made_by=known[1])
    try:
        labels = project.labels(path) if labels is None else labels
        tally = tally.labelled(labels)
        if known is None or not labels.excluded:
            return tally
        return replace(tally, scores=np.sort(outside(known[0], labels.excluded, read_size(path)[0]).score))
    except CryopickError:
        return tally  # it is said when it is looked at
