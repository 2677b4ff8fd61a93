from __future__ import annotations

import numpy as np

from cryopick_napari.config import ParticleSize
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import click, wait, wait_until
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples

_, TRUTH = sample(0)
CHOSEN = TRUTH.yx[np.random.default_rng(0).permutation(len(TRUTH))]


def opened(session):
    session.viewer.window.resize(1400, 900)
    session.open_paths(samples()[:2])
    wait_until(lambda: session.field is not None, 20, "opening")
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    wait(0.3)
    return session


def is_looking(session) -> bool:
    return session.first_look._job is not None or session.review.is_running


def test_the_third_click_shows_a_first_look(session):
    opened(session)
    panel = LabelPanel(session)
    for place in CHOSEN[:2]:
        click(session.viewer, place)
    wait(0.5)
    assert session.learning.picker is None
    assert not panel.look.text()
    click(session.viewer, CHOSEN[2])
    wait_until(lambda: len(session.review.picks) > 0, 30, "the first look")
    assert session.learning.is_first_look
    assert "First look" in panel.look.text()
    wait_until(lambda: session.canvas.layer(Kind.PICKS) is not None, 5, "picks")
    wait_until(lambda: session.canvas.layer(Kind.PROBABILITY) is not None, 5, "the score map")
    # clicking still labels
    click(session.viewer, CHOSEN[3])
    assert len(session.labels.positives) == 4


def test_each_click_renews_it(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:5])))
    wait_until(lambda: session.learning.is_first_look, 30, "the first look")
    before = session.learning.picker
    click(session.viewer, CHOSEN[5])
    wait_until(lambda: session.learning.picker is not before, 10, "another look")
    assert session.learning.is_first_look


def test_it_goes_when_the_clicks_are_undone(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:3])))
    wait_until(lambda: len(session.review.picks) > 0, 30, "the first look")
    session.undo()
    wait_until(lambda: session.learning.picker is None, 10, "its end")
    wait_until(lambda: not len(session.review.picks), 10, "its picks to go")


def test_it_looks_at_the_next_micrograph_too(session):
    opened(session)
    session.edit(Labels(Picks.of(CHOSEN[:10])))
    wait_until(lambda: len(session.review.picks) > 0, 30, "the first look")
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
