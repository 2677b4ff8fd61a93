from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QListView, QPushButton

from cryopick_napari.gui.gallery import Gallery

SCORES = [0.2, 0.9, 0.55, 0.7, 0.4]
BEST_FIRST = [1, 3, 2, 4, 0]
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


def drawn(count):
    """Make thumbnails of one grey each: 0, 10, 20, ..."""
    return np.repeat(np.arange(count, dtype=np.uint8) * 10, 16).reshape(count, 4, 4)


@pytest.fixture
def gallery(qtbot):
    widget = Gallery()
    qtbot.addWidget(widget)
    widget.resize(340, 500)
    widget.show()
    qtbot.waitExposed(widget)
    widget.set_picks(drawn(5), SCORES, None)
    return widget


@pytest.fixture
def click(gallery, qtbot):
    """Click the n-th picture that is shown."""
    view = gallery.findChild(QListView, "picks")

    def at(row, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
        where = view.visualRect(view.model().index(row, 0)).center()
        qtbot.mouseClick(view.viewport(), button, modifier, where)
        if button == RIGHT:  # a window system makes this of the click
            event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, view.mapToGlobal(where))
            QApplication.sendEvent(view.viewport(), event)

    return at


def order(gallery):
    view = gallery.findChild(QListView, "picks")
    captions = (view.model().index(row, 0).data() for row in range(view.model().rowCount()))
    return [SCORES.index(float(caption)) for caption in captions]


def said(gallery):
    """Everything that the gallery's labels say."""
    return " ".join(label.text() for label in gallery.findChildren(QLabel) if label.isVisible())


def heard(signal):
    calls = []
    signal.connect(calls.append)
    return calls


def test_picks_are_sorted(gallery):
    box = gallery.findChild(QComboBox)
    gallery.set_threshold(0.0)
    assert order(gallery) == BEST_FIRST
    box.setCurrentText("Worst first")
    assert order(gallery) == BEST_FIRST[::-1]
    gallery._everything.setChecked(True)
    gallery.set_threshold(0.6)
    box.setCurrentText("Most uncertain first")
    assert order(gallery) == [2, 3, 4, 1, 0]


def test_picks_below_the_threshold_are_shown_on_demand(gallery):
    gallery.set_threshold(0.5)
    assert order(gallery) == [1, 3, 2]
    gallery._everything.setChecked(True)
    assert order(gallery) == BEST_FIRST


def test_an_accepted_pick_stays_whatever_its_score(gallery):
    gallery.select(0)
    gallery.accept_selected()
    gallery.set_threshold(0.5)
    assert order(gallery) == [1, 3, 2, 0]


def test_a_click_shows_the_pick_each_time(gallery, click):
    calls = heard(gallery.selected)
    click(1)
    click(1)
    click(0)
    assert calls == [3, 3, 1]
    assert gallery.selection() == [1]


def test_arrow_keys_show_picks_too(gallery, click, qtbot):
    click(0)
    calls = heard(gallery.selected)
    qtbot.keyClick(gallery.findChild(QListView, "picks"), Qt.Key.Key_Right)
    assert calls == [3]


def test_selecting_from_outside_is_silent(gallery):
    gallery.set_picks(drawn(200) % 250, np.linspace(1, 0, 200), None)
    calls = heard(gallery.selected)
    gallery.select(199)
    view = gallery.findChild(QListView, "picks")
    assert gallery.selection() == [199]
    assert view.viewport().rect().contains(view.visualRect(view.model().index(199, 0)))
    gallery.set_threshold(0.5)
    gallery.select(199)
    assert gallery.selection() == [] and calls == []


@pytest.mark.parametrize("key", [Qt.Key.Key_X, Qt.Key.Key_Delete])
def test_keys_reject_the_selected(gallery, click, qtbot, key):
    calls = heard(gallery.rejected)
    click(0)
    click(2, modifier=SHIFT)
    click(4, modifier=CTRL)
    qtbot.keyClick(gallery.findChild(QListView, "picks"), key)
    assert calls == [[1, 3, 2, 0]]


def test_a_accepts_the_selected(gallery, click, qtbot):
    calls = heard(gallery.accepted)
    click(3)
    qtbot.keyClick(gallery.findChild(QListView, "picks"), Qt.Key.Key_A)
    assert calls == [[4]]


def test_a_right_click_rejects_without_moving_the_field(gallery, click):
    rejected, selected = heard(gallery.rejected), heard(gallery.selected)
    click(2, RIGHT)
    assert rejected == [[2]] and selected == []


def test_buttons_wait_for_a_selection(gallery, click, qtbot):
    reject, accept = gallery.findChildren(QPushButton)
    calls = heard(gallery.rejected)
    assert not reject.isEnabled() and not accept.isEnabled()
    click(1)
    assert accept.isEnabled()
    qtbot.mouseClick(reject, LEFT)
    assert calls == [[3]]


def test_the_selection_survives_another_order(gallery):
    gallery.select(3)
    gallery.findChild(QComboBox).setCurrentText("Worst first")
    assert gallery.selection() == [3]


def test_a_rejected_pick_leaves_the_average(gallery):
    gallery.set_threshold(0.5)
    assert "Average of all 3 picks" in said(gallery)
    gallery.select(1)
    gallery.reject_selected()
    assert "Average of all 2 picks" in said(gallery)


def test_the_average_is_of_the_best_hundred(gallery):
    gallery.set_picks(drawn(250) % 250, np.linspace(1, 0, 250), np.full((4, 4), 200, np.uint8))
    assert "Average of the best 100 of 250 picks" in said(gallery)
    assert gallery._picture.pixmap().toImage().pixelColor(0, 0).red() == pytest.approx(200, abs=8)


def test_what_is_missing_is_said(gallery):
    gallery.set_threshold(0.95)
    assert "All 5 picks score below the threshold" in said(gallery)
    gallery.set_picks(drawn(0), [], None)
    assert "No picks yet" in said(gallery) and "Average" not in said(gallery)


def test_each_pick_is_told_apart(gallery):
    gallery.set_threshold(0.3)
    gallery._everything.setChecked(True)
    before = gallery.grab().toImage()
    gallery.select(3)
    gallery.reject_selected()
    view = gallery.findChild(QListView, "picks")
    assert view.model().index(1, 0).data(Qt.ItemDataRole.ToolTipRole) == "Pick 4: score 0.700, rejected"
    assert gallery.grab().toImage() != before


def test_scores_and_thumbnails_must_agree(gallery):
    with pytest.raises(ValueError, match="5 thumbnails"):
        gallery.set_picks(drawn(5), [1, 2], None)
