"""Picks before any training: by the general model, then at every click by what was clicked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.config import LEAST_CLICKS, ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.computing import import_training
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.picker import Picker

PAUSE = 100  # ms without a click before it is renewed


class FirstLook(QObject):
    """Puts the general model in use, and from the third click on a first look, until there is a model.

    Signals
    -------
    changed
        It begins or ends to look.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._job: Job | None = None
        self._of: Path | None = None  # the micrograph whose clicks it shows
        self._general_for: object = None  # what the general model in use was made for
        self._is_stale = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PAUSE)
        self._soon.timeout.connect(self._look)
        for signal in (session.labels_changed, session.size_changed):
            signal.connect(self._soon.start)
        session.closing.connect(self.close)

    def close(self) -> None:
        """Look no more."""
        self._soon.stop()
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _look(self) -> None:
        session = self._session
        field, size = session.field, session.settings.size
        if field is None or size is None or session.known_diameter is None or not self._is_wanted():
            return
        has_clicks = len(session.labels.positives) >= LEAST_CLICKS
        if not has_clicks and self._of not in (None, field.path):
            return  # the look at another micrograph's clicks stays
        wanted = None if has_clicks else (session.project, size, session.settings.spacing)
        if wanted and session.learning.untrained == "general model" and self._general_for == wanted:
            return  # what it was made for on the first field, it is good for on the others
        if self._job is not None:
            self._is_stale = True
            return
        look = partial(looked, field.micrograph, session.labels, size)
        job = self._job = Job(once(look), "first look")
        of = field.path if has_clicks else None
        job.returned.connect(lambda picker: self._take(job, of, wanted, picker))
        job.failed.connect(lambda error: session.say(error) if job is self._job else None)
        job.finished.connect(lambda: self._on_finished(job))
        job.start()
        self.changed.emit()

    @property
    def is_running(self) -> bool:
        """Whether it is looking."""
        return self._job is not None

    def _is_wanted(self) -> bool:
        learning = self._session.learning
        is_free = learning.picker is None or bool(learning.untrained)
        return is_free and self._session.settings.model is None and not learning.is_running

    def _take(self, job: Job, of: Path | None, general_for: object, picker: Picker) -> None:
        if job is self._job and self._is_wanted():
            self._of, self._general_for = of, general_for
            self._session.learning.take_untrained(picker)

    def _on_finished(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            self.changed.emit()
            if self._is_stale:
                self._is_stale = False
                self._soon.start()


def looked(micrograph: Micrograph, labels: Labels, size: ParticleSize) -> Picker:
    """Make a picker without training, in a job: of the clicks, or the general one before there are enough."""
    import_training()
    from cryopick_napari.examples import new_picker
    from cryopick_napari.first_look import first_look
    from cryopick_napari.general import general_picker

    def general() -> Picker:
        return general_picker(size.in_pixels(micrograph.spacing), micrograph.spacing, [micrograph])

    if len(labels.positives) < LEAST_CLICKS:
        return general()
    example = Example(micrograph, labels)
    diameter, radius = (size.diameter, None) if size.in_angstrom else (None, size.diameter / 2)
    try:
        # At the scale that suits the field: that of the general model's network is no concern of a filter.
        config = new_picker([example], diameter, radius=radius, from_scratch=True).config
        return first_look([example], config)
    except CryopickError:  # they lie on dead ground
        return general()
