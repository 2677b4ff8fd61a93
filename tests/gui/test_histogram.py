"""The histogram of scores and its threshold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QPixmap, QWheelEvent
from qtpy.QtWidgets import QApplication

from cryopick_napari.gui.histogram import ScoreHistogram

SCORES = np.array([0.1, 0.35, 0.35, 0.6, 0.9, 1.0, np.nan], np.float32)


@pytest.fixture
def histogram(qtbot) -> ScoreHistogram:
    widget = ScoreHistogram()
    qtbot.addWidget(widget)
    widget.resize(400, 160)
    widget.set_scores(SCORES)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


@pytest.fixture
def told(histogram) -> list[float]:
    """What the signal said."""
    values: list[float] = []
    histogram.threshold_changed.connect(values.append)
    return values


def wheel(widget: ScoreHistogram, turned: int) -> QWheelEvent:
    at = QPointF(200, 80)
    event = QWheelEvent(
        at,
        QPointF(widget.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, turned),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event


def drag(widget: ScoreHistogram, at: QPoint, held: Qt.MouseButton) -> None:
    """Move the mouse; Qt's own test functions cannot hold a button while they do."""
    where, none = QPointF(at), Qt.KeyboardModifier.NoModifier
    moved = QEvent.Type.MouseMove
    event = QMouseEvent(moved, where, QPointF(widget.mapToGlobal(at)), Qt.MouseButton.NoButton, held, none)
    QApplication.sendEvent(widget, event)


def test_scores_at_the_threshold_count(histogram, told):
    histogram.set_threshold(0.35)  # a little above what float32 can hold
    assert histogram.summary() == "5 of 6 picks, score ≥ 0.35"
    assert told == []


def test_without_picks_nothing_can_be_dragged(histogram, told, qtbot):
    full = histogram.grab().toImage()
    histogram.set_scores(np.zeros(0, np.float32))
    assert histogram.grab().toImage() != full
    assert "after picking" in histogram.accessibleDescription()
    qtbot.mouseClick(histogram, Qt.MouseButton.LeftButton, pos=QPoint(100, 80))
    assert told == []


def test_bars_are_coloured_from_the_threshold_on(histogram):
    def coloured() -> int:
        image = histogram.grab().toImage()
        colours = (image.pixelColor(x, 110) for x in range(image.width()))
        return sum(colour.hsvSaturation() > 150 for colour in colours)

    histogram.set_threshold(0.3)
    most = coloured()
    histogram.set_threshold(0.95)
    assert 0 < coloured() < most


def test_a_click_and_a_drag(histogram, told, qtbot):
    qtbot.mouseClick(histogram, Qt.MouseButton.LeftButton, pos=QPoint(300, 80))
    assert histogram.threshold == told[-1] == pytest.approx(0.78, abs=0.02)
    qtbot.mouseClick(histogram, Qt.MouseButton.RightButton, pos=QPoint(100, 80))
    assert histogram.threshold == told[-1]
    drag(histogram, QPoint(100, 80), held=Qt.MouseButton.LeftButton)
    assert histogram.threshold == told[-1] == pytest.approx(0.23, abs=0.02)
    drag(histogram, QPoint(-50, 80), held=Qt.MouseButton.LeftButton)
    assert told[-1] == 0
    drag(histogram, QPoint(200, 80), held=Qt.MouseButton.NoButton)
    assert len(told) == 3


def test_the_keys(histogram, told, qtbot):
    histogram.set_threshold(0.4271)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Left, Qt.Key.Key_PageUp, Qt.Key.Key_A):
        qtbot.keyClick(histogram, key)
    assert told == [0.44, 0.45, 0.44, 0.54]


def test_the_ends_hold(histogram, told, qtbot):
    histogram.set_threshold(2)
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert histogram.threshold == 1
    assert told == []


def test_the_wheel_waits_for_a_click(histogram, told, qtbot):
    histogram.clearFocus()
    assert not wheel(histogram, 120).isAccepted()
    assert told == []
    histogram.activateWindow()
    histogram.setFocus()
    qtbot.waitUntil(histogram.hasFocus)
    for turned in (120, 60, 60, -240):  # a touchpad turns in small parts
        assert wheel(histogram, turned).isAccepted()
    assert told == [0.51, 0.52, 0.5]


def test_thousands_of_scores_are_quick(histogram):
    scores = np.random.default_rng(0).random(2000, dtype=np.float32)
    page, taken = QPixmap(400, 160), []
    for _ in range(20):
        start = time.perf_counter()
        histogram.set_scores(scores)
        histogram.render(page)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 5e-3
