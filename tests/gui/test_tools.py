"""Clicks and drags on the real canvas."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import canvas_of, click, drag, on_screen
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.gui.tools import KEYS, Tool

PLACES = [(100.0, 120.0), (300.0, 420.0), (520.0, 80.0)]


@pytest.fixture
def tools(opened, qtbot):
    qtbot.wait(100)
    return opened.tools


def tolerance(session):
    """Half a pixel of the screen, and a little: that is all a click can say."""
    return 0.75 / session.viewer.scene.camera.zoom


def test_clicks_label_where_they_are_made(tools):
    session = tools.session
    for yx in PLACES:
        click(session.viewer, yx)
    np.testing.assert_allclose(session.labels.positives.yx, PLACES, atol=tolerance(session))
    layer = session.canvas.layer(Kind.POSITIVES)
    np.testing.assert_array_equal(layer.data, session.labels.positives.yx)


def test_a_second_click_on_a_particle_is_no_second_particle(tools):
    click(tools.session.viewer, PLACES[0])
    click(tools.session.viewer, PLACES[0])
    assert len(tools.session.labels.positives) == 1


def test_a_drag_moves_the_view_and_labels_nothing(tools):
    session = tools.session
    before = session.viewer.scene.camera.center
    drag(session.viewer, (300, 300), (340, 380))
    assert session.viewer.scene.camera.center != before
    assert not len(session.labels.positives)


def test_shift_click_and_the_remove_tool_take_labels_away(tools):
    session = tools.session
    for yx in PLACES:
        click(session.viewer, yx)
    click(session.viewer, PLACES[0], Qt.KeyboardModifier.ShiftModifier)
    assert len(session.labels.positives) == 2
    tools.take(Tool.REMOVE)
    click(session.viewer, PLACES[1])
    click(session.viewer, PLACES[0])
    np.testing.assert_allclose(session.labels.positives.yx, PLACES[2:], atol=tolerance(session))


def test_not_a_particle_replaces_a_label(tools):
    session = tools.session
    click(session.viewer, PLACES[0])
    tools.take(Tool.NEGATIVE)
    click(session.viewer, PLACES[0])
    assert (len(session.labels.positives), len(session.labels.negatives)) == (0, 1)


def test_the_eraser_takes_what_it_is_dragged_over_as_one_step(tools):
    session = tools.session
    for yx in PLACES:
        click(session.viewer, yx)
    tools.take(Tool.ERASE)
    centre = session.viewer.scene.camera.center
    drag(session.viewer, (60, 60), PLACES[0])
    assert len(session.labels.positives) == 2
    assert session.viewer.scene.camera.center == centre
    session.undo()
    assert len(session.labels.positives) == 3


def test_a_quick_pointer_leaves_no_gaps(tools):
    session = tools.session
    for yx in PLACES:
        click(session.viewer, yx)
    tools.take(Tool.ERASE)
    drag(session.viewer, (60, 60), (140, 180), steps=1)  # over the first, which no position lies near
    assert len(session.labels.positives) == 2


def test_how_to_draw_is_said_while_an_area_is_drawn(tools, qtbot):
    panel = LabelPanel(tools.session)
    qtbot.addWidget(panel)
    assert panel.areas_note.text() == ""
    tools.take(Tool.EXCLUDE)
    assert "Click its corners" in panel.areas_note.text()
    tools.take(Tool.ADD)
    assert panel.areas_note.text() == ""


def test_the_circle_measures_the_particle(tools):
    session = tools.session
    said = []
    tools.measured.connect(said.append)
    tools.take(Tool.MEASURE)
    layer = session.canvas.layer(Kind.CIRCLE)
    (centre,) = layer.data
    drag(session.viewer, centre, np.add(centre, (40, 0)))  # onto a particle
    centre = np.add(centre, (40, 0))
    np.testing.assert_allclose(layer.data, [centre], atol=2 * tolerance(session))
    radius = session.diameter / 2
    drag(session.viewer, np.add(centre, (0, radius)), np.add(centre, (0, radius + 20)))
    assert session.diameter == pytest.approx(2 * (radius + 20), abs=4 * tolerance(session))
    assert said
    assert session.settings.in_angstrom
    tools.take(Tool.ADD)
    assert len(layer.data) == 0


def test_an_area_is_drawn_with_clicks(tools, qtbot):
    session = tools.session
    tools.take(Tool.EXCLUDE)
    for yx in [(100, 100), (100, 300), (300, 300)]:
        click(session.viewer, yx)
    QTest.keyClick(canvas_of(session.viewer), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(session.labels.excluded) == 1)
    corners = session.labels.excluded[0]
    for yx in [(100, 100), (100, 300), (300, 300)]:
        assert np.linalg.norm(corners - yx, axis=1).min() < 3 * tolerance(session)
    tools.take(Tool.ADD)
    click(session.viewer, PLACES[2])
    assert len(session.labels.positives) == 1


@pytest.mark.parametrize(("key", "tool"), KEYS.items())
def test_keys_take_tools(tools, key, tool):
    tools.take(Tool.INSPECT)
    canvas_of(tools.session.viewer).setFocus()
    QTest.keyClick(canvas_of(tools.session.viewer), getattr(Qt.Key, f"Key_{key.upper()}"))
    assert tools.tool is tool


def test_a_tool_of_napari_comes_first(tools, qtbot):
    session = tools.session
    tools.take(Tool.REMOVE)
    session.canvas.layer(Kind.POSITIVES).mode = "add"
    click(session.viewer, PLACES[0])
    qtbot.waitUntil(lambda: len(session.labels.positives) == 1)
    np.testing.assert_allclose(session.labels.positives.yx, PLACES[:1], atol=tolerance(session))


def test_nothing_is_labelled_beside_the_micrograph(tools):
    session = tools.session
    assert on_screen(session.viewer, (-20, 300)).y() >= 0
    click(session.viewer, (-20, 300))
    assert not len(session.labels.positives)


def test_the_window_gets_its_keys_back(session):
    session.close()
    assert session.tools._on_press not in session.viewer.mouse_drag_callbacks
    assert not any(str(key).lower() in KEYS for key in session.viewer.keymap)
