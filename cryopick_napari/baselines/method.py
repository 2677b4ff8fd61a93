"""What every compared method is: it learns from labelled fields in a given time, then looks at others."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.labels import Example
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled


@dataclass(frozen=True)
class Budget:
    """How long a method may learn.

    Attributes
    ----------
    seconds : float
        Of gradient steps and of validation.
    steps : int or None
        Gradient steps that end the learning whatever the time, for runs that are to be the same anywhere.
    """

    seconds: float
    steps: int | None = None

    def spent(self, seconds: float, steps: int) -> float:
        """Part of the budget that is used up, 0 to 1 or a little more."""
        return max(seconds / self.seconds, 0.0 if self.steps is None else steps / self.steps)


@dataclass(frozen=True)
class Stage:
    """Where a method stands.

    Attributes
    ----------
    phase : str
        ``preparing``, ``training`` or ``calibrating``.
    seconds : float
        Since the training began.
    step : int
        Gradient steps done.
    loss : float
        Of the last step.
    quality : float
        On held-out labels, higher is better; nan where none was measured.
    """

    phase: str
    seconds: float = 0.0
    step: int = 0
    loss: float = math.nan
    quality: float = math.nan


@dataclass(frozen=True, eq=False)
class Seen:
    """What a method sees in a field.

    Attributes
    ----------
    scaled : Scaled
        The field at the network's scale.
    probability : (h, w) float32
        At that scale, in [0, 1].
    picks : Picks
        In px of the micrograph, whatever their score.
    """

    scaled: Scaled
    probability: NDArray[np.float32]
    picks: Picks


class Fitted(Protocol):
    """A method that has learned."""

    @property
    def threshold(self) -> float:
        """Least score of a pick, chosen without the test's labels."""

    @property
    def parameters(self) -> int:
        """Numbers that were learned."""

    def look(self, micrograph: Micrograph) -> Seen:
        """Look at a field of either polarity as long as it is the training's."""


Curve = tuple[tuple[float, float], ...]  # seconds, and quality then


@dataclass(frozen=True, eq=False)
class Learned:
    """A fitted method and how it came about.

    Attributes
    ----------
    fitted : Fitted
    curve : tuple of (float, float)
        Seconds of training, and the quality on held-out labels then.
    seconds : float
        Of training, without the choice of the threshold.
    """

    fitted: Fitted
    curve: Curve
    seconds: float


Fit = Generator[Stage, bool | None, Learned]


class Method(Protocol):
    """A way to learn to pick."""

    def fit(self, examples: Sequence[Example], budget: Budget) -> Fit:
        """Learn; send True to stop, and the best so far is returned."""


@dataclass
class Clock:
    """Seconds since it was made."""

    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Elapsed."""
        return time.perf_counter() - self.start
