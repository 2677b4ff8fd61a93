"""Count and write coordinates of a project beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.exporting import FilesExistError, Summary, export, summary
from cryopick_napari.gui.importing import Importing
from cryopick_napari.gui.materials import Materials
from cryopick_napari.gui.worker import Job, Work, once
from cryopick_napari.material import Choice, Material, Source

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

AT_ONCE = 50  # micrographs


class Exports(QObject):
    """Coordinates on their way out of a project.

    Attributes
    ----------
    materials : Materials
        What is known of all micrographs.
    importing : Importing

    Signals
    -------
    changed
        Work begins or ends.
    previewed : Summary
        The answer to the last `preview`.
    exported : Written
    clashed : FilesExistError
        An export would replace files: nothing was written.
    """

    changed = Signal()
    previewed = Signal(object)
    exported = Signal(object)
    clashed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.materials = Materials(session)
        self.importing = Importing(session)
        self._writing: Job | None = None
        self._counting: Job | None = None
        session.closing.connect(self._on_closing)

    @property
    def is_writing(self) -> bool:
        """Whether coordinates are being written."""
        return self._writing is not None

    def choice(self, source: Source = "corrected", border: float = 0.0) -> Choice:
        """Say which particles are wanted, at the threshold of the review.

        Parameters
        ----------
        source : str
            ``corrected``, ``picks`` or ``labels``.
        border : float
            Least distance from an edge, px.
        """
        review = self.session.review
        return Choice(source, review.threshold, review.min_distance, border, self._size())

    def _size(self) -> ParticleSize | None:
        """Give the particle's size as a person said it, else as the model has it."""
        picker = self.session.learning.picker
        if self.session.settings.size is not None or picker is None:
            return self.session.settings.size
        angstrom = picker.config.diameter_angstrom
        return ParticleSize(picker.config.diameter, False) if angstrom is None else ParticleSize(angstrom)

    def preview(self, choice: Choice, paths: Sequence[Path] | None = None) -> None:
        """Count what an export would hold; the answer comes by ``previewed``."""
        materials = self.materials.of(self.session.accepted if paths is None else paths)
        if self._counting is not None:
            self._counting.abandon()
        self._counting = job = Job(partial(_counted, materials, choice), "preview")
        job.returned.connect(lambda found: self.previewed.emit(found) if job is self._counting else None)
        job.start()

    def export(
        self,
        folder: Path,
        format: str,
        choice: Choice,
        paths: Sequence[Path] | None = None,
        flip_y: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Write coordinates beside the window; ``exported`` or ``clashed`` tells the end.

        Parameters
        ----------
        folder : Path
        format : str
            One of `coordinates.FORMATS`.
        choice : Choice
        paths : sequence of Path, optional
            Of these micrographs; by default of all that are not rejected.
        flip_y : bool
            Count rows from the other end.
        overwrite : bool
            Replace files that are there.

        Raises
        ------
        CryopickError
            If coordinates are being written already.
        """
        if self.is_writing:
            raise CryopickError("coordinates are being written already")
        materials = self.materials.gathered(list(self.session.accepted if paths is None else paths))
        work = partial(export, materials, choice, folder, format, flip_y, overwrite)
        self._writing = Job(once(work), "export")
        self._writing.returned.connect(lambda written: self._end(self.exported, written))
        self._writing.failed.connect(self._on_failed)
        self._writing.start()
        self.changed.emit()

    def _on_failed(self, error: CryopickError) -> None:
        if isinstance(error, FilesExistError):
            self._end(self.clashed, error)
        else:
            self._end(self.session.failed, str(error))

    def _end(self, signal: Any, told: object) -> None:
        self._writing = None
        self.changed.emit()
        signal.emit(told)

    def _on_closing(self) -> None:
        if self._counting is not None:
            self._counting.abandon()


def _counted(materials: Sequence[Material], choice: Choice) -> Work:
    """Count, as a job that can be dropped on the way."""
    total = Summary()
    for first in range(0, len(materials), AT_ONCE):
        total += summary(materials[first : first + AT_ONCE], choice)
        yield
    return total
