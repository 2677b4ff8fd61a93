from __future__ import annotations

import numpy as np

from cryopick_napari.judging import judged, most_uncertain, near
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks

PICKS = Picks.of([[10, 10], [50, 50], [90, 90]], [0.9, 0.5, 0.2])


def test_labels_within_a_quarter_of_a_diameter_mean_the_pick():
    labels = Labels(Picks.of([[10, 14.9], [50, 55.1]]), Picks.of([[90, 90]]))
    accepted, rejected = judged(PICKS, labels, diameter=20)
    assert accepted.tolist() == [True, False, False]
    assert rejected.tolist() == [False, False, True]


def test_nothing_is_near_nothing():
    assert near(PICKS.yx, Picks.of([]).yx, 5).tolist() == [False] * 3
    assert near(Picks.of([]).yx, PICKS.yx, 5).tolist() == []


def test_the_most_uncertain_pick_is_the_nearest_to_the_threshold_that_is_not_known():
    nothing = np.zeros(3, bool)
    assert most_uncertain(PICKS.score, 0.45, nothing) == 1
    assert most_uncertain(PICKS.score, 0.45, np.array([False, True, False])) == 2
    assert most_uncertain(PICKS.score, 0.45, ~nothing) is None
    assert most_uncertain(PICKS.score[:0], 0.45, nothing[:0]) is None
