"""The maps of a model over the micrograph."""

from __future__ import annotations

from cryopick_napari.gui.answers import Answer
from cryopick_napari.gui.canvas import Canvas, Kind


class Overlays:
    """Shows the probability, and one of the attention maps, that came last."""

    def __init__(self, canvas: Canvas) -> None:
        self.level = 0  # of the attention map, the finest first
        self._canvas = canvas
        self._answer: Answer | None = None

    @property
    def has_maps(self) -> bool:
        """Whether there is something to show."""
        return self._answer is not None

    def take(self, answer: Answer | None) -> None:
        """Show other maps, or none."""
        self._answer = answer
        self.draw()

    def choose(self, level: int) -> None:
        """Choose the attention map to show, 0 for the finest."""
        self.level = level
        self.draw()

    def draw(self) -> None:
        """Put the maps on the canvas, again if a person removed them."""
        answer = self._answer
        if answer is None:
            self._canvas.drop(Kind.PROBABILITY, Kind.ATTENTION)
            return
        ratio = answer.scaled.ratio
        self._canvas.show_map(Kind.PROBABILITY, answer.probability, ratio)
        if answer.attention:
            level = min(self.level, len(answer.attention) - 1)
            self._canvas.show_map(Kind.ATTENTION, answer.attention[level], ratio, level)
        else:
            self._canvas.drop(Kind.ATTENTION)
