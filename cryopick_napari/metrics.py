"""How well picks agree with the truth: one-to-one matching and what follows from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from cryopick_napari.peaks import spaced
from cryopick_napari.picks import Picks

STRICT = 0.25  # farthest distance of a right pick, in particle diameters: half a radius
CHANCE_SETS = 20  # random sets whose mean F1 is the chance level


@dataclass(frozen=True)
class Score:
    """Counts of a one-to-one matching.

    Attributes
    ----------
    true_positives, picks, truth : int
        Matched pairs, picks in all, and true particles in all.
    """

    true_positives: int
    picks: int
    truth: int

    @property
    def precision(self) -> float:
        """Part of the picks that are right; 0 without picks."""
        return self.true_positives / self.picks if self.picks else 0.0

    @property
    def recall(self) -> float:
        """Part of the particles that are found; 0 without particles."""
        return self.true_positives / self.truth if self.truth else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 TP / (picks + truth)."""
        total = self.picks + self.truth
        return 2 * self.true_positives / total if total else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.true_positives + other.true_positives, self.picks + other.picks, self.truth + other.truth
        )


def matched(picks: Picks, truth: Picks, distance: float) -> NDArray[np.bool_]:
    """Match picks to true particles one to one, best scores first.

    Picks enter in the order of their scores; each may take a particle within reach, displacing
    earlier picks along an augmenting path. So for every threshold, the number of matched picks at or
    above it is that of the best possible (Hungarian) assignment.

    Parameters
    ----------
    picks, truth : Picks
        In pixels of the same micrograph.
    distance : float
        Farthest distance of a matched pair, px.

    Returns
    -------
    (n,) bool array
        For each pick, whether it added a matched pair.
    """
    gained = np.zeros(len(picks), dtype=bool)
    if not len(picks) or not len(truth):
        return gained
    near = cKDTree(picks.yx).query_ball_tree(cKDTree(truth.yx), distance)
    owner: dict[int, int] = {}  # particle -> pick
    held: dict[int, int] = {}  # pick -> particle
    for pick in np.argsort(-picks.score, kind="stable"):
        gained[pick] = _augment(int(pick), near, owner, held)
    return gained


def _augment(start: int, near: list[list[int]], owner: dict[int, int], held: dict[int, int]) -> bool:
    """Find a free particle for a pick, breadth first, and move the picks on the way to it."""
    came_from: dict[int, int] = {}
    queue = deque([start])
    while queue:
        pick = queue.popleft()
        for particle in near[pick]:
            if particle in came_from:
                continue
            came_from[particle] = pick
            if particle not in owner:
                _reassign(particle, came_from, owner, held)
                return True
            queue.append(owner[particle])
    return False


def _reassign(particle: int, came_from: dict[int, int], owner: dict[int, int], held: dict[int, int]) -> None:
    """Walk an augmenting path back to its first pick, giving each pick its new particle."""
    given: int | None = particle
    while given is not None:
        pick = came_from[given]
        owner[given] = pick
        before = held.get(pick)
        held[pick] = given
        given = before


def score(picks: Picks, truth: Picks, distance: float) -> Score:
    """Count the pairs of a one-to-one matching within ``distance`` px."""
    return Score(int(matched(picks, truth, distance).sum()), len(picks), len(truth))


def best_threshold(
    found: list[tuple[Picks, Picks]], distance: float, tolerance: float = 0.0
) -> tuple[float, Score]:
    """Find the threshold with the highest F1 over several micrographs.

    Parameters
    ----------
    found : list of (picks, truth)
        Picks at a low threshold, and the true particles, of each micrograph.
    distance : float
        Farthest distance of a matched pair, px.
    tolerance : float
        How much F1 may be given away for the middle of the thresholds that are as good: the very
        best of a few particles is chance.

    Returns
    -------
    threshold : float
        Halfway between the last pick kept and the first left out.
    score : Score
        At that threshold, over all micrographs.
    """
    total = sum(len(truth) for _, truth in found)
    scores = np.concatenate([picks.score for picks, _ in found]) if found else np.zeros(0)
    if not scores.size or not total:
        return 0.5, Score(0, int((scores >= 0.5).sum()), total)
    gained = np.concatenate([matched(picks, truth, distance) for picks, truth in found])
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(gained[order])
    last_of_score = np.append(ordered[1:] < ordered[:-1], True)
    f1 = np.where(last_of_score, 2 * hits / (np.arange(1, len(hits) + 1) + total), -1.0)
    best = int(np.argmax(f1))
    if tolerance:
        worse = np.flatnonzero(last_of_score & (f1 < f1[best] - tolerance))
        low, high = worse[worse < best].max(initial=-1) + 1, worse[worse > best].min(initial=len(f1)) - 1
        middle = int(np.argmin(np.abs(ordered - (ordered[low] + ordered[high]) / 2)))
        best = int(np.flatnonzero(last_of_score[middle:])[0]) + middle
    below = ordered[best + 1] if best + 1 < len(ordered) else min(0.0, ordered[best])
    return float(ordered[best] + below) / 2, Score(int(hits[best]), best + 1, total)


