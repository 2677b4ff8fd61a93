"""Which scores are particles', judged by all picks of a field and the few among them that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Scores = NDArray[np.floating]

KNOWN_WEIGHT = 3.0  # a pick known to be a particle counts as much as so many that only may be one
ROUNDS = 50
SHARES = 0.02, 0.95  # of particles among all picks; one of the two kinds would die out beyond
NARROWEST = 0.15  # standard deviation of a kind: a kind of one pick is none
# Picks that outweigh the guess that particles spread as the others do, which hold the same noise. Without it
# few clicks on a faint field end in a share of nearly nothing, or of everything.
ALIKE = 60.0
FEW = 3  # known picks; fewer say nothing of how much their scores differ


@dataclass(frozen=True)
class Mixture:
    """Normal distributions of the scores of particles and of other picks.

    Attributes
    ----------
    share : float
        Of particles among the picks.
    mean, spread : float
        Of the particles' scores.
    other_mean, other_spread : float
        Of the others'.
    """

    share: float
    mean: float
    spread: float
    other_mean: float
    other_spread: float

    def log_odds(self, scores: Scores) -> Scores:
        """Natural logarithm of the odds that a pick of this score is a particle.

        It never rises as the score falls: where the wider of two normal distributions overtakes the
        narrower one in its tail, the model is wrong.
        """
        steepness = 1 / self.spread**2 - 1 / self.other_spread**2
        if steepness:
            turn = (self.mean / self.spread**2 - self.other_mean / self.other_spread**2) / steepness
            scores = np.minimum(scores, turn) if steepness > 0 else np.maximum(scores, turn)
        particles = np.log(self.share) + norm.logpdf(scores, self.mean, self.spread)
        others = np.log1p(-self.share) + norm.logpdf(scores, self.other_mean, self.other_spread)
        odds: Scores = particles - others
        return odds

    def chances(self, scores: Scores) -> Scores:
        """Probability that each pick is a particle."""
        chance: Scores = 1 / (1 + np.exp(-np.clip(self.log_odds(scores), -50, 50)))
        return chance


def fit_mixture(scores: Scores, known: Scores) -> Mixture:
    """Fit by expectation and maximisation (Dempster et al. 1977), with some picks known to be particles.

    Parameters
    ----------
    scores : (n,) array
        Of all picks, particles or not, on an unbounded scale. At least one.
    known : (m,) array
        Scores at places known to be particles, chosen without regard to the score. At least one.

    Returns
    -------
    Mixture
    """
    lower = scores[scores <= np.median(scores)]
    share, mean, other_mean = 0.3, float(known.mean()), float(np.quantile(scores, 0.3))
    spread = float(known.std(ddof=1)) if len(known) >= FEW else abs(mean - other_mean) / 3
    mixture = Mixture(share, mean, max(spread, NARROWEST), other_mean, max(1.5 * lower.std(), NARROWEST))
    for _ in range(ROUNDS):
        chance = mixture.chances(scores)
        values = np.concatenate([scores, known])
        weights = np.concatenate([chance, np.full(len(known), KNOWN_WEIGHT)])
        mean, spread = _moments(values, weights)
        total, likely = weights.sum(), mixture.other_spread
        spread = float(np.sqrt((total * spread**2 + ALIKE * likely**2) / (total + ALIKE)))
        other_mean, other_spread = _moments(scores, 1 - chance)
        mixture = Mixture(float(np.clip(chance.mean(), *SHARES)), mean, spread, other_mean, other_spread)
    return mixture


def best_cut(mixture: Mixture, scores: Scores) -> float:
    """Choose the threshold on the scores (n,) of all picks at which the expected F1 is highest."""
    ordered = np.sort(scores)[::-1]
    return expected_cut(ordered, mixture.chances(ordered))


def expected_cut(ordered: Scores, chances: Scores) -> float:
    """Choose the threshold of the highest expected F1.

    Parameters
    ----------
    ordered : (n,) array
        Scores of all picks, from the highest down.
    chances : (n,) array
        Probability that each is a particle.

    Returns
    -------
    float
        Halfway between the last pick kept and the first left out.
    """
    last = int(np.argmax(expected_f1(chances)))
    return float(ordered[last : last + 2].mean())


def expected_f1(chances: Scores) -> Scores:
    """Compute the F1 to expect of the first, the first two, ... of picks of these chances (n,)."""
    right = np.cumsum(chances)
    expected: Scores = 2 * right / (np.arange(1, len(chances) + 1) + right[-1])
    return expected


def _moments(values: Scores, weights: Scores) -> tuple[float, float]:
    """Weighted mean and standard deviation."""
    total = max(float(weights.sum()), 1e-9)
    mean = float((weights * values).sum()) / total
    return mean, max(float(np.sqrt((weights * (values - mean) ** 2).sum() / total)), NARROWEST)
