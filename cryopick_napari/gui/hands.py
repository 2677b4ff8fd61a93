"""A person's hands on the window: real mouse events, for the demo, the docs' pictures, and the tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from cryopick_napari.errors import CryopickError

LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
NO_KEY = Qt.KeyboardModifier.NoModifier
PRESS, MOVE, RELEASE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease


def canvas_of(viewer: Viewer) -> QWidget:
    """Give the widget napari draws in."""
    widget: QWidget = viewer.window._qt_viewer.canvas.native
    return widget


def on_screen(viewer: Viewer, yx: Sequence[float]) -> QPoint:
    """Say where a position (row, column; px of the micrograph) is in the canvas."""
    widget, camera = canvas_of(viewer), viewer.scene.camera
    middle = widget.height() / 2, widget.width() / 2
    row, column = (
        side + (place - centre) * camera.zoom
        for side, place, centre in zip(middle, yx, camera.center[-2:], strict=True)
    )
    return QPoint(round(column), round(row))


def click(viewer: Viewer, yx: Sequence[float], key: Qt.KeyboardModifier = NO_KEY) -> None:
    """Click at a position of the micrograph."""
    widget, place = canvas_of(viewer), on_screen(viewer, yx)
    _send(widget, MOVE, place, NO_BUTTON, key)
    press(widget, place, key)
    wait(QApplication.doubleClickInterval() / 1000 + 0.01)  # so that the next one is no double click


def press(widget: QWidget, place: QPoint | None = None, key: Qt.KeyboardModifier = NO_KEY) -> None:
    """Click on a widget, in its middle if no place is given."""
    where = widget.rect().center() if place is None else place
    _send(widget, PRESS, where, LEFT, key)
    _send(widget, RELEASE, where, NO_BUTTON, key)


def drag(viewer: Viewer, start: Sequence[float], end: Sequence[float], steps: int = 6) -> None:
    """Drag with the left button from one position of the micrograph to another."""
    widget = canvas_of(viewer)
    path = [
        on_screen(viewer, [a + (b - a) * step / steps for a, b in zip(start, end, strict=True)])
        for step in range(steps + 1)
    ]
    _send(widget, PRESS, path[0], LEFT)
    for place in path[1:]:
        _send(widget, MOVE, place, LEFT)
    _send(widget, RELEASE, path[-1], NO_BUTTON)


def wait(seconds: float) -> None:
    """Let the window work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def wait_until(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Let the window work until something is done.

    Raises
    ------
    CryopickError
        If that takes longer than ``seconds``; says ``what`` did not happen.
    """
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise CryopickError(f"{what} did not happen within {seconds:g} s")
        wait(0.02)


def _send(
    widget: QWidget,
    kind: QEvent.Type,
    place: QPoint,
    held: Qt.MouseButton,
    key: Qt.KeyboardModifier = NO_KEY,
) -> None:
    button = NO_BUTTON if kind == MOVE else LEFT
    everywhere = QPointF(widget.mapToGlobal(place))
    event = QMouseEvent(kind, QPointF(place), everywhere, button, held, key)
    QApplication.sendEvent(widget, event)
    QApplication.processEvents()
