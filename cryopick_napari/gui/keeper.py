"""Labels and settings on their way to the disk: soon, in order, beside the window, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import in_words
from cryopick_napari.labelling import History
from cryopick_napari.labels import Labels, no_picks
from cryopick_napari.project import Project, Settings, View

SAVE_AFTER = 300  # ms from a change until it is written, with all that came meanwhile

Write = Callable[[Project], None]


class Keeper(QObject):
    """Keeps the labels of a project, how they came to be, and saves them by itself.

    What cannot be written stays in memory, and is tried again with the next change.

    Signals
    -------
    failed : CryopickError
        A file could not be read; or files cannot be written, which is told once.
    """

    failed = Signal(object)
    _done = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.project: Project | None = None
        self._histories: dict[Path, History] = {}
        self._unsaved: dict[Path | str, Write] = {}  # of a micrograph's labels, or of something else
        self._writing: list[tuple[Path | str, Write, Future[None]]] = []
        self._was_told = False
        self._writer = ThreadPoolExecutor(1, "cryopick writer")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_AFTER)
        self._timer.timeout.connect(self.save_now)
        self._done.connect(self._collect)

    def take(self, project: Project | None) -> None:
        """Begin with a project, or with none; what is unsaved of the one before is forgotten."""
        self.project = project
        self._histories.clear()
        self._unsaved.clear()
        self._was_told = False

    def move(self, project: Project) -> None:
        """Go on in a copy of the project; what could not be saved in the old place is saved there."""
        self.project = project
        self._was_told = False
        self.flush()

    def history(self, path: Path) -> History:
        """Give labels of a micrograph and how they came to be; none where they cannot be read."""
        if path not in self._histories:
            try:
                self._histories[path] = History(self.labels_of(path))
            except CryopickError as error:
                self._histories[path] = History(Labels(no_picks()))
                self.failed.emit(error)
        return self._histories[path]

    def labels_of(self, path: Path) -> Labels:
        """Give labels of a micrograph without remembering them.

        Raises
        ------
        CryopickError
            If they cannot be read.
        """
        if path in self._histories:
            return self._histories[path].labels
        return Labels(no_picks()) if self.project is None else self.project.labels(path)

    def put(self, path: Path, history: History) -> None:
        """Keep other labels of a micrograph, and save them soon."""
        self._histories[path] = history
        self._unsaved[path] = partial(_save_labels, path, history.labels)
        self._save_soon()

    def put_settings(self, settings: Settings) -> None:
        """Save settings now."""
        self._unsaved["settings"] = partial(_save_settings, settings)
        self.save_now()

    def put_view(self, view: View) -> None:
        """Save soon where a person is."""
        self._unsaved["view"] = partial(_save_view, view)
        self._save_soon()

    def _save_soon(self) -> None:
        if not self._timer.isActive():  # a person who never pauses is saved, too
            self._timer.start()

    @property
    def is_saved(self) -> bool:
        """Whether everything is on the disk, or on its way."""
        return not self._unsaved

    def save_now(self) -> None:
        """Write what is not on the disk yet."""
        self._timer.stop()
        if self.project is None:
            return
        unsaved, self._unsaved = self._unsaved, {}
        for key, write in unsaved.items():
            future = self._writer.submit(write, self.project)
            self._writing.append((key, write, future))
            future.add_done_callback(lambda future: self._done.emit())  # in the writer's thread

    def flush(self) -> None:
        """Write everything and wait until it is on the disk, or cannot be."""
        self.save_now()
        wait([future for _, _, future in self._writing])
        self._collect()

    def close(self) -> None:
        """Write everything, and end."""
        self.flush()
        self._writer.shutdown()

    def _collect(self) -> None:
        """See how the writing went; what failed is unsaved again, unless something newer is."""
        ended = [item for item in self._writing if item[2].done()]
        self._writing = [item for item in self._writing if item not in ended]
        newer = {key for key, _, _ in self._writing}
        for key, write, future in reversed(ended):
            error = future.exception()
            if isinstance(error, Exception) and key not in newer:
                self._unsaved.setdefault(key, write)
                self._tell(error)
            newer.add(key)
        if self.is_saved:
            self._was_told = False

    def _tell(self, error: Exception) -> None:
        if not self._was_told:
            self._was_told = True
            self.failed.emit(
                CryopickError(
                    f"labels and settings are not saved ({in_words(error)}): they stay in this window until "
                    "it is closed; save the project in another folder"
                )
            )


def _save_labels(path: Path, labels: Labels, project: Project) -> None:
    project.save_labels(path, labels)


def _save_settings(settings: Settings, project: Project) -> None:
    project.save_settings(settings)


def _save_view(view: View, project: Project) -> None:
    project.save_view(view)
