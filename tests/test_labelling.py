"""Edits of labels, and their undoing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_napari.labelling import (
    MOST_UNDOS,
    History,
    same,
    with_non_particle,
    with_non_particles,
    with_particle,
    with_particles,
    without_nearest,
    without_within,
)
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks

DIAMETER = 20.0
AREA = np.array([[0, 0], [0, 9], [9, 9]], np.float32)


def labels(positives: object = (), negatives: object = ()) -> Labels:
    return Labels(Picks.of(positives), Picks.of(negatives))


def test_a_particle_is_labelled_once():
    once = with_particle(labels(), (50, 60), DIAMETER)
    twice = with_particle(once, (50, 64), DIAMETER)
    np.testing.assert_array_equal(twice.positives.yx, [[50, 60]])
    assert len(with_particle(once, (50, 66), DIAMETER).positives) == 2


def test_a_label_replaces_its_contrary():
    marked = with_non_particle(labels([(50, 60)]), (50, 69), DIAMETER)
    assert (len(marked.positives), len(marked.negatives)) == (0, 1)
    again = with_particle(marked, (50, 69), DIAMETER)
    assert (len(again.positives), len(again.negatives)) == (1, 0)


def test_areas_outlast_every_edit():
    before = Labels(Picks.of([(50, 60)]), complete=(AREA,), excluded=(AREA + 1,))
    for after in (
        with_particle(before, (1, 1), DIAMETER),
        with_non_particle(before, (50, 60), DIAMETER),
        without_nearest(before, (50, 60), 5),
        without_within(before, (50, 60), 5),
    ):
        assert after.complete == before.complete
        assert after.excluded == before.excluded


def test_picks_are_labelled_together():
    picks = Picks.of([(10, 10), (10, 11), (90, 90)])
    assert len(with_particles(labels(), picks, DIAMETER).positives) == 2
    assert len(with_non_particles(labels([(90, 90)]), picks, DIAMETER).positives) == 0


@pytest.mark.parametrize(
    ("yx", "left"),
    [((11, 10), (1, 1)), ((29, 30), (2, 0)), ((200, 200), (2, 1))],
)
def test_the_nearest_label_goes(yx, left):
    after = without_nearest(labels([(10, 10), (60, 60)], [(30, 30)]), yx, DIAMETER / 2)
    assert (len(after.positives), len(after.negatives)) == left


def test_nothing_to_take_away_is_no_change():
    before = labels([(10, 10)])
    assert without_nearest(labels(), (0, 0), 1e9).positives.yx.shape == (0, 2)
    assert without_within(before, (50, 50), 5) is before
    assert without_nearest(before, (50, 50), 5) is before


def test_all_labels_in_a_circle_go():
    after = without_within(labels([(10, 10), (60, 60)], [(12, 10)]), (10, 10), 3)
    np.testing.assert_array_equal(after.positives.yx, [[60, 60]])
    assert not len(after.negatives)


@pytest.mark.parametrize(
    "other",
    [
        labels([(1, 2.5)]),
        labels([(1, 2)], [(3, 4)]),
        Labels(Picks.of([(1, 2)]), complete=(AREA,)),
        Labels(Picks.of([(1, 2)]), excluded=(AREA[:2],)),
    ],
)
def test_same_looks_at_everything(other):
    one = labels([(1, 2)])
    assert same(one, labels([(1, 2)]))
    assert same(other, other)
    assert not same(one, other)


def test_the_same_again_is_no_step():
    history = History(labels([(1, 2)]))
    assert history.changed(labels([(1, 2)])) is history
    assert history.undone() is history
    assert history.redone() is history


def test_a_change_forgets_what_was_undone():
    history = History(labels()).changed(labels([(1, 1)])).undone().changed(labels([(2, 2)]))
    assert history.redone() is history
    assert same(history.undone().labels, labels())


def test_only_so_many_steps_are_remembered():
    history = History(labels())
    for step in range(MOST_UNDOS + 50):
        history = history.changed(labels([(step, 0)]))
    for _ in range(MOST_UNDOS + 50):
        history = history.undone()
    np.testing.assert_array_equal(history.labels.positives.yx, [[49, 0]])
    for _ in range(MOST_UNDOS + 50):
        history = history.redone()
    np.testing.assert_array_equal(history.labels.positives.yx, [[MOST_UNDOS + 49, 0]])


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["add", "undo", "redo"]), max_size=30))
def test_a_history_is_a_line_with_a_place_on_it(steps):
    history, line, place = History(labels()), [0], 0
    for number, step in enumerate(steps, start=1):
        if step == "add":
            history, line, place = (
                history.changed(labels([(number, 0)])),
                [*line[: place + 1], number],
                place + 1,
            )
        elif step == "undo":
            history, place = history.undone(), max(0, place - 1)
        else:
            history, place = history.redone(), min(len(line) - 1, place + 1)
        assert same(history.labels, labels([(line[place], 0)] if line[place] else ()))
