from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from trained import trained_picker, use

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import drag
from cryopick_napari.gui.panels.review import ReviewPanel
from cryopick_napari.gui.tools import Tool
from cryopick_napari.simulate import samples

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(opened, qtbot):
    """Give the panel in the dock of a window with the first sample open."""
    panel = ReviewPanel(opened)
    opened.viewer.window.add_dock_widget(panel, name="Review", area="right")
    opened.viewer.window._qt_window.activateWindow()
    return panel


@pytest.fixture
def reviewed(panel, qtbot):
    """Give the panel once a model has looked at the sample, and the pictures are cut."""
    use(panel.session, trained_picker())
    wait(panel, qtbot)
    return panel


def wait(panel, qtbot):
    review = panel.review
    qtbot.waitUntil(lambda: not review.is_running and review.overlays.is_drawn, timeout=30_000)
    qtbot.waitUntil(lambda: len(panel.gallery._picks.scores) == len(review.picks), timeout=10_000)


def click_picture(panel, row, qtbot, keys=Qt.KeyboardModifier.NoModifier):
    view = panel.gallery._view
    rect = view.visualRect(panel.gallery._picks.index(row))
    qtbot.mouseClick(view.viewport(), LEFT, keys, rect.center())


def test_without_micrographs_or_a_model_the_next_step_is_said(session, qtbot):
    panel = ReviewPanel(session)
    qtbot.addWidget(panel)
    assert panel.state.text() == "Open micrographs to begin (Micrographs)."
    session.open_paths(samples())
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)
    assert panel.state.text() == "No model yet: say how large the particle is (Label), and picks appear."
    for button in (panel.accept, panel.reject, panel.uncertain, panel.accept_all):
        assert not button.isEnabled()
    assert not panel.numbers.isEnabled()
    assert not any(box.isEnabled() for box in panel.overlays.boxes.values())


def test_it_says_how_many_picks_there_are(reviewed):
    review = reviewed.review
    shown = int(review.is_shown().sum())
    assert reviewed.state.text() == (
        f"{shown} picks of {len(review.picks)} at score ≥ {review.threshold:.2f}, model 1"
    )
    assert reviewed.histogram.threshold == review.threshold
    assert reviewed.gallery._picks.rowCount() == shown


