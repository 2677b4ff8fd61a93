"""What a window knows: its project, the micrograph that is looked at, sizes and labels. It draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from cryopick_napari.config import UNKNOWN_DIAMETER
from cryopick_napari.display import DisplayFilter, default_filter
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.keeper import Keeper
from cryopick_napari.gui.reader import Field, Wish
from cryopick_napari.gui.worker import in_words
from cryopick_napari.holding import HeldError, Hold, Holder, hold
from cryopick_napari.labelling import History
from cryopick_napari.labels import Labels, no_picks
from cryopick_napari.micrograph_values import Values, load_values, save_values
from cryopick_napari.project import READ_ONLY, Project, Settings, View


class State(QObject):
    """The state of a window, and the signals by which all its parts hear of changes.

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
    choice_changed
        Other micrographs are rejected.
    values_changed
        Other numbers are known of the micrographs.
    labels_changed
        Labels of the current micrograph are others.
    model_changed
        Another model is in use, or none.
    failed : str
        Something a person should read. It is shown as a notification too.
    panel_wanted : str
        A panel should come to the front.
    closing
        The window goes.
    """

    project_changed = Signal()
    micrographs_changed = Signal()
    row_changed = Signal(object)
    current_changed = Signal()
    field_shown = Signal()
    size_changed = Signal()
    choice_changed = Signal()
    values_changed = Signal()
    labels_changed = Signal()
    model_changed = Signal()
    failed = Signal(str)
    panel_wanted = Signal(str)
    closing = Signal()
    _lost = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.project: Project | None = None
        self.settings = Settings()
        self.micrographs: list[Path] = []
        self.current: Path | None = None
        self.field: Field | None = None
        self.values = Values()
        self.problems: dict[Path, CryopickError] = {}  # of micrographs that could not be read
        self.view = View()  # how a person looks at it all, which outlasts the window
        self._suited: DisplayFilter | None = None  # to the micrograph before
        self._keeper = Keeper()
        self._keeper.failed.connect(self.say)
        self.holder: Holder | None = None  # who else works on the project
        self._hold: Hold | None = None
        self._lost.connect(self._on_lost)

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

    def writable(self) -> Project:
        """Give the project, to write to it.

        Raises
        ------
        CryopickError
            If none is open, or somebody else works on it.
        """
        project = self.opened()
        if project.is_read_only:
            raise CryopickError(READ_ONLY)
        return project

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
        self.project = project = self._held(project)
        self._keeper.take(project)
        # What a person said before there was a project holds for a new one.
        self.settings = settings if settings != Settings() else self.settings
        self.micrographs = [Path(path) for path in self.settings.micrographs]
        self.values = load_values(project.folder)
        self.view = project.view().before(self.view)
        for signal in (
            *(self.project_changed, self.micrographs_changed, self.values_changed),
            *(self.size_changed, self.model_changed),
        ):
            signal.emit()

    def note(self, **seen: Any) -> None:
        """Remember how a person looks at the project (fields of `View`), so that it opens so again."""
        view = replace(self.view, **seen)
        if view == self.view:
            return
        self.view = view
        if self.project is not None:
            self._keeper.put_view(view)

    def save_project_as(self, folder: str | Path) -> None:
        """Give the project a place and a name of its own."""
        self.flush()
        moved = self.opened().moved(folder)
        self._release()
        self.project = self._held(moved)
        self._keeper.move(self.project)
        self.project_changed.emit()

    def _held(self, project: Project) -> Project:
        """Take the right to write to a project; where somebody else has it, it is only shown."""
        lost = partial(self._lost.emit, project.folder)
        try:
            self._hold, self.holder = hold(project.folder, lost), None
        except HeldError as error:
            self.holder = error.holder
            self.say(CryopickError(f"{error}. It is only shown here: nothing of it can be changed"))
        return replace(project, is_read_only=self.holder is not None)

    def _release(self) -> None:
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _on_lost(self, folder: Path) -> None:
        """Only show a project that somebody took while this computer slept."""
        if self.project is None or self.project.folder != folder or self._hold is None:
            return
        self._release()
        self.project = self._held(self.project)
        self._keeper.project = self.project
        self.project_changed.emit()

    def _put_project_away(self) -> None:
        self.flush()
        if self.project is not None and not self._keeper.is_saved:
            raise CryopickError(
                f"labels cannot be written to {self.project.folder}: save the project in another folder first"
            )
        self._keeper.take(None)
        self._release()
        self.holder = None
        self.project, self.settings, self.micrographs = None, Settings(), []
        self.current, self.field, self._suited, self.view = None, None, None, View()
        self.problems.clear()
        self.values = Values()

    @property
    def rejected(self) -> frozenset[Path]:
        """Micrographs that are neither learned from nor picked nor exported."""
        return frozenset(map(Path, self.settings.rejected))

    @property
    def accepted(self) -> list[Path]:
        """All others, in their order."""
        if not self.settings.rejected:
            return list(self.micrographs)
        rejected = set(self.settings.rejected)  # asked for at each click: paths would have to be made anew
        return [path for path in self.micrographs if str(path) not in rejected]

    def reject(self, paths: Iterable[Path], rejected: bool = True) -> None:
        """Put micrographs aside, or take them back; their labels and picks stay."""
        chosen = dict.fromkeys(map(str, paths))
        others = [path for path in self.settings.rejected if path not in chosen]
        self.change(rejected=(*others, *(chosen if rejected else ())))
        self.choice_changed.emit()

    def take_values(self, values: Values) -> None:
        """Keep numbers that another program knows of the micrographs, by their whole paths.

        Raises
        ------
        CryopickError
            If it knows none of them, or they cannot be saved.
        """
        if not values.rows:
            raise CryopickError(
                "no micrograph of this project is named in that table: open the ones it is about first"
            )
        self.values = self.values.joined(values)
        save_values(self.writable().folder, self.values)
        self.values_changed.emit()

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

    def filter(self) -> DisplayFilter:
        """Give the filter in use; until a micrograph is read, the one that suited the one before."""
        if self.field is not None or self._suited is None:
            self._suited = default_filter(self.known_diameter, self.spacing)
        return self.view.display or self._suited

    def _wishes(self, current: Path) -> list[Wish]:
        """What is to be read: a micrograph, and then its neighbours."""
        place = self.micrographs.index(current)
        near = [*self.micrographs[place + 1 : place + 2], *self.micrographs[max(0, place - 1) : place]]
        return [Wish(path, self.settings.spacing, self.filter()) for path in (current, *near)]

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