def calibration_error(found: Sequence[tuple[Picks, Picks]], distance: float, bins: int = 10) -> float:
    """Measure how far the scores of picks are from the part of them that is right.

    The expected calibration error (Naeini et al., AAAI 2015): over bins of equal width, the difference
    of the mean score and the part that is right, weighted by the picks in each.

    Parameters
    ----------
    found : sequence of (Picks, Picks)
        Picks, and all particles, of each micrograph, px.
    distance : float
        Farthest distance of a right pick, px.
    bins : int
        Of the scores from 0 to 1.

    Returns
    -------
    float
        From 0 to 1; nan without picks.
    """
    scores = np.concatenate([picks.score for picks, _ in found]) if found else np.zeros(0, np.float32)
    if not len(scores):
        return float("nan")
    right = np.concatenate([matched(picks, truth, distance) for picks, truth in found])
    places = np.clip((scores * bins).astype(int), 0, bins - 1)
    excess = np.bincount(places, scores - right, bins)  # in each bin, picks times the difference of the means
    return float(np.abs(excess).sum() / len(scores))


def roc_auc(values: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a true value outranks a false one.

    Mann-Whitney statistic, ties counted half; nan if all are true or all are false.
    """
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(values.ravel())[truth.ravel()].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def discs(shape: tuple[int, int], yx: NDArray[np.float32], radius: float) -> NDArray[np.bool_]:
    """Mark the pixels (h, w) within ``radius`` px of any position (n, 2)."""
    mask = np.zeros(shape, dtype=bool)
    reach = int(np.ceil(radius)) + 1
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    centres = np.rint(yx).astype(int)
    pixels = centres[:, None] + offsets
    near = ((pixels - yx[:, None]) ** 2).sum(-1) <= radius**2
    pixels = pixels[near & ((pixels >= 0) & (pixels < shape)).all(-1)]
    mask[pixels[:, 0], pixels[:, 1]] = True
    return mask


def mirrored(picks: Picks, shape: tuple[int, int]) -> Picks:
    """Mirror picks top to bottom, for the flip check."""
    return Picks.of([shape[0] - 1, 0] + picks.yx * [-1, 1], picks.score)


def chance_level(
    count: int, truth: Picks, shape: tuple[int, int], distance: float, apart: float, seed: int = 0
) -> float:
    """Mean F1 of as many random picks as there are real ones, at the same minimum distance.

    Parameters
    ----------
    count : int
        Picks in each of the 20 random sets.
    truth : Picks
        The real ones.
    shape : (int, int)
        Rows and columns of the micrograph, px.
    distance : float
        Farthest distance of a matched pair, px.
    apart : float
        Least distance between two random picks, px.
    seed : int
        Of the random positions.
    """
    rng = np.random.default_rng(seed)
    sets = [random_picks(count, shape, apart, rng) for _ in range(CHANCE_SETS)]
    return float(np.mean([score(picks, truth, distance).f1 for picks in sets]))


def random_picks(count: int, shape: tuple[int, int], apart: float, rng: np.random.Generator) -> Picks:
    """Scatter picks uniformly, none nearer than ``apart`` px to another; fewer if the field is full."""
    kept = np.zeros((0, 2))
    for _ in range(20):
        offered = rng.uniform(-0.5, np.asarray(shape) - 0.5, (2 * count + 8, 2))
        crowd = np.concatenate([kept, offered])
        kept = crowd[spaced(crowd, apart)][:count]
        if len(kept) == count:
            break
    return Picks.of(kept)
