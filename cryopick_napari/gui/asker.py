"""Ask models about micrographs beside the window, one question at a time."""

from __future__ import annotations

import math
import time
from functools import partial

from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.answers import Answer, Question, answered
from cryopick_napari.gui.worker import Job

DRAFT_EVERY = 2.0  # s, between two questions to a model in training


class Asker(QObject):
    """Works on the newest question; answers to earlier ones no longer come.

    Signals
    -------
    answered : Answer
    failed : CryopickError
    saved : Path
        The picks of a micrograph are on the disk.
    changed
        Work begins or ends.
    """

    answered = Signal(object)
    failed = Signal(object)
    saved = Signal(object)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.answer: Answer | None = None  # the last one
        self._wish: Question | None = None  # waits
        self._question: Question | None = None  # is being worked on
        self._job: Job | None = None
        self._started = -math.inf
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._next)

    @property
    def is_running(self) -> bool:
        """Whether an answer is to come."""
        return self._question is not None or self._wish is not None

    def ask(self, question: Question | None) -> None:
        """Ask this instead of all before; None asks nothing."""
        self._wish = question
        present = self._question
        # Snapshots of a training may come faster than answers: one that is begun is finished.
        if present is not None and not (present.is_draft and present.is_like(question)):
            self._drop()
        self._next()
        self.changed.emit()

    def forget(self) -> None:
        """Give the last answer up; another micrograph is looked at."""
        self.answer = None
        self.ask(None)

    def close(self) -> None:
        """End, without another word."""
        self._pause.stop()
        self.forget()

    def _drop(self) -> None:
        if self._job is not None:
            self._job.abandon()
        self._question = None

    def _next(self) -> None:
        """Work on what waits, if nothing is being worked on; of a training not too often."""
        question = self._wish
        if self._job is not None or question is None:
            return
        wait = self._started + DRAFT_EVERY - time.monotonic()
        if wait > 0 and question.is_draft and self.answer is not None:
            self._pause.start(math.ceil(1000 * wait))
            return
        self._wish, self._question, self._started = None, question, time.monotonic()
        self._job = Job(partial(answered, question, self.answer), "review")
        self._job.yielded.connect(self._on_step)
        self._job.returned.connect(partial(self._on_returned, question))
        self._job.failed.connect(partial(self._on_failed, question))
        self._job.finished.connect(self._on_finished)
        self._job.start()
        self.changed.emit()

    def _on_step(self, answer: Answer | None) -> None:
        if answer is not None and answer.question is self._question:
            self.answer = answer
            self.answered.emit(answer)

    def _on_returned(self, question: Question, is_saved: bool) -> None:
        if is_saved:
            self.saved.emit(question.path)

    def _on_failed(self, question: Question, error: CryopickError) -> None:
        if question is self._question:
            self.failed.emit(error)

    def _on_finished(self) -> None:
        self._job, self._question = None, None
        self.changed.emit()
        self._next()
