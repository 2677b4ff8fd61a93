"""The maps of a model over the micrograph."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from cryopick_napari.gui.answers import Answer
from cryopick_napari.gui.canvas import Canvas, Kind

MAPS = (Kind.PROBABILITY, Kind.ATTENTION, Kind.CONTAMINATION)
PAUSE = 50  # ms between new layers: each takes napari a tenth of a second, and has to be painted, too


class Overlays:
    """Shows the probability, one of the attention maps, and the contamination that came last."""

    def __init__(self, canvas: Canvas) -> None:
        self.level = 0  # of the attention map, the finest first
        self._canvas = canvas
        self._answer: Answer | None = None
        self._soon = QTimer(canvas)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PAUSE)
        self._soon.timeout.connect(self._add_one)
        canvas.looks.changed.connect(self._on_look)

    @property
    def has_maps(self) -> bool:
        """Whether there is something to show."""
        return self._answer is not None

    @property
    def is_drawn(self) -> bool:
        """Whether all that there is to show has its layer."""
        return not self._missing()

    def take(self, answer: Answer | None) -> None:
        """Show other maps, or none; layers that are new come one after the other."""
        self._answer = answer
        for kind in MAPS:
            if not self._has(kind):
                self._canvas.empty(kind)
            elif self._canvas.layer(kind) is not None:
                self._show(kind)
        if not self.is_drawn:
            self._soon.start()

    def close(self) -> None:
        """Add nothing any more."""
        self._soon.stop()

    def choose(self, level: int) -> None:
        """Choose the attention map to show, 0 for the finest."""
        self.level = level
        self.draw()

    def draw(self) -> None:
        """Put the maps on the canvas, again if a person removed them."""
        for kind in filter(self._has, MAPS):
            self._show(kind)

    def _on_look(self, kind: Kind) -> None:
        """Fill a layer that was emptied or removed while nobody saw it, once it is shown again."""
        is_shown = kind in MAPS and self._canvas.looks[kind].visible
        if is_shown and self._has(kind) and self._canvas.is_empty(kind):
            self._show(kind)

    def _add_one(self) -> None:
        for kind in self._missing()[:1]:
            self._show(kind)
            self._soon.start()

    def _missing(self) -> list[Kind]:
        """List what has no layer yet."""
        return [kind for kind in MAPS if self._has(kind) and self._canvas.layer(kind) is None]

    def _has(self, kind: Kind) -> bool:
        """Whether the model said such a thing, and of contamination whether somebody wants to see it."""
        if self._answer is None:
            return False
        if kind is Kind.CONTAMINATION:
            return self._canvas.looks[kind].visible
        return kind is Kind.PROBABILITY or bool(self._answer.attention)

    def _show(self, kind: Kind) -> None:
        answer = self._answer
        assert answer is not None
        level, plane = 0, answer.probability
        if kind is Kind.ATTENTION:
            level = min(self.level, len(answer.attention) - 1)
            plane = answer.attention[level]
        elif kind is Kind.CONTAMINATION:
            plane = answer.contamination
        self._canvas.show_map(kind, plane, answer.scaled.ratio, level)
