from __future__ import annotations

import numpy as np

from cryopick_napari.config import ParticleSize
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import click, press, wait, wait_until
from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.labels import Labels
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples

_, TRUTH = sample(0)
CHOSEN = TRUTH.yx[np.random.default_rng(0).permutation(len(TRUTH))]


def shown(session):
    session.viewer.window.resize(1400, 900)
    session.open_paths(samples()[:2])
    wait_until(lambda: session.field is not None, 20, "opening")
    return session


def opened(session):
    shown(session).set_size(ParticleSize(SAMPLE_DIAMETER))
    wait(0.3)
    return session


def found(session) -> float:
    picks = session.review.picks.above(session.review.threshold)
    return score(picks, TRUTH, STRICT * session.diameter).f1


def is_looking(session) -> bool:
    return session.first_look.is_running or session.review.is_running


def test_the_diameter_is_enough_for_picks_and_the_third_click_for_better_ones(session):
    panel = LabelPanel(shown(session))
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    wait_until(lambda: panel.look.text() == "Looking for particles…", 20, "a sign that something is coming")
    wait_until(lambda: "Before your first click" in panel.look.text(), 60, "picks before the first click")
    assert session.learning.untrained == "general model"
    general = found(session)
    assert general > 0.4
    for place in CHOSEN[:2]:
        click(session.viewer, place)
    wait(0.5)
    assert session.learning.untrained == "general model"
    assert "Before the third click" in panel.look.text()
    click(session.viewer, CHOSEN[2])
    wait_until(lambda: session.learning.untrained == "first look" and not is_looking(session), 30, "the look")
    assert "First look" in panel.look.text()
    wait_until(lambda: session.canvas.layer(Kind.PICKS) is not None, 5, "picks")
    wait_until(lambda: session.canvas.layer(Kind.PROBABILITY) is not None, 5, "the score map")
    # clicking still labels
    click(session.viewer, CHOSEN[3])
    assert len(session.labels.positives) == 4


def test_each_click_renews_it(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:5])))
    wait_until(lambda: session.learning.untrained == "first look", 30, "the first look")
    before = session.learning.picker
    click(session.viewer, CHOSEN[5])
    wait_until(lambda: session.learning.picker is not before, 10, "another look")
    assert session.learning.untrained == "first look"


def test_the_general_model_is_back_when_the_clicks_are_undone(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:3])))
    wait_until(lambda: session.learning.untrained == "first look", 60, "the first look")
    session.undo()
    wait_until(lambda: session.learning.untrained == "general model", 10, "its end")


def test_what_is_kept_becomes_a_model_that_picks_all(session):
    opened(session)
    wait_until(lambda: session.learning.untrained == "general model", 60, "picks before the first click")
    panel = ExportPanel(session)
    session.picking.materials.look()
    assert panel.pick.start.text() == "Keep the general model"
    press(panel.pick.start)
    wait_until(lambda: session.learning.model_name == "general model 1", 20, "keeping it")
    wait_until(lambda: not session.review.is_running and session.picking.remaining == 1, 30, "its picks")
    press(panel.pick.start)
    wait_until(lambda: session.picking.remaining == 0 and not session.picking.is_running, 60, "the other one")


def test_it_looks_at_the_next_micrograph_too(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:10])))
    wait_until(lambda: session.learning.untrained == "first look", 60, "the first look")
    picker = session.learning.picker
    session.step(1)
    wait_until(lambda: session.field is not None and session.field.path == session.current, 10, "reading")
    wait_until(lambda: not is_looking(session) and len(session.review.picks) > 0, 10, "picks of the next one")
    assert session.learning.picker is picker


def test_clicks_on_dead_ground_are_no_error(session):
    opened(session)
    session.edit(Labels(Picks.of(np.zeros((3, 2)))))
    wait_until(lambda: not is_looking(session), 30, "the look")
    wait(0.3)
    assert not session.said
