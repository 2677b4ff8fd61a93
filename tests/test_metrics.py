from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist

from cryopick_napari.metrics import (
    Score,
    best_threshold,
    calibration_error,
    chance_level,
    discs,
    matched,
    mirrored,
    random_picks,
    roc_auc,
    score,
)
from cryopick_napari.picks import Picks

NOTHING = Picks.of([])
# Crowded, so that positions, pairs and scores coincide.
positions = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=9)
scored = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([0.1, 0.3, 0.5, 0.9])), max_size=9
)


def picks_of(rows: list[tuple[float, float, float]]) -> Picks:
    return Picks.of([row[:2] for row in rows], [row[2] for row in rows])


def most_pairs(picks: Picks, truth: Picks, distance: float) -> int:
    """Count the pairs of a Hungarian assignment."""
    if not len(picks) or not len(truth):
        return 0
    near = cdist(picks.yx, truth.yx) <= distance
    return int(near[linear_sum_assignment(near, maximize=True)].sum())


def counted(found: list[tuple[Picks, Picks]], distance: float, threshold: float) -> Score:
    return sum((score(p.above(threshold), t, distance) for p, t in found), Score(0, 0, 0))


@settings(deadline=None, max_examples=200)
@given(scored, positions, st.sampled_from([0.0, 1.0, 1.5, 2.3]))
def test_matching_is_the_best_possible_at_every_threshold(rows, true, distance):
    picks, truth = picks_of(rows), Picks.of(true)
    gained = matched(picks, truth, distance)
    for threshold in (0.0, 0.1, 0.3, 0.5, 0.9, 1.0):
        kept = picks.score >= np.float32(threshold)
        assert gained[kept].sum() == most_pairs(picks.where(kept), truth, distance)
    order = np.argsort(-picks.score, kind="stable")
    for count in range(len(picks) + 1):
        first = order[:count]
        assert gained[first].sum() == most_pairs(picks.where(first), truth, distance)


def test_two_picks_on_one_particle_count_once_and_the_better_one_counts():
    picks, truth = Picks.of([(10, 11), (10, 9)], [0.4, 0.8]), Picks.of([(10, 10)])
    assert matched(picks, truth, 3).tolist() == [False, True]
    assert score(picks, truth, 3) == Score(1, 2, 1)


def test_a_chain_of_picks_makes_room():
    picks, truth = Picks.of([(0, 2), (0, 0)], [0.9, 0.8]), Picks.of([(0, 1), (0, 3)])
    assert matched(picks, truth, 1).all()


def test_distance_is_inclusive():
    picks, truth = Picks.of([(0, 0)]), Picks.of([(3, 4)])
    assert matched(picks, truth, 5).all()
    assert not matched(picks, truth, 4.999).any()


def test_f1_of_a_case_counted_by_hand():
    found = Score(true_positives=6, picks=8, truth=10)
    assert (found.precision, found.recall) == (0.75, 0.6)
    assert found.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert Score(1, 2, 3) + Score(4, 5, 6) == Score(5, 7, 9)


@pytest.mark.parametrize(("picks", "truth"), [(0, 0), (0, 3), (3, 0)])
def test_figures_of_nothing_are_zero(picks, truth):
    empty = score(Picks.of([(1, 1)] * picks), Picks.of([(9, 9)] * truth), 2)
    assert (empty.precision, empty.recall, empty.f1) == (0, 0, 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(scored, positions), min_size=1, max_size=3), st.sampled_from([-1.0, 0.0, -0.5]))
def test_best_threshold_has_the_best_f1_of_all(fields, shift):
    """Scores need not be probabilities: Topaz writes log-likelihood ratios."""
    found = [(picks_of([(y, x, s + shift) for y, x, s in rows]), Picks.of(true)) for rows, true in fields]
    threshold, best = best_threshold(found, 1.5)
    assert counted(found, 1.5, threshold) == best
    scores = np.concatenate([picks.score for picks, _ in found])
    assert best.f1 == max([counted(found, 1.5, s).f1 for s in scores], default=0)


def test_best_threshold_lies_halfway():
    truth = Picks.of([(0, 0), (10, 10)])
    picks = Picks.of([(0, 0), (10, 10), (20, 20)], [0.9, 0.6, 0.2])
    assert best_threshold([(picks, truth)], 1) == (pytest.approx(0.4), Score(2, 2, 2))
    assert best_threshold([(picks.above(0.5), truth)], 1) == (pytest.approx(0.3), Score(2, 2, 2))


@pytest.mark.parametrize("found", [[], [(NOTHING, NOTHING)], [(NOTHING, Picks.of([(1, 1)]))]])
def test_best_threshold_of_nothing_is_a_half(found):
    threshold, best = best_threshold(found, 1)
    assert threshold == 0.5
    assert (best.true_positives, best.picks) == (0, 0)


def test_best_threshold_without_particles_is_a_half():
    picks = Picks.of([(1, 1), (5, 5)], [0.9, 0.1])
    assert best_threshold([(picks, NOTHING)], 1) == (0.5, Score(0, 1, 0))


