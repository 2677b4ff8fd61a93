"""What a model says about a micrograph: its maps, and the picks in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.gui.computing import import_torch
from cryopick_napari.gui.worker import Work
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker
    from cryopick_napari.rescale import Scaled

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked: the picks of a micrograph by a model.

    Attributes
    ----------
    path : Path
    micrograph : Micrograph
    picker : Picker
    min_distance : float
        Least distance of picks, diameters.
    avoids : bool
        Pick nothing on contamination.
    is_draft : bool
        The model is still being trained.
    save : callable or None
        Keeps the picks.
    """

    path: Path
    micrograph: Micrograph
    picker: Picker
    min_distance: float
    avoids: bool
    is_draft: bool
    save: Callable[[Picks], None] | None = None

    def is_like(self, other: Question | None) -> bool:
        """Whether another question is about the same micrograph, at the same stage of the model."""
        return other is not None and self.micrograph is other.micrograph and self.is_draft == other.is_draft


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model says.

    Attributes
    ----------
    question : Question
    scaled : Scaled
        What the network saw.
    probability : (h, w) float32
    attention : tuple of (h / 2**level, w / 2**level) float32
        Finest first; empty for a model without gates.
    picks : Picks
        All peaks, whatever their score; px of the micrograph, best first.
    """

    question: Question
    scaled: Scaled
    probability: Map
    attention: tuple[Map, ...]
    picks: Picks

    @property
    def contamination(self) -> Map:
        """Where nothing is picked (h, w), or would not be: 1."""
        return self.scaled.left_out.cpu().numpy().astype(np.float32)


def answered(question: Question, before: Answer | None) -> Work:
    """Work on a question, as a job: yields the answer, and returns whether its picks were saved.

    Parameters
    ----------
    question : Question
    before : Answer or None
        The last one; what they have in common is not computed again.
    """
    import_torch()
    if before is not None and question.is_like(before.question) and _asks(question) == _asks(before.question):
        maps = before
    else:
        maps = yield from _mapped(question, before)
    picks = question.picker.picks(maps.probability, maps.scaled, question.min_distance)
    yield replace(maps, question=question, picks=picks)
    if question.save is not None:
        question.save(picks)
    return question.save is not None


def _mapped(question: Question, before: Answer | None) -> Work:
    """Make the maps; between steps the job can be dropped."""
    picker = question.picker
    scaled = _scaled(question, before)
    yield
    if question.is_draft:
        # The 8 flips and turns of 4096 x 4096 px take 1 to 4 s of a core, one view 0.15 to 0.5 s.
        picker = picker.configured(averaging=False)
    else:
        # A training knows the contrast of its micrographs: only models from elsewhere may have to learn it.
        scaled = picker.upright(scaled)
        yield
    probability = picker.probability(scaled)
    yield
    attention = tuple(picker.attention(scaled).values())
    yield
    return Answer(question, scaled, probability, attention, Picks.of([]))


def _scaled(question: Question, before: Answer | None) -> Scaled:
    """Bring the micrograph to the network's scale, once in a training: it takes longer than the network."""
    if (
        question.is_draft
        and before is not None
        and question.is_like(before.question)
        and _sees(question) == _sees(before.question)
    ):
        return replace(before.scaled, avoids=question.avoids)
    return replace(question.picker.scale(question.micrograph), avoids=question.avoids)


def _asks(question: Question) -> tuple[object, ...]:
    """Name all that the maps of a micrograph depend on."""
    return question.picker, question.avoids


def _sees(question: Question) -> tuple[object, ...]:
    """Name all that what a network sees depends on, beside the micrograph."""
    picker = question.picker
    config = picker.config
    diameter = config.diameter_at(question.micrograph.spacing)
    return diameter, config.seen_diameter, config.polarity, picker.device
