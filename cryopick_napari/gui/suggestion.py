"""A diameter to begin with: what the field on the canvas, or the first clicks on it, look like."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.config import LEAST_CLICKS, ParticleSize
from cryopick_napari.gui.computing import import_torch
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.micrograph import Micrograph

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.suggesting import Suggestion

PAUSE = 200  # ms; a person who looks through micrographs is not kept waiting


class DiameterSuggestion(QObject):
    """Suggests the particle's size while a person has not said it; it never sets it by itself.

    Attributes
    ----------
    size : ParticleSize or None
        In round numbers; None while there is nothing to suggest.

    Signals
    -------
    changed
        ``size`` is another.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.size: ParticleSize | None = None
        self._session = session
        self._is_wanted = False
        self._job: Job | None = None
        self._looked_at: tuple[Micrograph, bool] | None = None  # and whether it had enough clicks
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PAUSE)
        self._soon.timeout.connect(self._look)
        for signal in (session.field_shown, session.labels_changed, session.size_changed):
            signal.connect(self._soon.start)
        session.closing.connect(self._stop)

    def want(self) -> None:
        """Begin to suggest: somebody looks at where sizes are set."""
        if not self._is_wanted:
            self._is_wanted = True
            self._soon.start()

    def _look(self) -> None:
        session = self._session
        field = session.field
        if not self._is_wanted or field is None or session.settings.size is not None:
            self._take(None)
            return
        clicks = session.labels.positives.yx
        has_clicks = len(clicks) >= LEAST_CLICKS
        if self._looked_at == (field.micrograph, has_clicks):
            return
        self._stop()
        self._looked_at = field.micrograph, has_clicks
        look = partial(suggested, field.micrograph, np.array(clicks) if has_clicks else None)
        job = self._job = Job(once(look), "diameter")
        job.returned.connect(lambda size: self._take(size) if job is self._job else None)
        # What cannot be suggested is typed: nothing that a person has asked for went wrong.
        job.failed.connect(lambda _: self._take(None) if job is self._job else None)
        job.start()

    def _take(self, size: ParticleSize | None) -> None:
        if size != self.size:
            self.size = size
            self.changed.emit()

    def _stop(self) -> None:
        self._soon.stop()
        if self._job is not None:
            self._job.abandon()
            self._job = None


def suggested(micrograph: Micrograph, clicks: NDArray[np.float32] | None) -> ParticleSize | None:
    """Suggest a size, in a job: in Å where the pixel size is known."""
    import_torch()
    from cryopick_napari.suggesting import suggested_diameter

    found: Suggestion | None = suggested_diameter(micrograph, clicks)
    return None if found is None else found.in_round_numbers(micrograph.spacing)
