from __future__ import annotations

import numpy as np
import pytest

from cryopick_napari.picks import Picks

PICKS = Picks.of([(0, 0), (2, 3), (-0.5, 4), (9.5, 4.6), (5, 5)], [0.5, 0.9, 0.1, 0.7, 0.3])


def test_of_takes_lists_and_scores_them_one():
    picks = Picks.of([(1, 2), (3, 4)])
    assert len(picks) == 2
    assert picks.yx.dtype == picks.score.dtype == np.float32
    assert picks.score.tolist() == [1, 1]


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 2)), ()])
def test_of_nothing_is_empty(nothing):
    assert Picks.of(nothing).yx.shape == (0, 2)
    assert Picks.of(nothing).score.shape == (0,)


@pytest.mark.parametrize("positions", [[1, 2], [(1, 2, 3)], np.zeros((2, 2, 2))])
def test_of_refuses_other_shapes(positions):
    with pytest.raises(ValueError, match="shape"):
        Picks.of(positions)


def test_of_refuses_too_few_scores():
    with pytest.raises(ValueError, match="2 positions"):
        Picks.of([(1, 2), (3, 4)], [1])


def test_above_keeps_a_score_at_the_threshold():
    assert PICKS.above(0.5).score == pytest.approx([0.5, 0.9, 0.7])


def test_within_counts_whole_pixels_as_the_field():
    assert len(PICKS.within((10, 5))) == 3  # the pixel at (9.5, 4.6) ends at 4.5
    assert PICKS.within((10, 6), margin=1).yx.tolist() == [[2, 3]]
    assert PICKS.within((10, 6), margin=0.5).yx.tolist() == [[0, 0], [2, 3], [5, 5]]


def test_where_takes_masks_and_indices():
    by_mask = PICKS.where(PICKS.score > 0.6)
    by_index = PICKS.where(np.array([1, 3]))
    assert np.array_equal(by_mask.yx, by_index.yx)
    assert by_mask.score == pytest.approx([0.9, 0.7])


def test_joined_appends():
    joined = PICKS.joined(Picks.of([(7, 8)], [0.2]))
    assert len(joined) == 6
    assert joined.yx[-1].tolist() == [7, 8]
    assert joined.score[-1] == pytest.approx(0.2)
    assert len(PICKS) == 5
