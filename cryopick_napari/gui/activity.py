"""A bar among napari's activities, at the bottom right of its window."""

from __future__ import annotations

from napari._qt.dialogs.qt_activity_dialog import ActivityToggleItem
from napari.utils import progress
from qtpy.QtWidgets import QApplication, QLabel

State = tuple[str, int, int]  # words, steps done, steps in all


class Activity:
    """A bar for one piece of work; only on the window's own thread."""

    def __init__(self) -> None:
        self._wanted: State | None = None
        self._shown: State | None = None
        self._bar: progress | None = None
        self._is_busy = False

    def show(self, text: str, step: int, steps: int) -> None:
        """Say how far the work is; 0 steps are an unknown number of them."""
        self._wanted = text, step, steps
        self._catch_up()

    def close(self) -> None:
        """Take the bar away, if there is one."""
        self._wanted = None
        self._catch_up()

    def _catch_up(self) -> None:
        """Show what is wanted. napari handles events meanwhile: then something else may be."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._shown != self._wanted:
                self._shown = self._wanted
                self._draw(self._shown)
        finally:
            self._is_busy = False

    def _draw(self, state: State | None) -> None:
        bar = self._bar
        if state is None:
            self._bar = None
            if bar is not None:
                bar.close()
            return
        text, step, steps = state
        if bar is None:
            # A bar "with a GUI" writes nothing to the terminal.
            bar = self._bar = progress(total=steps, desc=text, gui=True)
            _still()
        if bar.total != steps:
            bar.total = steps
        if bar.desc != f"{text}: ":
            bar.set_description(text)
        if step != bar.n:
            bar.update(step - bar.n)


def _still() -> None:
    """Stop the spinner beside napari's bars, which move enough.

    Each of its 20 pictures a second has the whole window put together anew: half a core where there is
    no graphics card, and training needs it.
    """
    for item in (widget for widget in QApplication.allWidgets() if isinstance(widget, ActivityToggleItem)):
        for label in item.findChildren(QLabel):
            movie = label.movie()
            if movie is not None:
                movie.setPaused(True)
