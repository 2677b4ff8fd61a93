"""How good a network is on held-out labels, and which threshold suits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.config import PickerConfig
from cryopick_napari.fields import Field, Mask, inside, target_and_weight
from cryopick_napari.metrics import STRICT, Score, best_threshold, discs, matched, roc_auc, score
from cryopick_napari.mixture import Mixture, best_cut, expected_cut, fit_mixture
from cryopick_napari.peaks import LEAST_SCORE, find_peaks, highest_near
from cryopick_napari.picker import Picker, find_picks, probability_map
from cryopick_napari.picks import Picks

LEAST_ODDS = 0.75  # of a pick being right that make it worth having: F1 is highest near F1 / 2, some 0.43
TOLERANCE = 0.02  # of F1: what a few hundred held-out particles cannot tell from the best

MOST = 0.75  # of the held-out clicks that are found at all


@dataclass(frozen=True)
class Validation:
    """Figures on held-out labels.

    Attributes
    ----------
    loss : float
        Cross entropy of the held-out pixels; nan without any.
    precision, recall, f1 : float
        At the threshold; precision and F1 are nan where labels are only clicks.
    auc : float
        Area under the ROC curve of the probability against discs of half a radius.
    threshold : float
        The best one on these labels.
    clicks, picks : int
        Where labels are only clicks: how many are held out, and how many picks there are at the threshold.
    """

    loss: float
    precision: float
    recall: float
    f1: float
    auc: float
    threshold: float
    clicks: int = 0
    picks: int = 0

    def in_words(self) -> str:
        """Say the figures in a few words."""
        if not isnan(self.f1):
            return f"F1 {self.f1:.2f}"
        return (
            f"{round(self.recall * self.clicks)} of {self.clicks} held-out particles in {self.picks:,} picks"
        )

    @property
    def quality(self) -> float:
        """What models are ranked by, higher is better: minus the loss, which is less noisy than F1."""
        return 0.0 if isnan(self.loss) else -self.loss


@dataclass(frozen=True, eq=False)
class Answer:
    """A network's probability map (h, w) of a field."""

    field: Field
    probability: NDArray[np.float32]

    def picks(self, min_distance: float) -> Picks:
        """All peaks on usable ground, px of the map; ``min_distance`` in diameters."""
        peaks = find_peaks(self.probability, min_distance * self.field.diameter, LEAST_SCORE)
        return peaks.where(inside(peaks.yx, self.field.usable))

    def found(self, config: PickerConfig) -> Picks:
        """All picks of a picker of this configuration there: its threshold has a say in how they score."""
        picks = find_picks(self.probability, self.field.diameter, config)
        return picks.where(inside(picks.yx, self.field.usable))

    @property
    def held_out(self) -> NDArray[np.float32]:
        """Labelled particles (n, 2) that training has not seen, px of the map."""
        return self.field.positives[inside(self.field.positives, self.field.tested)]

    def at(self, yx: NDArray[np.float32]) -> NDArray[np.float32]:
        """The highest answer (n,) near each position (n, 2)."""
        return highest_near(self.probability, yx, STRICT * self.field.diameter)


def answers_of(picker: Picker, fields: Sequence[Field], averaging: bool | None = None) -> list[Answer]:
    """Ask a picker about the fields that hold something out.

    Parameters
    ----------
    picker : Picker
    fields : sequence of Field
    averaging : bool, optional
        Over the 8 flips and turns; as the picker itself does by default.
    """
    averages = picker.config.averaging if averaging is None else averaging
    return [
        Answer(field, probability_map(picker.network, field.scaled.image, averages, field.scaled.valid))
        for field in fields
        if field.tested.any()
    ]


def ranks(answers: Sequence[Answer], min_distance: float) -> NDArray[np.float64]:
    """Count the picks that score more than each held-out particle (n,), over all fields.

    The nearer to the top they are, the fewer other picks come with them: this compares models also
    where labels are only clicks, which say nothing of precision.
    """
    scores = np.sort(np.concatenate([answer.picks(min_distance).score for answer in answers]))
    known = np.concatenate([answer.at(answer.held_out) for answer in answers])
    return (len(scores) - np.searchsorted(scores, known, side="right")).astype(np.float64)


