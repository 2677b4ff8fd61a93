from __future__ import annotations

import numpy as np
import pytest

from cryopick_napari.mixture import best_cut, fit_mixture


def scores(particles: int, others: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(apart, 1, particles), rng.normal(0, 1, others)


def best_f1(particles: np.ndarray, others: np.ndarray) -> float:
    every = np.concatenate([particles, others])
    return max(f1(particles, others, threshold) for threshold in every)


def f1(particles: np.ndarray, others: np.ndarray, threshold: float) -> float:
    right, wrong = (particles >= threshold).sum(), (others >= threshold).sum()
    return 2 * right / (right + wrong + len(particles))


@pytest.mark.parametrize("apart", [3, 4, 6])
@pytest.mark.parametrize("clicks", [5, 10, 30])
def test_a_few_known_picks_give_a_threshold_near_the_best(apart, clicks):
    lost = []
    for seed in range(5):
        particles, others = scores(300, 500, apart, seed)
        every = np.concatenate([particles, others])
        cut = best_cut(fit_mixture(every, particles[:clicks]), every)
        lost.append(best_f1(particles, others) - f1(particles, others, cut))
    assert np.median(lost) <= 0.02


def test_the_two_kinds_are_found():
    particles, others = scores(400, 600, 5)
    mixture = fit_mixture(np.concatenate([particles, others]), particles[:10])
    assert mixture.share == pytest.approx(0.4, abs=0.03)
    assert mixture.mean == pytest.approx(5, abs=0.2)
    assert mixture.other_mean == pytest.approx(0, abs=0.2)
    assert (mixture.spread, mixture.other_spread) == (pytest.approx(1, abs=0.15), pytest.approx(1, abs=0.15))


def test_the_odds_are_even_where_both_kinds_are_as_frequent():
    particles, others = scores(500, 500, 6)
    mixture = fit_mixture(np.concatenate([particles, others]), particles[:20])
    assert mixture.log_odds(np.array([3.0]))[0] == pytest.approx(0, abs=1)


def test_a_lower_score_is_never_the_surer_one():
    particles, others = scores(50, 500, 2)
    mixture = fit_mixture(np.concatenate([particles, others]), particles[:5])
    assert (np.diff(mixture.chances(np.linspace(10, -10, 200))) <= 0).all()


@pytest.mark.parametrize("clicks", [3, 10])
def test_faint_particles_do_not_swallow_everything(clicks):
    counts = []
    for seed in range(10):
        particles, others = scores(150, 400, 1.4, seed)
        every = np.concatenate([particles, others])
        cut = best_cut(fit_mixture(every, particles[:clicks]), every)
        counts.append((every >= cut).sum())
    assert 75 <= np.median(counts) <= 300
    assert sum(count > 450 for count in counts) <= 1


@pytest.mark.parametrize("count", [1, 2])
def test_one_pick_is_enough_to_go_on(count):
    cut = best_cut(fit_mixture(np.full(count, 2.0), np.array([2.0])), np.full(count, 2.0))
    assert cut == 2
