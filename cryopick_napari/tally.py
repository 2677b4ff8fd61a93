"""What a run of picking has come to so far."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.words import counted

if TYPE_CHECKING:
    from cryopick_napari.batch import Picked


class Tally:
    """Counts of a run; of the picks themselves nothing is kept.

    Attributes
    ----------
    picked, skipped, failed : int
        Micrographs.
    picks : int
    mean_score : float
        Of all picks; nan before the first.
    """

    def __init__(self) -> None:
        self.picked = self.skipped = self.failed = self.picks = 0
        self._scores = 0.0
        self._start = time.monotonic()

    def add(self, picked: Picked) -> None:
        """Count one micrograph."""
        if picked.state == "picked":
            self.picked += 1
        elif picked.state == "skipped":
            self.skipped += 1
        else:
            self.failed += 1
        if picked.picks is not None:
            self.picks += len(picked.picks)
            self._scores += float(picked.picks.score.sum(dtype="float64"))

    @property
    def mean_score(self) -> float:
        """Mean score of all picks."""
        return self._scores / self.picks if self.picks else math.nan

    @property
    def rate(self) -> float:
        """Micrographs picked a minute."""
        return 60 * self.picked / max(1e-9, time.monotonic() - self._start)

    @property
    def is_all_failed(self) -> bool:
        """Whether there were micrographs, and none could be picked."""
        return bool(self.failed) and not self.picked + self.skipped

    def in_short(self) -> str:
        """Say where the run stands."""
        score = f", mean score {self.mean_score:.2f}" if self.picks else ""
        return f"{self.picks:,} picks{score}, {self.rate:.1f} micrographs a minute"

    def summary(self, folder: Path) -> str:
        """Say in a line what was done."""
        parts = [f"{self.picks} picks on {counted(self.picked, 'micrograph')} in {folder}"]
        for number, words in ((self.skipped, "done before"), (self.failed, "could not be picked")):
            if number:
                parts.append(f"{number} {words}")
        return "; ".join(parts)