def validate(
    answers: Sequence[Answer],
    config: PickerConfig,
    target_radius: float,
    guess: float | None = None,
    is_experienced: bool = False,
    threshold: float | None = None,
) -> Validation:
    """Score probability maps on the held-out parts of their fields.

    Parameters
    ----------
    answers : sequence of Answer
    config : PickerConfig
        How picks are found in the maps.
    target_radius : float
        Radius of the painted discs, in particle radii, for the loss.
    guess : float, optional
        Of the threshold where labels are only clicks; by default what suits a network trained on them.
    is_experienced : bool
        The answers are an experienced network's: they are probabilities, and the threshold where labels are
        only clicks is that of the highest F1 they promise.
    threshold : float, optional
        Where labels are only clicks, take this one.
    """
    complete = [answer for answer in answers if answer.field.is_complete]
    loss, auc = _loss(answers, target_radius), _auc(answers)
    if complete:
        best, found = _complete_threshold(complete, config)
        return Validation(loss, found.precision, found.recall, found.f1, auc, best)
    threshold, recall, clicks, picks = _clicks_figures(
        answers, config, target_radius, guess, is_experienced, threshold
    )
    return Validation(loss, nan, recall, nan, auc, threshold, clicks, picks)


def _complete_threshold(answers: Sequence[Answer], config: PickerConfig) -> tuple[float, Score]:
    """Choose the threshold of a high F1, and score it on held-out ground.

    The threshold is chosen on all labelled ground: the few particles of the held-out part alone
    leave it to chance, while networks this small hardly answer higher where they have learned.
    """
    reach = STRICT * answers[0].field.diameter
    picks = [answer.picks(config.min_distance) for answer in answers]
    labelled = [
        _on(found, answer.field, answer.field.usable) for found, answer in zip(picks, answers, strict=True)
    ]
    threshold, _ = best_threshold(labelled, reach, TOLERANCE)
    total = Score(0, 0, 0)
    if config.pair_correlation:
        picks = _ranked(answers, config, threshold)
    for found, answer in zip(picks, answers, strict=True):
        tested, truth = _on(found, answer.field, answer.field.tested)
        total += score(tested.above(threshold), truth, reach)
    return threshold, total


def _on(picks: Picks, field: Field, ground: Mask) -> tuple[Picks, Picks]:
    """Select the picks and the particles of a field that lie on ground (h, w) where all are labelled."""
    known, truth = ground & field.complete, Picks.of(field.positives)
    return picks.where(inside(picks.yx, known)), truth.where(inside(truth.yx, known))


def _clicks_figures(
    answers: Sequence[Answer],
    config: PickerConfig,
    target_radius: float,
    guess: float | None,
    is_experienced: bool,
    threshold: float | None,
) -> tuple[float, float, int, int]:
    """Find threshold, recall, held-out clicks and picks where only some particles are labelled.

    The threshold lies between a guess and what the scores of picks and clicks suggest: with few clicks
    each may be far off, but mostly not to the same side.
    """
    picks = [answer.picks(config.min_distance) for answer in answers]
    scores, hit = _hits(picks, answers)
    clicks = sum(len(answer.held_out) for answer in answers)
    if threshold is None:
        ordered = np.sort(scores)[::-1].astype(np.float64)
        chances: NDArray[np.floating] = ordered
        if is_experienced and len(scores):
            threshold = expected_cut(ordered, chances)
        elif hit.any():
            guess = _expected_threshold(scores, hit, answers, target_radius) if guess is None else guess
            mixture, stretched = _mixture(scores, answers), to_logit(ordered)
            threshold = _halfway(guess, from_logit(best_cut(mixture, stretched)))
            chances = mixture.chances(stretched)
        else:
            return 0.5, 0.0, clicks, 0
        if config.pair_correlation:
            threshold = _nearer(threshold, ordered, chances)
    if config.pair_correlation:
        scores, hit = _hits(_ranked(answers, config, threshold), answers)
    kept = scores >= threshold
    return threshold, float((hit & kept).sum() / max(1, clicks)), clicks, int(kept.sum())


def _ranked(answers: Sequence[Answer], config: PickerConfig, threshold: float) -> list[Picks]:
    """Find the picks that neighbours rank, as a picker with this threshold does."""
    return [answer.found(replace(config, threshold=threshold)) for answer in answers]


