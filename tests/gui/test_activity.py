from __future__ import annotations

import pytest
from napari._qt.dialogs.qt_activity_dialog import ActivityToggleItem
from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from napari.utils import progress
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QLabel

from cryopick_napari.gui.activity import Activity


@pytest.fixture
def bars(make_napari_viewer):
    """Give the bars that the window shows."""
    dialog = make_napari_viewer().window._qt_window._activity_dialog
    return lambda: [bar for bar in dialog.findChildren(QtLabeledProgressBar) if not bar.isHidden()]


def test_a_bar_follows_the_work_and_goes(bars, capsys):
    activity = Activity()
    activity.show("Training", 0, 0)
    [bar] = bars()
    assert bar.description_label.text() == "Training: "
    assert bar.qt_progress_bar.maximum() == 0
    activity.show("Calibrating", 3, 10)
    [bar] = bars()
    assert bar.description_label.text() == "Calibrating: "
    assert (bar.qt_progress_bar.value(), bar.qt_progress_bar.maximum()) == (3, 10)
    activity.close()
    assert bars() == []
    activity.close()
    assert capsys.readouterr().err == ""


def test_the_spinner_beside_the_bar_is_still(bars, qtbot):
    activity = Activity()
    activity.show("Training", 1, 10)
    [movie] = [
        label.movie()
        for item in QApplication.allWidgets()
        if isinstance(item, ActivityToggleItem)
        for label in item.findChildren(QLabel)
        if label.movie() is not None
    ]
    frames = []
    movie.frameChanged.connect(frames.append)
    qtbot.wait(200)
    assert not frames
    activity.close()


def test_work_that_ends_while_its_bar_is_drawn_leaves_none(bars):
    activity = Activity()
    QTimer.singleShot(0, activity.close)  # napari handles it while it makes the bar
    activity.show("Training", 1, 10)
    assert not progress._all_instances
    assert bars() == []
