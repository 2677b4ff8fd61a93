"""How well a fitted method picks fields whose particles are all known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.baselines.method import Clock, Curve, Learned, Seen
from cryopick_napari.evaluation import APART, Compared, agreement, resized
from cryopick_napari.labels import Example
from cryopick_napari.metrics import STRICT, best_threshold, chance_level, discs, matched, roc_auc
from cryopick_napari.picks import Picks

LAST = 0.25  # part of the budget, in which a method that has converged ...
LITTLE = 0.05  # ... lowers its held-out loss by less than this fraction
LEARNED = 3.0  # times what chance finds: a method below has not begun to learn, however flat its curve
POINTS = 100  # of a curve of precision and recall

Pair = tuple[Picks, Picks]  # picks whatever their score, and the truth


@dataclass(frozen=True)
class Outcome:
    """What came of one method with one seed.

    Attributes
    ----------
    method : str
    seed : int
    f1, precision, recall : float
        One to one, centres within half a radius, at the threshold chosen without the test's labels.
    best_f1 : float
        At the best threshold of all.
    auc : float
        Area under the ROC of the maps' pixels against discs of half a radius.
    false_positives : float
        A field, at the chosen threshold.
    parameters : int
    training_seconds, field_seconds : float
        Of the whole training, and of looking at one field (median).
    chance, flipped : float
        F1 of as many random picks, and of the picks mirrored top to bottom.
    converged : bool
    threshold : float
    curve : tuple of (float, float)
        Seconds, and the quality on held-out labels then.
    precision_recall : tuple of (float, float)
        Recall and precision at falling thresholds.
    """

    method: str
    seed: int
    f1: float
    precision: float
    recall: float
    best_f1: float
    auc: float
    false_positives: float
    parameters: int
    training_seconds: float
    field_seconds: float
    chance: float
    flipped: float
    converged: bool
    threshold: float
    curve: Curve
    precision_recall: tuple[tuple[float, float], ...]


def outcome(method: str, seed: int, learned: Learned, fields: Sequence[Example], diameter: float) -> Outcome:
    """Let a method look at the fields of a test, and score what it sees.

    Parameters
    ----------
    method : str
    seed : int
    learned : Learned
    fields : sequence of Example
        With every particle labelled.
    diameter : float
        Of a particle, px of a field: fields of other pixel sizes are scaled to it.
    """
    fitted, seconds, compared, pairs = learned.fitted, [], [], []
    values, truths = [], []
    for field in fields:
        clock = Clock()
        seen = fitted.look(field.micrograph)
        seconds.append(clock.seconds)
        truth = field.labels.positives
        size = seen.scaled.diameter * float(np.mean(seen.scaled.ratio))
        compared.append(Compared("", seen.picks.above(fitted.threshold), truth, size, seen.scaled.shape))
        pairs.append((resized(seen.picks, diameter / size), resized(truth, diameter / size)))
        pixels, on_particle = map_pixels(seen, truth)
        values.append(pixels)
        truths.append(on_particle)
    found = agreement(compared, method)
    _, best = best_threshold(pairs, STRICT * diameter)
    return Outcome(
        method=method,
        seed=seed,
        f1=found.f1,
        precision=found.precision,
        recall=found.recall,
        best_f1=best.f1,
        auc=roc_auc(np.concatenate(values), np.concatenate(truths)),
        false_positives=found.picks * (1 - found.precision) / len(fields),
        parameters=fitted.parameters,
        training_seconds=learned.seconds,
        field_seconds=median(seconds),
        chance=found.chance,
        flipped=found.flipped,
        converged=best.f1 >= LEARNED * by_chance(compared) and has_plateau(learned.curve, learned.seconds),
        threshold=fitted.threshold,
        curve=learned.curve,
        precision_recall=precision_recall(pairs, STRICT * diameter),
    )


def by_chance(fields: Sequence[Compared]) -> float:
    """F1 of as many random picks as there are particles: about the most that chance can reach."""
    parts = [
        chance_level(len(f.truth), f.truth, f.shape, STRICT * f.diameter, APART * f.diameter) for f in fields
    ]
    return float(np.mean(parts))


def has_plateau(curve: Curve, seconds: float) -> bool:
    """Tell whether the last quarter of a training lowered the held-out loss by less than 5 %.

    Parameters
    ----------
    curve : tuple of (float, float)
        Seconds, and the quality then: minus a loss.
    seconds : float
        Of the whole training.
    """
    early = [quality for when, quality in curve if when <= (1 - LAST) * seconds]
    late = [quality for when, quality in curve if when > (1 - LAST) * seconds]
    return bool(early and late) and max(late) - max(early) < LITTLE * abs(max(early))


def map_pixels(seen: Seen, truth: Picks) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the live pixels (n,) of a map, and whether each lies within half a radius of a particle."""
    scaled, shape = seen.scaled, (seen.probability.shape[0], seen.probability.shape[1])
    live = scaled.valid.cpu().numpy()
    near = discs(shape, scaled.from_source(truth.yx), STRICT * scaled.diameter)
    return seen.probability[live], near[live]


def precision_recall(pairs: Sequence[Pair], distance: float) -> tuple[tuple[float, float], ...]:
    """Trace recall and precision over falling thresholds, over all fields together, in up to 100 points."""
    total = sum(len(truth) for _, truth in pairs)
    scores = np.concatenate([picks.score for picks, _ in pairs])
    if not total or not len(scores):
        return ()
    gained = np.concatenate([matched(picks, truth, distance) for picks, truth in pairs])
    hits = np.cumsum(gained[np.argsort(-scores, kind="stable")])
    kept = np.unique(np.linspace(0, len(hits) - 1, POINTS).astype(int))
    return tuple((float(hits[last] / total), float(hits[last] / (last + 1))) for last in kept)