def _hits(picks: Sequence[Picks], answers: Sequence[Answer]) -> tuple[NDArray[np.float32], Mask]:
    """List the scores of picks, and which of them hit a held-out click."""
    hits = [
        matched(some, Picks.of(answer.held_out), STRICT * answer.field.diameter)
        for some, answer in zip(picks, answers, strict=True)
    ]
    scores = np.concatenate([np.zeros(0, np.float32), *(some.score for some in picks)])
    return scores, np.concatenate([np.zeros(0, np.bool_), *hits])


def _halfway(one: float, other: float) -> float:
    """Take the mean of two thresholds, as logits."""
    return from_logit(float(to_logit(np.array([one, other])).mean()))


def _mixture(scores: NDArray[np.float32], answers: Sequence[Answer]) -> Mixture:
    """Tell particles from others by how all picks score, as logits, and how those at the clicks do."""
    known = np.concatenate([answer.at(answer.field.positives) for answer in answers])
    return fit_mixture(to_logit(scores), to_logit(known))


def _nearer(threshold: float, ordered: NDArray[np.float64], chances: NDArray[np.floating]) -> float:
    """Choose the threshold of as many picks, nearer to the number of particles.

    The neighbours will choose these among all picks. They choose better than the scores alone, for which the
    first threshold is best; the better the order, the nearer the best number comes to that of particles. It
    is taken half way.
    """
    count = round(math.sqrt((ordered >= threshold).sum() * chances.sum()))
    return float(ordered[count - 1 : count + 1].mean()) if 0 < count < len(ordered) else threshold


def _expected_threshold(
    scores: NDArray[np.float32], hit: Mask, answers: Sequence[Answer], target_radius: float
) -> float:
    """Guess the threshold of a trained network from its picks, of which some hit a held-out click.

    Precision cannot be read off such labels. But where unlabelled pixels together weigh as much as
    labelled ones, a network answers ``1 / (1 + share * (1 + 1 / odds))`` to a place that holds a
    particle with these odds, if particles make up this share of the unlabelled pixels; the share
    follows from the number of picks. Held-out clicks bound the result: most must be found.
    """
    order = np.argsort(-scores, kind="stable")
    figures, hit = scores[order], hit[order]
    ground = float(sum(answer.field.usable.sum() for answer in answers))
    disc = np.pi * (target_radius * answers[-1].field.diameter / 2) ** 2
    share = np.arange(1, len(figures) + 1) * disc / ground
    likely = figures >= 1 / (1 + share * (1 + 1 / LEAST_ODDS))
    most = int(np.argmax(np.cumsum(hit) >= MOST * hit.sum()))
    return float(figures[max(most, int(np.flatnonzero(likely)[-1]) if likely.any() else 0)])


def to_logit(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Stretch scores from 0 to 1 to logits; those too low to be of interest are alike."""
    clipped: NDArray[np.floating] = np.clip(scores.astype(np.float64), LEAST_SCORE, 1 - 1e-7)
    return np.log(clipped / (1 - clipped))


def from_logit(logit: float) -> float:
    """Squeeze a logit to a score."""
    return 1 / (1 + math.exp(-logit))


def _loss(answers: Sequence[Answer], target_radius: float) -> float:
    """Mean cross entropy of the held-out pixels."""
    total, count = 0.0, 0.0
    for answer in answers:
        field = answer.field
        target, weight = (image.numpy() for image in target_and_weight(field, target_radius, field.tested))
        p = np.clip(answer.probability, 1e-6, 1 - 1e-6)
        total += float((-weight * (target * np.log(p) + (1 - target) * np.log1p(-p))).sum())
        count += float(weight.sum())
    return total / count if count else nan


def _auc(answers: Sequence[Answer]) -> float:
    """ROC of the held-out pixels against discs of half a radius."""
    values, truth = [], []
    for answer in answers:
        field = answer.field
        ground = field.tested
        shape = (ground.shape[0], ground.shape[1])
        values.append(answer.probability[ground])
        truth.append(discs(shape, field.positives, STRICT * field.diameter)[ground])
    return roc_auc(np.concatenate(values), np.concatenate(truth)) if values else nan
