"""What clicks and drags on the canvas do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.labelling import (
    distance,
    with_non_particle,
    with_particle,
    without_nearest,
    without_within,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from cryopick_napari.gui.session import Session

CLICK = 5  # px of the screen that a pointer may move between press and release
EDGE = 0.2  # of the circle's radius: how near its edge the pointer takes it
SMALLEST = 4.0  # px of the micrograph, of a circle

Position = tuple[float, float]  # row, column, px of the micrograph
Drag = Generator[None, None, None]


class Tool(Enum):
    """What is in hand."""

    MOVE = "move"
    ADD = "add"
    NEGATIVE = "not a particle"
    REMOVE = "remove"
    ERASE = "erase"
    COMPLETE = "fully labelled"
    EXCLUDE = "exclude"
    MEASURE = "measure"
    INSPECT = "inspect"
    ACCEPT = "accept inside"
    REJECT = "reject inside"


DRAWING = {Tool.COMPLETE: Kind.COMPLETE, Tool.EXCLUDE: Kind.EXCLUDED}
CIRCLES = (Tool.ERASE, Tool.ACCEPT, Tool.REJECT)
KEYS = {"d": Tool.ADD, "n": Tool.NEGATIVE, "r": Tool.REMOVE, "e": Tool.ERASE, "h": Tool.MOVE}


class Tools(QObject):
    """The tool in hand. Clicks act where they are made; a drag with a clicking tool moves the view.

    A tool of napari's own, taken by its keys or buttons, comes first as long as it is in hand.

    Signals
    -------
    changed
        Another tool is in hand, or the circle has another size.
    measured : float
        The diameter that is being dragged, px of the micrograph.
    """

    changed = Signal()
    measured = Signal(float)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.tool = Tool.ADD
        self.circle = 1.0  # of the eraser and its like, in particle diameters
        self._ring: tuple[Position, float] | None = None  # that measures: centre and diameter
        viewer = session.viewer
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.mouse_move_callbacks.append(self._on_move)
        for key, tool in KEYS.items():
            viewer.bind_key(key, self._taker(tool), overwrite=True)
        viewer.bind_key("Control-Z", lambda viewer: session.undo(), overwrite=True)
        viewer.bind_key("Control-Shift-Z", lambda viewer: session.redo(), overwrite=True)
        session.field_shown.connect(self._on_field)
        session.closing.connect(self._let_go)

    def take(self, tool: Tool) -> None:
        """Take a tool in hand.

        Raises
        ------
        CryopickError
            If it is one for drawing, and no micrograph is open.
        """
        canvas = self.session.canvas
        if tool in DRAWING:
            if self.session.field is None:
                raise CryopickError("open a micrograph first")
            canvas.draw(DRAWING[tool])
        else:
            canvas.rest()
            canvas.activate(Kind.POSITIVES)
        self.tool = tool
        self._ring = None
        canvas.show_circle(None, 0)
        if tool is Tool.MEASURE and self.session.field is not None:
            self._ring = canvas.middle_of_view(), self.session.diameter
            canvas.show_circle(*self._ring)
        self.changed.emit()

    def set_circle(self, diameters: float) -> None:
        """Set the size of the eraser and its like, in particle diameters."""
        self.circle = diameters
        self.changed.emit()

    def click(self, yx: Position, shift: bool = False) -> None:
        """Do what a click at a position does."""
        session = self.session
        diameter = session.diameter
        if session.field is None or not _is_inside(yx, session.field.micrograph.shape):
            return
        if self.tool is Tool.REMOVE or (shift and self.tool in (Tool.ADD, Tool.NEGATIVE)):
            session.edit(without_nearest(session.labels, yx, diameter / 2))
        elif self.tool is Tool.ADD:
            session.edit(with_particle(session.labels, yx, diameter))
        elif self.tool is Tool.NEGATIVE:
            session.edit(with_non_particle(session.labels, yx, diameter))
        elif self.tool in (Tool.MOVE, Tool.INSPECT):
            near = session.review.within(yx, diameter / 2)
            apart = distance(session.review.picks, yx)
            session.review.select(min(near, key=lambda index: float(apart[index]), default=None))

    def sweep(self, path: list[Position]) -> None:
        """Do what a drag of the circle along positions does, as one step."""
        session, radius = self.session, self.circle * self.session.diameter / 2
        path = _without_gaps(path, radius / 2)
        if self.tool is Tool.ERASE:
            labels = session.labels
            for yx in path:
                labels = without_within(labels, yx, radius)
            session.edit(labels)
            return
        swept = sorted({index for yx in path for index in session.review.within(yx, radius)})
        act = session.review.accept if self.tool is Tool.ACCEPT else session.review.reject
        session.guarded(act, swept)

    def _taker(self, tool: Tool) -> Callable[[Viewer], None]:
        def take(viewer: Viewer) -> None:
            self.session.guarded(self.take, tool)

        return take

    def _on_field(self) -> None:
        """Keep the tool for the next micrograph."""
        if self.tool in DRAWING or self.tool is Tool.MEASURE:
            self.session.guarded(self.take, Tool.ADD)

    def _on_press(self, viewer: Viewer, event: Any) -> Drag:
        """Follow the pointer from press to release (napari's mouse protocol: a generator)."""
        if not self._is_ours(event):
            return
        if self.tool is Tool.MEASURE:
            yield from self._measure(event)
        elif self.tool in CIRCLES:
            yield from self._sweep(event)
        else:
            start, yx, shift = np.array(event.pos), _position(event), "Shift" in event.modifiers
            yield
            farthest = 0.0
            while event.type == "mouse_move":
                farthest = max(farthest, float(np.abs(np.array(event.pos) - start).max()))
                yield
            if max(farthest, float(np.abs(np.array(event.pos) - start).max())) <= CLICK:
                self.click(yx, shift)

    def _sweep(self, event: Any) -> Drag:
        path = [_position(event)]
        with self.session.canvas.still():
            yield
            while event.type == "mouse_move":
                path.append(_position(event))
                self._show_circle(path[-1])
                yield
        self.sweep(path)

    def _measure(self, event: Any) -> Drag:
        """Drag the edge of the circle to size it, or its middle to put it elsewhere."""
        if self._ring is None:
            return
        start = np.array(_position(event))
        centre, diameter = np.array(self._ring[0]), self._ring[1]
        apart = float(np.linalg.norm(start - centre))
        if apart > (1 + EDGE) * diameter / 2:
            return  # beside the circle: the view moves
        resizes = apart > (1 - EDGE) * diameter / 2
        with self.session.canvas.still():
            yield
            while event.type == "mouse_move":
                here = np.array(_position(event))
                if resizes:
                    self._ring = self._ring[0], max(SMALLEST, 2 * float(np.linalg.norm(here - centre)))
                    self.measured.emit(self._ring[1])
                else:
                    row, column = (centre + here - start).tolist()
                    self._ring = (row, column), diameter
                self.session.canvas.show_circle(*self._ring)
                yield
        if resizes:
            self.session.set_size(self._in_unit(self._ring[1]))

    def _in_unit(self, pixels: float) -> ParticleSize:
        """Give a size in the unit that the person uses, Å if it can be."""
        spacing, size = self.session.spacing, self.session.settings.size
        if spacing is None or (size is not None and not size.in_angstrom):
            return ParticleSize(round(pixels, 1), in_angstrom=False)
        return ParticleSize(round(pixels * spacing, 1))

    def _on_move(self, viewer: Viewer, event: Any) -> None:
        if self.tool in CIRCLES and self.session.field is not None and self.session.canvas.is_at_rest:
            self._show_circle(_position(event))

    def _show_circle(self, yx: Position) -> None:
        self.session.canvas.show_circle(yx, self.circle * self.session.diameter)

    def _is_ours(self, event: Any) -> bool:
        return (
            event.button == 1
            and self.session.field is not None
            and self.tool not in DRAWING
            and self.session.viewer.dims.ndisplay == 2
            and self.session.canvas.is_at_rest
        )

    def _let_go(self) -> None:
        viewer = self.session.viewer
        viewer.mouse_drag_callbacks.remove(self._on_press)
        viewer.mouse_move_callbacks.remove(self._on_move)
        for key in (*KEYS, "Control-Z", "Control-Shift-Z"):
            viewer.bind_key(key, None, overwrite=True)


def _position(event: Any) -> Position:
    """Read where the pointer is; our layers lie in the last two dimensions of the viewer."""
    row, column = event.position[-2:]
    return float(row), float(column)


def _without_gaps(path: list[Position], step: float) -> list[Position]:
    """Add positions between those that lie farther apart: a quick pointer is seen here and there only."""
    whole = path[:1]
    for (y0, x0), (y1, x1) in itertools.pairwise(path):
        count = max(1, math.ceil(math.hypot(y1 - y0, x1 - x0) / step))
        whole += [
            (y0 + (y1 - y0) * part / count, x0 + (x1 - x0) * part / count) for part in range(1, count + 1)
        ]
    return whole


def _is_inside(yx: Position, shape: tuple[int, int]) -> bool:
    return all(-0.5 <= place < side - 0.5 for place, side in zip(yx, shape, strict=True))