@pytest.mark.parametrize(
    ("values", "truth", "area"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0),
        ([1, 2, 3, 4], [0, 1, 0, 1], 0.75),
        ([1, 1, 1, 1], [0, 1, 0, 1], 0.5),
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),
    ],
)
def test_roc_area_of_cases_counted_by_hand(values, truth, area):
    square = (np.array(values, np.float32).reshape(2, 2), np.array(truth, bool).reshape(2, 2))
    assert roc_auc(*square) == area


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_roc_area_is_the_chance_to_rank_a_pair_right(rows):
    values, truth = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], bool)
    pairs = np.subtract.outer(values[truth], values[~truth])
    if pairs.size:
        assert roc_auc(values, truth) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    else:
        assert np.isnan(roc_auc(values, truth))


# Whose distances are exact, so that what lies on the very edge of a disc is no matter of rounding.
SIXTEENTHS = st.integers(-3 * 16, 25 * 16).map(lambda number: number / 16)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(SIXTEENTHS, SIXTEENTHS), max_size=4),
    st.sampled_from([0.0, 0.5, 1.0, 2.7, 4.0]),
)
def test_discs_are_the_pixels_within_reach(centres, radius):
    pixels = np.argwhere(np.ones((17, 22), bool))
    yx = np.array(centres, np.float32).reshape(-1, 2)
    wanted = (cdist(pixels, yx) <= radius).any(axis=1).reshape(17, 22)
    assert np.array_equal(discs((17, 22), yx, radius), wanted)


def test_mirroring_turns_the_first_row_into_the_last():
    picks = Picks.of([(0, 3), (9, 4), (2.5, 7)], [0.1, 0.2, 0.3])
    other = mirrored(picks, (10, 20))
    assert other.yx.tolist() == [[9, 3], [0, 4], [6.5, 7]]
    assert np.array_equal(other.score, picks.score)
    assert other.yx.dtype == np.float32
    assert np.array_equal(mirrored(other, (10, 20)).yx, picks.yx)
    assert len(mirrored(NOTHING, (10, 20))) == 0


def test_chance_level_of_sparse_points_is_the_area_they_cover():
    shape, distance = (1000, 1000), 25
    truth = random_picks(60, shape, 60, np.random.default_rng(1))
    assert len(truth) == 60
    # A pick hits a particle with the chance of lying in its disc; so few hardly ever share one.
    covered = np.pi * distance**2 / (shape[0] * shape[1])
    wanted = 2 * (40 * 60 * covered) / (40 + 60)
    assert chance_level(40, truth, shape, distance, apart=0) == pytest.approx(wanted, rel=0.2)


def test_chance_level_depends_on_nothing_but_its_seed():
    truth = Picks.of([(10, 10), (40, 40)])
    levels = [chance_level(5, truth, (60, 60), 8, 4, seed) for seed in (0, 0, 1)]
    assert levels[0] == levels[1] != levels[2]


@pytest.mark.parametrize("apart", [0, 3, 7.5])
def test_random_picks_keep_their_distance_and_the_field(apart):
    picks = random_picks(60, (80, 120), apart, np.random.default_rng(0))
    assert len(picks) == 60
    assert pdist(picks.yx).min() >= apart - 1e-4
    assert len(picks.within((80, 120))) == 60
    assert np.abs(picks.yx.mean(axis=0) - (39.5, 59.5)).max() < 15


def test_a_full_field_takes_fewer_random_picks():
    picks = random_picks(100, (20, 20), 10, np.random.default_rng(0))
    assert 2 <= len(picks) < 16


def test_with_tolerance_the_threshold_is_the_middle_of_the_good_ones():
    yx = np.stack([np.arange(100) * 50.0, np.zeros(100)], axis=1)
    right = Picks.of(yx, np.linspace(0.95, 0.6, 100))
    wrong = Picks.of(yx + 25, np.linspace(0.3, 0.05, 100))
    lucky = Picks.of([[-30.0, 0.0]], [0.12])  # one more that is right, far below
    found = [(right.joined(wrong).joined(lucky), Picks.of(np.concatenate([yx, lucky.yx])))]
    threshold, score = best_threshold(found, 5, tolerance=0.02)
    assert 0.4 < threshold < 0.75
    assert score.f1 > best_threshold(found, 5)[1].f1 - 0.02


def test_calibration_error_of_cases_counted_by_hand():
    truth = Picks.of([(0, 0), (100, 100)])
    far = [(50, 50), (0, 100)]
    sure = Picks.of([(0, 0), (100, 100)], [1.0, 0.96])
    assert calibration_error([(sure, truth)], 2) == pytest.approx(0.02)
    wrong = Picks.of(far, [0.9, 0.9])
    assert calibration_error([(wrong, truth)], 2) == pytest.approx(0.9)
    half = Picks.of([(0, 0), far[0]], [0.55, 0.55])  # one of two is right, and that is what they say
    assert calibration_error([(half, truth)], 2) == pytest.approx(0.05)
    both = calibration_error([(sure, truth), (wrong, truth)], 2)
    assert both == pytest.approx(abs(1.0 + 0.96 + 0.9 + 0.9 - 2) / 4)  # all in one bin
    assert np.isnan(calibration_error([], 2))


def test_scores_that_are_frequencies_are_calibrated():
    rng = np.random.default_rng(0)
    grid = np.mgrid[0:60, 0:60].reshape(2, -1).T * 20.0
    scores = rng.random(len(grid))
    truth = Picks.of(grid[rng.random(len(grid)) < scores])
    assert calibration_error([(Picks.of(grid, scores), truth)], 2) < 0.03
    assert calibration_error([(Picks.of(grid, scores**3), truth)], 2) > 0.15
