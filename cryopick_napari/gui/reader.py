"""Read micrographs beside the window, those before and after ahead of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from cryopick_napari.display import DisplayFilter, Shown, shown
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.micrograph import Micrograph, read_micrograph

Source = tuple[Path, float | None]

KEPT = 3  # micrographs in memory: the one that is looked at, and its neighbours


@dataclass(frozen=True)
class Wish:
    """A micrograph to be shown: its file, its pixel size (Å/px) if the file does not say it, the filter."""

    path: Path
    spacing: float | None
    filter: DisplayFilter

    @property
    def source(self) -> Source:
        """What is read from the disk, whatever the filter."""
        return self.path, self.spacing


@dataclass(frozen=True, eq=False)
class Field:
    """A micrograph and how it is shown."""

    micrograph: Micrograph
    shown: Shown

    @property
    def path(self) -> Path:
        """Its file."""
        assert self.micrograph.path is not None
        return self.micrograph.path


class Reader(QObject):
    """Reads one micrograph at a time, in a thread.

    Signals
    -------
    ready : Wish, Field
        A micrograph that was wished for, never one that was only read ahead.
    failed : Wish, CryopickError
    """

    ready = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._wish: Wish | None = None
        self._ahead: Sequence[Wish] = ()
        self._kept: OrderedDict[Source, tuple[Wish, Field]] = OrderedDict()  # the last one wished for last
        self._job: Job | None = None

    def ask(self, wish: Wish, ahead: Sequence[Wish] = ()) -> None:
        """Ask for a micrograph; the answer to an earlier wish no longer comes.

        Parameters
        ----------
        wish : Wish
            Answered by ``ready`` or ``failed``, at once if it is in memory.
        ahead : sequence of Wish
            Read afterwards, so that they are in memory; two at most.
        """
        self._wish, self._ahead = wish, ahead[: KEPT - 1]
        for other in (*self._ahead[::-1], wish):
            if other.source in self._kept:
                self._kept.move_to_end(other.source)
        if self._is_ready(wish):
            self.ready.emit(wish, self._kept[wish.source][1])
        self._next()

    def close(self) -> None:
        """End, without another word."""
        self._wish, self._ahead = None, ()
        if self._job is not None:
            self._job.abandon()

    def _is_ready(self, wish: Wish) -> bool:
        return wish.source in self._kept and self._kept[wish.source][0] == wish

    def _next(self) -> None:
        """Read what is missing, if nothing is being read."""
        wishes = [wish for wish in (self._wish, *self._ahead) if wish is not None]
        missing = next((wish for wish in wishes if not self._is_ready(wish)), None)
        if self._job is not None or missing is None:
            return
        kept = self._kept.get(missing.source)
        self._job = Job(lambda: _read(missing, None if kept is None else kept[1].micrograph), "reader")
        self._job.returned.connect(lambda field: self._take(missing, field))
        self._job.failed.connect(lambda error: self._fail(missing, error))
        self._job.start()

    def _take(self, wish: Wish, field: Field) -> None:
        self._job = None
        self._kept[wish.source] = wish, field
        if wish != self._wish and self._wish is not None and self._wish.source in self._kept:
            self._kept.move_to_end(self._wish.source)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if wish == self._wish:
            self.ready.emit(wish, field)
        self._next()

    def _fail(self, wish: Wish, error: CryopickError) -> None:
        self._job = None
        self._ahead = [other for other in self._ahead if other != wish]  # it is said when it is looked at
        if wish == self._wish:
            self._wish = None
            self.failed.emit(wish, error)
        self._next()


def _read(wish: Wish, kept: Micrograph | None) -> Work:
    """Read a micrograph, unless it is in memory and only its filter is another."""
    micrograph = read_micrograph(wish.path, wish.spacing) if kept is None else kept
    yield
    return Field(micrograph, shown(micrograph, wish.filter))
