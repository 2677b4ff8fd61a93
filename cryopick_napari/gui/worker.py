"""Long work beside the window: one thread a job, whose every end is heard of on the window's own thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from qtpy.QtCore import QObject, Signal

from cryopick_napari.errors import CryopickError

Work = Generator[Any, "bool | None", Any]
logger = logging.getLogger(__name__)


class Job(QObject):
    """A generator that runs in a thread.

    napari's own workers lose a RuntimeError, which every error of torch is, and the result of a
    generator that is told to quit; they also share as many threads as there are cores.

    Signals
    -------
    yielded, returned : object
        What the generator yields; what it returns in the end.
    failed : CryopickError
        What went wrong, in words for a person.
    finished
        After any end.
    """

    yielded = Signal(object)
    returned = Signal(object)
    failed = Signal(object)
    finished = Signal()
    _told = Signal(str, object)

    running: ClassVar[set[Job]] = set()  # whoever started a job need not keep it

    def __init__(self, make: Callable[[], Work], name: str = "job") -> None:
        super().__init__()
        self._make = make
        self._enough = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"cryopick {name}", daemon=True)
        # A method of an object of the window's thread runs there; with PySide6 other functions do not.
        self._told.connect(self._tell)

    def start(self) -> Job:
        """Begin."""
        Job.running.add(self)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask for the best result so far; it comes by ``returned``."""
        self._enough.set()

    def abandon(self) -> None:
        """Drop the work at its next step; nothing more is heard of it but ``finished``."""
        self._abandoned.set()

    @property
    def is_running(self) -> bool:
        """Whether ``finished`` is still to come."""
        return self in Job.running

    @property
    def was_stopped(self) -> bool:
        """Whether a person had enough."""
        return self._enough.is_set()

    def _tell(self, what: str, value: object) -> None:
        """Say on the window's thread what happened in the other."""
        if what == "finished":
            Job.running.discard(self)
            self.finished.emit()
        elif not self._abandoned.is_set():
            getattr(self, what).emit(value)

    def _run(self) -> None:
        try:
            what, value = "returned", self._drive()
        except (Exception, SystemExit) as error:
            what, value = "failed", in_words(error)
        self._told.emit(what, value)
        self._told.emit("finished", None)

    def _drive(self) -> Any:
        work = self._make()
        answer = None
        try:
            while not self._abandoned.is_set():
                self._told.emit("yielded", work.send(answer))
                answer = True if self._enough.is_set() else None
        except StopIteration as end:
            return end.value
        finally:
            work.close()
        return None


def once(function: Callable[[], Any]) -> Callable[[], Work]:
    """Make a job of a function: it yields nothing and returns what the function does."""

    def work() -> Work:
        yield from ()
        return function()

    return work


def in_words(error: BaseException) -> CryopickError:
    """Say what went wrong so that a person knows what to do; details go to the log."""
    if isinstance(error, CryopickError):
        return error
    logger.error("unexpected error", exc_info=error)
    text = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate" in text:
        told = CryopickError(
            "there is not enough memory: close other programs, or choose a smaller preset or batch"
        )
    elif isinstance(error, FileNotFoundError) and error.filename:
        told = CryopickError(f"{error.filename} is gone: was it moved or deleted?")
    elif isinstance(error, OSError):
        told = CryopickError(f"{error.filename or 'a file cannot be used'}: {error.strerror or text}")
    else:
        told = CryopickError(f"something unexpected happened ({type(error).__name__}: {text})")
    told.__cause__ = error
    return told


def wait_for_jobs(seconds: float = 10.0, everything: bool = True) -> bool:
    """Wait until the threads of dropped jobs have ended; whether they have.

    Parameters
    ----------
    seconds : float
        The longest to wait.
    everything : bool
        Drop all jobs first.
    """
    for job in Job.running if everything else ():
        job.abandon()
    end = time.monotonic() + seconds
    dropped = [job for job in Job.running if job._abandoned.is_set()]
    for job in dropped:
        job._thread.join(max(0.0, end - time.monotonic()))
        if not job._thread.is_alive():
            # Its own signal may come too late, and events must not be processed here: a window that is
            # closing would be closed twice.
            Job.running.discard(job)
    return Job.running.isdisjoint(dropped)
