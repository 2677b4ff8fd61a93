"""What a window does: opens micrographs, shows one, takes labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from cryopick_napari.config import ParticleSize
from cryopick_napari.display import DisplayFilter
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import LABELS, Canvas, Kind
from cryopick_napari.gui.closing import Closing
from cryopick_napari.gui.first_look import FirstLook
from cryopick_napari.gui.following import Following
from cryopick_napari.gui.learning import Learning
from cryopick_napari.gui.masking import Masking
from cryopick_napari.gui.picking import Picking
from cryopick_napari.gui.places import project_folder
from cryopick_napari.gui.reader import Field, Reader, Wish
from cryopick_napari.gui.ready import get_ready
from cryopick_napari.gui.review import Review
from cryopick_napari.gui.state import State
from cryopick_napari.gui.tallies import Tallies
from cryopick_napari.gui.tools import Tools
from cryopick_napari.gui.worker import wait_for_jobs
from cryopick_napari.labelling import History
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import check_spacing
from cryopick_napari.project import Project

_SESSIONS: WeakKeyDictionary[Viewer, Session] = WeakKeyDictionary()


class Session(State):
    """What a window does. Panels call its methods and listen to its signals; none keeps state of its own."""

    @classmethod
    def of(cls, viewer: Viewer) -> Session:
        """Give the session of a viewer; two widgets of one viewer share it."""
        # napari hands its plugins a proxy, through which no layer is the same object twice.
        viewer = getattr(viewer, "__wrapped__", viewer)
        if viewer not in _SESSIONS:
            _SESSIONS[viewer] = cls(viewer)
        return _SESSIONS[viewer]

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.canvas = Canvas(viewer)
        self._reader = Reader()
        self._reader.ready.connect(self._show)
        self._reader.failed.connect(self._on_unreadable)
        self.canvas.edited.connect(self.edit)
        self.canvas.removed.connect(self._on_layer_removed)
        self.canvas.looks.changed.connect(lambda _: self.note(overlays=self.canvas.looks.noted))
        self.project_changed.connect(lambda: self.canvas.take_looks(self.view.overlays))
        self.failed.connect(show_warning)
        self._is_closed = False
        self._window = Closing(viewer.window._qt_window)
        self._window.asked.connect(self.flush)
        self._window.closed.connect(self.close)
        get_ready()
        self.tallies = Tallies(self)
        self.learning = Learning(self)
        self.review = Review(self)
        self.picking = Picking(self)
        self.following = Following(self)
        self.masking = Masking(self)
        self.tools = Tools(self)
        self.first_look = FirstLook(self)

    # the project

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Add micrographs (files, folders) and show the first new one.

        Without a project, the one that these micrographs had before is opened, or begun.

        Raises
        ------
        CryopickError
            If there are none, or the project's folder cannot be made.
        """
        from cryopick_napari.micrograph import find_micrographs

        found = [path.absolute() for path in find_micrographs(paths)]
        is_open = self.project is not None
        self.add(found)
        before = None if is_open else self.view.current
        self.go(next((path for path in found if str(path) == before), found[0]))

    def add(self, paths: Sequence[Path]) -> list[Path]:
        """List micrographs, and go on looking at what is looked at; those that were not listed come back.

        Without a project, the one that these micrographs had before is opened, or begun.

        Raises
        ------
        CryopickError
            If the project's folder cannot be made.
        """
        found = [path.absolute() for path in paths]
        if self.project is None:
            self._take_project(Project.opened(project_folder(found[0].parent)))
        known = set(self.micrographs)
        new = [path for path in found if path not in known]
        if new:
            self.micrographs += new
            self.change(micrographs=tuple(map(str, self.micrographs)))
            self.micrographs_changed.emit()
        return new

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
            view = self.view
            labelled = (path for path in self.micrographs if project.has_labels(path))
            before = (path for path in self.micrographs if str(path) == view.current)
            self.go(next(before, None) or next(labelled, self.micrographs[0]))
            if view.panel is not None:
                self.panel_wanted.emit(view.panel)

    def try_again(self) -> None:
        """Open the project anew, which somebody else may have closed by now."""
        current, folder = self.current, self.opened().folder
        self.open_project(folder)
        if current in self.micrographs:
            self.go(current)

    def close_project(self) -> None:
        """Put the project away; an empty window is left.

        Raises
        ------
        CryopickError
            If its labels cannot be saved.
        """
        self._put_project_away()
        self.canvas.clear()
        for signal in (self.project_changed, self.micrographs_changed, self.current_changed):
            signal.emit()
        for signal in (self.size_changed, self.labels_changed, self.model_changed, self.values_changed):
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
            self.note(current=str(path))
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
        kept = set(map(str, others))
        self.change(
            micrographs=tuple(map(str, others)),
            rejected=tuple(path for path in self.settings.rejected if path in kept),
        )
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
        self.note(display=display)
        self._ask_again()

    def _ask(self) -> None:
        if self.current is not None:
            wish, *ahead = self._wishes(self.current)
            self._reader.ask(wish, ahead)

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

    def edit(self, labels: Labels) -> None:
        """Change the labels of the current micrograph: seen at once, saved soon, and can be undone."""
        self._take_history(lambda history: history.changed(labels))

    def put_labels(self, path: Path, labels: Labels) -> None:
        """Change the labels of any micrograph of the list, as `edit` those of the current one."""
        if path == self.current and self.field is not None:
            self.edit(labels)
            return
        self.writable()
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

    def _settle(self) -> None:
        if self.field is not None:
            self.canvas.settle()

    def _take_history(self, change: Callable[[History], History]) -> None:
        if self.current is None or self.field is None or self._is_closed:
            return
        before = self.history(self.current)
        after = change(before)
        if after is not before and not self.guarded(self.writable):
            after = before
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

    # the end

    def close(self) -> None:
        """End everything that runs; all labels are on the disk afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        self._window.stop()
        self.closing.emit()
        self._settle()
        self._keeper.close()
        self._release()
        self._reader.close()
        self.canvas.close()
        _SESSIONS.pop(self.viewer, None)
        wait_for_jobs(everything=not _SESSIONS)
