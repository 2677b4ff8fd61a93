"""Axes, ticks and colours of the plots."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QColor, QPalette

from cryopick_napari.gui.curves import Curves
from cryopick_napari.gui.plots import BLUE, Axis, ticks


@pytest.mark.parametrize(
    ("high", "most", "expected"),
    [
        (1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.7, 4, [0, 0.2, 0.4, 0.6, 0.8]),
        (100, 6, [0, 20, 40, 60, 80, 100]),
        (3e-5, 4, [0, 1e-5, 2e-5, 3e-5]),
    ],
)
def test_ticks_are_round_and_reach_the_end(high, most, expected):
    assert ticks(high, most) == pytest.approx(expected)


def test_epochs_are_whole():
    assert ticks(2, 6, whole=True) == [0, 1, 2]


def test_an_axis_goes_there_and_back():
    axis = Axis(0, 2, 150, 50)
    assert axis.pixel(0.5) == 125
    assert axis.value(axis.pixel(1.3)) == pytest.approx(1.3)


@pytest.mark.parametrize(
    ("window", "text", "blue"), [("#eeeeee", "#000000", BLUE[0]), ("#202020", "#ffffff", BLUE[1])]
)
def test_colours_follow_the_window(qtbot, window, text, blue):
    plot = Curves()
    qtbot.addWidget(plot)
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, QColor(window))
    palette.setColor(QPalette.ColorRole.WindowText, QColor(text))
    plot.setPalette(palette)
    assert plot.colour(BLUE) == QColor(blue)
    assert plot.ink() == QColor(text)
    assert plot.ink(0) == QColor(window)


def test_a_plot_takes_the_colours_of_napari(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    plot = Curves()
    viewer.window.add_dock_widget(plot)
    for theme, shade in (("dark", BLUE[1]), ("light", BLUE[0])):
        viewer.theme = theme
        qtbot.waitUntil(lambda shade=shade: plot.colour(BLUE) == QColor(shade))
