"""What a window works on: one project, the micrograph that is looked at, its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.config import ParticleSize
from cryopick_napari.display import DisplayFilter, default_filter
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import LABELS, Canvas, Kind
from cryopick_napari.gui.closing import Closing
from cryopick_napari.gui.keeper import Keeper
from cryopick_napari.gui.learning import Learning
from cryopick_napari.gui.picking import Picking
from cryopick_napari.gui.places import project_folder
from cryopick_napari.gui.reader import Field, Reader, Wish
from cryopick_napari.gui.review import Review
from cryopick_napari.gui.tools import Tools
from cryopick_napari.gui.worker import in_words, wait_for_jobs
from cryopick_napari.labelling import History
from cryopick_napari.labels import Labels, no_picks
from cryopick_napari.micrograph import check_spacing
from cryopick_napari.project import Project, Settings

UNKNOWN_DIAMETER = 50.0  # px, of circles drawn before the size is known

_SESSIONS: WeakKeyDictionary[Viewer, Session] = WeakKeyDictionary()


class Session(QObject):
    """The state of a window. Panels call its methods and listen to its signals; none keeps state of its own.

    Signals
    -------
    project_changed
        Another project is open, or this one has another name.
    micrographs_changed
        The list of micrographs is another.
    row_changed : Path
        Numbers of one micrograph (labels, picks) are others.
    current_changed
        Another micrograph is the current one; it may still have to be read.
    field_shown
        The current micrograph is on the canvas, with its labels; ``field`` is it.
    size_changed
        The particle's size or the pixel size is another.
    labels_changed
        Labels of the current micrograph are others.
    model_changed
        Another model is in use, or none.
    failed : str
        Something a person should read. It is shown as a notification too.
    closing
        The window goes.
    """

    project_changed = Signal()
    micrographs_changed = Signal()
    row_changed = Signal(object)
    current_changed = Signal()
    field_shown = Signal()
    size_changed = Signal()
    labels_changed = Signal()
    model_changed = Signal()
    failed = Signal(str)
    closing = Signal()

    @classmethod
    def of(cls, viewer: Viewer) -> Session:
        """Give the session of a viewer; two widgets of one viewer share it."""
        if viewer not in _SESSIONS:
            _SESSIONS[viewer] = cls(viewer)
        return _SESSIONS[viewer]

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.canvas = Canvas(viewer)
        self.project: Project | None = None
        self.settings = Settings()
        self.micrographs: list[Path] = []
        self.current: Path | None = None
        self.field: Field | None = None
        self.display: DisplayFilter | None = None  # None: what suits the particle
        self._suited: DisplayFilter | None = None  # to the micrograph before
        self.problems: dict[Path, CryopickError] = {}  # of micrographs that could not be read
        self._keeper = Keeper()
        self._keeper.failed.connect(self.say)
        self._reader = Reader()
        self._reader.ready.connect(self._show)
        self._reader.failed.connect(self._on_unreadable)
        self.canvas.edited.connect(self.edit)
        self.canvas.removed.connect(self._on_layer_removed)
        self.failed.connect(show_warning)
        self._is_closed = False
        self._window = Closing(viewer.window._qt_window)
        self._window.asked.connect(self.flush)
        self._window.closed.connect(self.close)
        self.learning = Learning(self)
        self.review = Review(self)
        self.picking = Picking(self)
        self.tools = Tools(self)

    # the project

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Add micrographs (files, folders) and show the first new one; coordinates go to `import_labels`.

        Without a project, the one that these micrographs had before is opened, or begun.

        Raises
        ------
        CryopickError
            If there are none, or the project's folder cannot be made.
        """
        from cryopick_napari.micrograph import find_micrographs

        found = [path.absolute() for path in find_micrographs(paths)]
        if self.project is None:
            self._take_project(Project.opened(project_folder(found[0].parent)))
        known = set(self.micrographs)
        new = [path for path in found if path not in known]
        if new:
            self.micrographs += new
            self.change(micrographs=tuple(map(str, self.micrographs)))
            self.micrographs_changed.emit()
        self.go(found[0])

    def open_project(self, folder: str | Path) -> None:
        """Open a project in place of the one before.

        Raises
        ------
        CryopickError
            If it is damaged, or the folder cannot be used, or the project before cannot be saved.
        """
        project = Project.opened(folder)
        project.settings()  # before anything is given up
        self.close_project()
        self._take_project(project)
        if self.micrographs:
            labelled = (path for path in self.micrographs if project.has_labels(path))
            self.go(next(labelled, self.micrographs[0]))

    def close_project(self) -> None:
        """Put the project away; an empty window is left.

        Raises
        ------
        CryopickError
            If its labels cannot be saved.
        """
        self.flush()
        if self.project is not None and not self._keeper.is_saved:
            raise CryopickError(
                f"labels cannot be written to {self.project.folder}: save the project in another folder first"
            )
        self._keeper.take(None)
        self.project, self.settings, self.micrographs = None, Settings(), []
        self.current, self.field, self.display, self._suited = None, None, None, None
        self.problems.clear()
        self.canvas.clear()
        for signal in (self.project_changed, self.micrographs_changed, self.current_changed):
            signal.emit()
        for signal in (self.size_changed, self.labels_changed, self.model_changed):
            signal.emit()

    def save_project_as(self, folder: str | Path) -> None:
        """Give the project a place and a name of its own."""
        self.flush()
        self.project = self.opened().moved(folder)
        self._keeper.move(self.project)
        self.project_changed.emit()

    def opened(self) -> Project:
        """Give the project.

        Raises
        ------
        CryopickError
            If none is open.
        """
        if self.project is None:
            raise CryopickError("open a micrograph first")
        return self.project

    def change(self, **values: Any) -> None:
        """Change settings of the project, on the disk too."""
        settings = replace(self.settings, **values)
        if settings == self.settings:
            return
        self.settings = settings
        if self.project is not None:
            self._keeper.put_settings(settings)

    def _take_project(self, project: Project) -> None:
        settings = project.settings()
        self.project = project
        self._keeper.take(project)
        # What a person said before there was a project holds for a new one.
        self.settings = settings if settings != Settings() else self.settings
        self.micrographs = [Path(path) for path in self.settings.micrographs]
        for signal in (self.project_changed, self.micrographs_changed, self.size_changed, self.model_changed):
            signal.emit()

    # the micrograph that is looked at

    def go(self, path: Path) -> None:
        """Look at a micrograph of the list.

        Raises
        ------
        CryopickError
            If it is not in the list.
        """
        if path not in self.micrographs:
            raise CryopickError(f"{path} is not open: open it first")
        if path != self.current:
            self._settle()
            self._keeper.save_now()
            self.current = path
            self.field = None
            self.current_changed.emit()
        self._ask()

    def step(self, by: int) -> None:
        """Look at the next micrograph (1) or the one before (-1), if there is one."""
        if self.current is not None:
            place = self.micrographs.index(self.current) + by
            if 0 <= place < len(self.micrographs):
                self.go(self.micrographs[place])

    def remove(self, paths: Sequence[Path]) -> None:
        """Take micrographs off the list; their labels and picks stay on the disk."""
        gone = set(paths)
        others = [path for path in self.micrographs if path not in gone]
        self.change(micrographs=tuple(map(str, others)))
        if not others:
            self.close_project()
            return
        if self.current in gone:
            place = self.micrographs.index(self.current)
            after = (path for path in self.micrographs[place:] if path not in gone)
            self.go(next(after, others[-1]))
        self.micrographs = others
        self.micrographs_changed.emit()

    def set_display(self, display: DisplayFilter | None) -> None:
        """Show micrographs through another filter; None takes what suits the particle."""
        self.display = display
        self._ask_again()

    def filter(self) -> DisplayFilter:
        """Give the filter in use; until a micrograph is read, the one that suited the one before."""
        if self.field is not None or self._suited is None:
            self._suited = default_filter(self.known_diameter, self.spacing)
        return self.display or self._suited

    def _ask(self) -> None:
        if self.current is None:
            return
        place = self.micrographs.index(self.current)
        near = [*self.micrographs[place + 1 : place + 2], *self.micrographs[max(0, place - 1) : place]]
        wishes = [Wish(path, self.settings.spacing, self.filter()) for path in (self.current, *near)]
        self._reader.ask(wishes[0], wishes[1:])

    def _ask_again(self) -> None:
        """Show the current micrograph otherwise; what is wrong with a damaged one was said."""
        if self.current not in self.problems:
            self._ask()

    def _show(self, wish: Wish, field: Field) -> None:
        if wish.path != self.current:
            return
        is_new = self.field is None or self.field.micrograph is not field.micrograph
        learned_spacing = self.field is None or self.field.micrograph.spacing != field.micrograph.spacing
        self.field = field
        if self.problems.pop(wish.path, None) is not None:
            self.row_changed.emit(wish.path)
        self.canvas.show_micrograph(field)
        if not is_new:
            return
        if learned_spacing:
            self.size_changed.emit()  # the pixel size is known now, or another
        self.canvas.show_labels(self.labels, self.diameter)
        self.canvas.activate(Kind.POSITIVES)
        self.field_shown.emit()
        self.labels_changed.emit()
        if wish.filter != self.filter():  # another one suits, now that the pixel size is known
            self._ask()

    def _on_unreadable(self, wish: Wish, error: CryopickError) -> None:
        if wish.path == self.current:
            self.canvas.clear()
            self.problems[wish.path] = error
            self.row_changed.emit(wish.path)
            self.field_shown.emit()
        self.say(error)

    # sizes

    @property
    def spacing(self) -> float | None:
        """Pixel size of the current micrograph in Å/px, or None if nobody knows it."""
        return self.settings.spacing if self.field is None else self.field.micrograph.spacing

    @property
    def known_diameter(self) -> float | None:
        """The particle's diameter in px of the current micrograph, or None while it is unknown."""
        size = self.settings.size
        if size is None or (size.in_angstrom and self.spacing is None):
            return None
        return size.in_pixels(self.spacing)

    @property
    def diameter(self) -> float:
        """The diameter in px to draw circles with."""
        return self.known_diameter or UNKNOWN_DIAMETER

    def set_size(self, size: ParticleSize | None) -> None:
        """Set the particle's diameter."""
        diameter, in_angstrom = (None, True) if size is None else (size.diameter, size.in_angstrom)
        self.change(diameter=diameter, in_angstrom=in_angstrom)
        if self.field is not None:
            self.canvas.show_labels(self.labels, self.diameter)
        self.size_changed.emit()
        self._ask_again()

    def set_spacing(self, spacing: float | None) -> None:
        """Say the pixel size (Å/px) that the files do not; None leaves it to them.

        Raises
        ------
        CryopickError
            If the file of the current micrograph says another, or it is not above 0.
        """
        if spacing is not None:
            check_spacing(self.current, spacing)
        self._settle()
        self.change(spacing=spacing)
        self.field = None
        self.size_changed.emit()
        self._ask()

    # labels

    @property
    def labels(self) -> Labels:
        """Labels of the current micrograph."""
        return Labels(no_picks()) if self.current is None else self.history(self.current).labels

    def labels_of(self, path: Path) -> Labels:
        """Labels of a micrograph of the list.

        Raises
        ------
        CryopickError
            If they cannot be read.
        """
        return self._keeper.labels_of(path)

    def history(self, path: Path) -> History:
        """Labels of a micrograph and how they came to be."""
        return self._keeper.history(path)

    def edit(self, labels: Labels) -> None:
        """Change the labels of the current micrograph: seen at once, saved soon, and can be undone."""
        self._take_history(lambda history: history.changed(labels))

    def put_labels(self, path: Path, labels: Labels) -> None:
        """Change the labels of any micrograph of the list, as `edit` those of the current one."""
        if path == self.current and self.field is not None:
            self.edit(labels)
            return
        self._keeper.put(path, self.history(path).changed(labels))
        self.row_changed.emit(path)

    def undo(self) -> None:
        """Go one change of the current labels back."""
        self._settle()
        self._take_history(History.undone)

    def redo(self) -> None:
        """Take the last undoing back."""
        self._settle()
        self._take_history(History.redone)

    def save_now(self) -> None:
        """Write what is not on the disk yet, beside the window."""
        self._settle()
        self._keeper.save_now()

    def flush(self) -> None:
        """Write everything and wait until it is on the disk."""
        self._settle()
        self._keeper.flush()

    def _settle(self) -> None:
        """Take what a person has just done by napari's own tools, before something else happens."""
        if self.field is not None:
            self.canvas.settle()

    def _take_history(self, change: Callable[[History], History]) -> None:
        if self.current is None or self.field is None:
            return
        before = self.history(self.current)
        after = change(before)
        self.canvas.show_labels(after.labels, self.diameter)
        if after is before:
            return
        self._keeper.put(self.current, after)
        self.labels_changed.emit()
        self.row_changed.emit(self.current)

    def _on_layer_removed(self, kind: Kind) -> None:
        if kind in LABELS or kind is Kind.MICROGRAPH:
            # Nobody loses an hour's labels by a slip in the layer list.
            QTimer.singleShot(0, self._restore_layers)

    def _restore_layers(self) -> None:
        if self.field is None or self._is_closed:
            return
        if self.canvas.layer(Kind.MICROGRAPH) is None:
            self.canvas.show_micrograph(self.field)
        self.canvas.show_labels(self.labels, self.diameter)
        self.canvas.activate(Kind.POSITIVES)

    # the rest

    def say(self, error: Exception) -> None:
        """Tell a person what went wrong."""
        self.failed.emit(str(in_words(error)))

    def guarded(self, action: Callable[..., object], *arguments: Any) -> bool:
        """Do something a person asked for; what goes wrong is said. Return whether it went well."""
        try:
            action(*arguments)
        except Exception as error:
            self.say(error)
            return False
        return True

    def close(self) -> None:
        """End everything that runs; all labels are on the disk afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        self._window.stop()
        self.closing.emit()
        self._settle()
        self._keeper.close()
        self._reader.close()
        self.canvas.close()
        _SESSIONS.pop(self.viewer, None)
        wait_for_jobs(everything=not _SESSIONS)
