"""A person's hands on the window: real mouse events, for the demo, the pictures of the docs, and the tests."""

from __future__ import annotations

from collections.abc import Sequence

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

LEFT = Qt.MouseButton.LeftButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def canvas_of(viewer: Viewer) -> QWidget:
    """Give the widget napari draws in."""
    return viewer.window._qt_viewer.canvas.native


def on_screen(viewer: Viewer, yx: Sequence[float]) -> QPoint:
    """Say where a position (row, column; px of the micrograph) is in the canvas."""
    widget, camera = canvas_of(viewer), viewer.scene.camera
    middle = widget.width() / 2, widget.height() / 2
    row, column = (
        side + (place - centre) * camera.zoom
        for side, place, centre in zip(reversed(middle), yx, camera.center[-2:], strict=True)
    )
    return QPoint(round(column), round(row))


def click(viewer: Viewer, yx: Sequence[float], key: Qt.KeyboardModifier = NO_KEY) -> None:
    """Click at a position."""
    place = on_screen(viewer, yx)
    QTest.mouseMove(canvas_of(viewer), place)
    QTest.mouseClick(canvas_of(viewer), LEFT, key, place)
    # so that the next one is no double click
    QTest.qWait(QApplication.doubleClickInterval() + 10)


def drag(viewer: Viewer, start: Sequence[float], end: Sequence[float], steps: int = 6) -> None:
    """Drag with the left button."""
    widget = canvas_of(viewer)
    path = [
        on_screen(viewer, [a + (b - a) * step / steps for a, b in zip(start, end, strict=True)])
        for step in range(steps + 1)
    ]
    QTest.mousePress(widget, LEFT, NO_KEY, path[0])
    for place in path[1:]:
        move(widget, place)
    QTest.mouseRelease(widget, LEFT, NO_KEY, path[-1])
    QApplication.processEvents()


def move(widget: QWidget, place: QPoint, buttons: Qt.MouseButton = LEFT) -> None:
    """Move the pointer with a button held; QTest.mouseMove holds none."""
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(place), QPointF(widget.mapToGlobal(place)), buttons, buttons, NO_KEY
    )
    QApplication.sendEvent(widget, event)
    QApplication.processEvents()
