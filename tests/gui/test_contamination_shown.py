"""Contamination in the window: left out of the picks, and shown to who wants to see it."""

from __future__ import annotations

import numpy as np
import pytest
from trained import trained_picker, use

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.panels.review import ReviewPanel
from cryopick_napari.scene import arrange
from cryopick_napari.simulate import SAMPLES, samples

FILM = arrange(SAMPLES["sample-2-carbon"], 2).film


@pytest.fixture
def panel(opened, qtbot):
    """Give the Review panel over a field that a film reaches into, picked by a model."""
    panel = ReviewPanel(opened)
    opened.viewer.window.add_dock_widget(panel, name="Review", area="right")
    opened.go(samples()[2])
    qtbot.waitUntil(lambda: opened.field is not None, timeout=10_000)
    use(opened, trained_picker())
    opened.change(model="model 1")
    wait(panel, qtbot)
    return panel


def wait(panel, qtbot):
    review = panel.review
    qtbot.waitUntil(lambda: not review.is_running and review.overlays.is_drawn, timeout=30_000)


def on_film(picks):
    return int((FILM.depth(*picks.yx.T.astype(float)) < 0).sum())


def test_the_box_leaves_contamination_out_and_takes_it_back_in(panel, qtbot):
    review, session = panel.review, panel.session
    clean = review.picks
    assert panel.numbers.avoid.isChecked()
    assert on_film(clean) == 0
    panel.numbers.avoid.click()
    wait(panel, qtbot)
    assert not panel.numbers.avoid.isChecked()
    session.flush()
    assert session.project.settings().contamination_mask is False
    assert on_film(review.picks) > 5
    assert len(review.picks) > len(clean)
    panel.numbers.avoid.click()
    wait(panel, qtbot)
    assert session.settings.contamination_mask is None  # as the model has it
    np.testing.assert_array_equal(review.picks.yx, clean.yx)
    assert not session.said


def test_picks_made_otherwise_do_not_pass_for_those_that_are_wanted(panel, qtbot):
    session, materials = panel.session, panel.session.picking.materials
    materials.look()
    qtbot.waitUntil(lambda: session.picking.remaining == 3, timeout=10_000)
    panel.numbers.avoid.click()
    wait(panel, qtbot)
    assert session.project.picks(samples()[2])[1] == "model 1, with contamination"
    panel.numbers.avoid.click()
    session.go(samples()[1])
    wait(panel, qtbot)
    qtbot.waitUntil(lambda: materials.is_complete, timeout=10_000)
    made = {path.stem: session.project.picks(path) for path in samples()}
    assert made["sample-1-crowded"][1] == "model 1"


def test_contamination_is_shown_in_its_place_to_who_wants_to_see_it(panel, qtbot):
    canvas, box = panel.session.canvas, panel.overlays.boxes[Kind.CONTAMINATION]
    assert canvas.layer(Kind.CONTAMINATION) is None
    assert box.isEnabled()
    assert not box.isChecked()
    box.click()
    layer = canvas.layer(Kind.CONTAMINATION)
    assert layer.visible
    rows, columns = np.mgrid[8:1016:40, 8:1016:40].reshape(2, -1).astype(float)
    depth = FILM.depth(rows, columns)
    values = np.array(
        [layer.get_value((row, column), world=True) for row, column in zip(rows, columns, strict=True)]
    )
    assert (values[depth < 0] == 1).all()
    assert (values[depth > 110] == 0).all()
    picture = panel.session.viewer.screenshot(canvas_only=True, flash=False).astype(int)
    assert (picture[..., 0] - picture[..., 2] > 60).mean() > 0.05  # the film is red
    box.click()
    assert not layer.visible
    picture = panel.session.viewer.screenshot(canvas_only=True, flash=False).astype(int)
    assert (picture[..., 0] - picture[..., 2] > 60).mean() < 0.05


def test_what_would_be_left_out_is_shown_where_it_is_not(panel, qtbot):
    panel.overlays.boxes[Kind.CONTAMINATION].click()
    before = panel.session.canvas.layer(Kind.CONTAMINATION).data
    panel.numbers.avoid.click()
    wait(panel, qtbot)
    np.testing.assert_array_equal(panel.session.canvas.layer(Kind.CONTAMINATION).data, before)
    panel.session.go(samples()[0])
    qtbot.waitUntil(lambda: panel.session.field is not None, timeout=10_000)
    wait(panel, qtbot)
    assert not panel.session.canvas.layer(Kind.CONTAMINATION).data.any()  # a clean field


def test_it_is_there_again_after_another_micrograph(panel, qtbot):
    session, box = panel.session, panel.overlays.boxes[Kind.CONTAMINATION]
    box.click()
    box.click()
    session.go(samples()[1])
    wait(panel, qtbot)
    box.click()
    layer = session.canvas.layer(Kind.CONTAMINATION)
    assert layer.visible
    assert layer.data.shape == session.canvas.layer(Kind.PROBABILITY).data.shape
    layer.visible = False  # by napari's own eye
    session.go(samples()[2])
    wait(panel, qtbot)
    layer.visible = True
    assert layer.data.shape == session.canvas.layer(Kind.PROBABILITY).data.shape
    assert layer.data.any()