def test_the_histogram_and_the_number_move_the_threshold(reviewed, qtbot):
    review, numbers, histogram = reviewed.review, reviewed.numbers, reviewed.histogram
    own = review.threshold
    assert not numbers.own_threshold.isEnabled()
    qtbot.mouseClick(histogram, LEFT, pos=QPoint(histogram.width() // 2, histogram.height() // 2))
    assert review.threshold == numbers.threshold.value() == 0.5
    numbers.threshold.selectAll()
    qtbot.keyClicks(numbers.threshold, "0.42")
    qtbot.keyClick(numbers.threshold, Qt.Key.Key_Return)
    assert review.threshold == histogram.threshold == 0.42
    assert reviewed.gallery._picks.rowCount() == (review.picks.score >= 0.42).sum()
    qtbot.mouseClick(numbers.own_threshold, LEFT)
    assert review.threshold == own


def test_the_least_distance_is_a_number_too(reviewed, qtbot):
    box, before = reviewed.numbers.min_distance, len(reviewed.review.picks)
    box.selectAll()
    qtbot.keyClicks(box, "2")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    wait(reviewed, qtbot)
    assert len(reviewed.review.picks) < before
    qtbot.mouseClick(reviewed.numbers.own_distance, LEFT)
    wait(reviewed, qtbot)
    assert len(reviewed.review.picks) == before


def test_boxes_and_layers_agree(reviewed, qtbot):
    canvas, boxes = reviewed.session.canvas, reviewed.overlays.boxes
    assert [box.isChecked() for box in boxes.values()] == [True, False, True, False]
    boxes[Kind.ATTENTION].click()
    assert canvas.layer(Kind.ATTENTION).visible
    reviewed.overlays.opacities[Kind.ATTENTION].setValue(30)
    assert canvas.layer(Kind.ATTENTION).opacity == pytest.approx(0.3)
    canvas.layer(Kind.PROBABILITY).visible = False
    assert not boxes[Kind.PROBABILITY].isChecked()
    reviewed.session.viewer.layers.remove(canvas.layer(Kind.PICKS))
    assert not boxes[Kind.PICKS].isChecked()
    boxes[Kind.PICKS].click()
    assert len(canvas.layer(Kind.PICKS).data) == len(reviewed.review.picks)


def test_choosing_a_level_shows_it(reviewed, qtbot):
    level = reviewed.overlays.level
    assert [level.itemText(row) for row in range(level.count())] == ["att1", "att2", "att3"]
    level.setFocus()
    qtbot.keyClick(level, Qt.Key.Key_Down)
    layer = reviewed.session.canvas.layer(Kind.ATTENTION)
    assert layer.visible
    rows, columns = reviewed.session.canvas.layer(Kind.PROBABILITY).data.shape
    assert layer.data.shape == (-(-rows // 2), -(-columns // 2))
    use(reviewed.session, trained_picker("none"), "plain")
    wait(reviewed, qtbot)
    assert not level.isEnabled()
    assert "no attention gates" in reviewed.overlays.boxes[Kind.ATTENTION].toolTip()


def test_what_the_circle_does_is_said_while_it_is_in_hand(reviewed):
    tools = reviewed.session.tools
    tools.take(Tool.REJECT)
    assert "Drag the circle" in reviewed.choice.text()
    tools.take(Tool.INSPECT)
    assert "Click a pick" in reviewed.choice.text()


def test_a_click_in_the_gallery_selects_on_the_field_and_the_other_way(reviewed, qtbot):
    review = reviewed.review
    click_picture(reviewed, 2, qtbot)
    assert review.index == 2
    frame = reviewed.session.canvas.layer(Kind.SELECTED)
    np.testing.assert_allclose(frame.data[0], review.picks.yx[2])
    assert f"{review.picks.score[2]:.2f}" in reviewed.choice.text()
    review.select(4)
    assert reviewed.gallery.selection() == [4]


def test_accept_and_reject_by_buttons_and_keys(reviewed, qtbot):
    session, review = reviewed.session, reviewed.review
    window = session.viewer.window._qt_window
    review.select(0)
    qtbot.mouseClick(reviewed.accept, LEFT)
    assert review.judged()[0][0]
    review.select(1)
    qtbot.keyClick(window, "x")  # wherever the focus is
    assert review.judged()[1][1]
    qtbot.keyClick(window, "u")
    assert review.index not in (0, 1)
    uncertain = review.index
    qtbot.keyClick(window, "a")
    assert review.judged()[0][uncertain]
    assert "2 accepted, 1 rejected" in reviewed.state.text()
    for _ in range(3):
        session.undo()
    assert not np.logical_or(*review.judged()).any()
    assert not reviewed.gallery._picks.marks.any()


def test_rejecting_in_the_gallery_is_one_step(reviewed, qtbot):
    session, review = reviewed.session, reviewed.review
    click_picture(reviewed, 0, qtbot)
    click_picture(reviewed, 2, qtbot, Qt.KeyboardModifier.ShiftModifier)
    assert reviewed.choice.text() == "3 picks are selected."
    reviewed.gallery._view.setFocus()
    qtbot.keyClick(reviewed.gallery._view, "x")
    assert np.flatnonzero(review.judged()[1]).tolist() == [0, 1, 2]
    session.undo()
    assert len(session.labels.negatives) == 0
    qtbot.mouseClick(reviewed.accept, LEFT)  # all three are still selected
    assert len(session.labels.positives) == 3


def test_accept_all_shown(reviewed, qtbot):
    shown = int(reviewed.review.is_shown().sum())
    qtbot.mouseClick(reviewed.accept_all, LEFT)
    assert len(reviewed.session.labels.positives) == shown
    assert not reviewed.session.said


def test_a_problem_is_said_in_the_panel(panel, qtbot):
    from dataclasses import replace

    use(panel.session, replace(trained_picker(), network=None))
    qtbot.waitUntil(lambda: bool(panel.review.problem), timeout=30_000)
    assert panel.state.text().startswith("The model could not look at this micrograph: ")
    assert panel.session.said == [panel.review.problem]


def test_another_micrograph_gets_pictures_of_its_own(reviewed, qtbot):
    before = reviewed.gallery._picks.thumbnails
    reviewed.session.go(samples()[1])
    qtbot.waitUntil(lambda: reviewed.session.field is not None, timeout=10_000)
    wait(reviewed, qtbot)
    assert reviewed.gallery._picks.thumbnails is not before
    assert len(reviewed.gallery._picks.thumbnails) == len(reviewed.review.picks)
    reviewed.session.close_project()
    assert reviewed.gallery._picks.rowCount() == 0
    assert reviewed.state.text() == "Open micrographs to begin (Micrographs)."


@pytest.mark.parametrize("tool", [Tool.ACCEPT, Tool.REJECT])
def test_a_circle_judges_all_picks_it_is_dragged_over(reviewed, qtbot, tool):
    session, button = reviewed.session, reviewed.circles.buttons[tool]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.isChecked()
    best = session.review.picks.yx[0]
    drag(session.viewer, best, best + 3)
    labels = session.labels
    judged, others = labels.positives, labels.negatives
    if tool is Tool.REJECT:
        judged, others = others, judged
    assert len(judged) >= 1
    assert np.linalg.norm(judged.yx - best, axis=1).min() < 1e-3
    assert not len(others)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session.tools.tool is Tool.INSPECT
