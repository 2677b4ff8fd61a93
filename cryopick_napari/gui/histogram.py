"""The scores of the picks, and the threshold among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF, QWheelEvent
from qtpy.QtWidgets import QWidget

from cryopick_napari.gui.plots import BLUE, CENTRE, MUTED, Axis, Plot, label, line

BINS = 50
GAP, HANDLE = 0.7, 5.0  # px, between bars; half the width of the line's handle
GREY = 0.35  # of the text's colour, for bars below the threshold
STEP = 0.01  # of the threshold; what is shown has as many decimals
NOTCH = 120  # eighths of a degree: a step of a mouse wheel, as Qt counts it
KEYS: dict[int, float] = {
    Qt.Key.Key_Left: -STEP,
    Qt.Key.Key_Down: -STEP,
    Qt.Key.Key_Right: STEP,
    Qt.Key.Key_Up: STEP,
    Qt.Key.Key_PageDown: -10 * STEP,
    Qt.Key.Key_PageUp: 10 * STEP,
}


class ScoreHistogram(Plot):
    """Histogram of scores from 0 to 1, with a threshold to drag.

    The arrow keys move it too, and the mouse wheel once the plot has been clicked: until then the
    wheel scrolls the panel.
    """

    threshold_changed = Signal(float)  # by the user alone
    empty = "The scores appear after picking"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scores: NDArray[Any] = np.zeros(0, np.float32)
        self._counts = np.zeros(BINS, np.intp)
        self._threshold = 0.5
        self._wheel = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Least score of a pick")

    @property
    def threshold(self) -> float:
        """Least score of a pick."""
        return self._threshold

    def set_scores(self, scores: NDArray[Any]) -> None:
        """Show the scores (n,) of all picks; nan is left out."""
        self._scores = scores[~np.isnan(scores)]
        self._counts = np.histogram(np.clip(self._scores, 0, 1), BINS, (0, 1))[0]
        if self.has_data():
            self.setCursor(Qt.CursorShape.SplitHCursor)
        else:
            self.unsetCursor()
        self._refresh()

    def set_threshold(self, threshold: float) -> None:
        """Move the line, without a signal."""
        self._threshold = min(max(float(threshold), 0.0), 1.0)
        self._refresh()

    def summary(self) -> str:
        """Say how many picks are kept."""
        kept = np.count_nonzero(self._scores >= self._threshold)
        return f"{kept:,} of {len(self._scores):,} picks, score ≥ {self._threshold:.2f}"

    def has_data(self) -> bool:
        """Whether there are picks."""
        return len(self._scores) > 0

    def draw(self, painter: QPainter) -> None:
        """Draw the bars, the scale below, the line, and the number of picks."""
        em = QFontMetricsF(painter.font()).height()
        x, top, bottom = self._x(), 1.9 * em, self.height() - 2.3 * em
        at = x.pixel(self._threshold)
        for left, right, colour in ((0.0, at, self.ink(GREY)), (at, self.width(), self.colour(BLUE))):
            painter.setClipRect(QRectF(left, 0, right - left, self.height()))
            for bar in self._bars(x, top, bottom):
                painter.fillRect(bar, colour)
        painter.setClipping(False)
        line(painter, self.ink(MUTED), (x.start, bottom), (x.end, bottom))
        painter.setPen(self.ink(MUTED))
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
            label(painter, (x.pixel(tick), bottom + 0.7 * em), f"{tick:g}")
        label(painter, ((x.start + x.end) / 2, self.height() - 0.7 * em), "score")
        self._draw_line(painter, at, top, bottom)
        painter.setPen(self.ink())
        painter.drawText(QRectF(0, 0, self.width(), 1.5 * em), int(CENTRE), self.summary())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Take the line to the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._choose(self._x().value(event.pos().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Drag the line."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(self._x().value(event.pos().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the line by a step."""
        step = KEYS.get(event.key())
        if step is None:
            super().keyPressEvent(event)
        else:
            self._choose(self._threshold + step)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Move the line by a step a notch; a plot that was not clicked lets the panel scroll."""
        if not self.hasFocus():
            event.ignore()
            return
        self._wheel += event.angleDelta().y() / NOTCH
        notches = int(self._wheel)
        self._wheel -= notches
        if notches:
            self._choose(self._threshold + notches * STEP)
        event.accept()

    def _choose(self, threshold: float) -> None:
        """Set the threshold as the user wants it, to what is shown of it, and tell."""
        chosen = round(min(max(threshold, 0.0), 1.0), 2)
        if self.has_data() and chosen != self._threshold:
            self.set_threshold(chosen)
            self.threshold_changed.emit(chosen)

    def _refresh(self) -> None:
        self.setAccessibleDescription(self.summary() if self.has_data() else self.empty)
        self.update()

    def _x(self) -> Axis:
        em = QFontMetricsF(self.small_font()).height()
        return Axis(0, 1, em, self.width() - em)

    def _bars(self, x: Axis, top: float, bottom: float) -> list[QRectF]:
        """Lay out the bars, a gap between them; a single pick is seen too."""
        y = Axis(0, float(self._counts.max()), bottom, top)
        width = (x.end - x.start) / BINS - GAP
        heights = [max(bottom - y.pixel(count), 1.0) if count else 0.0 for count in self._counts.tolist()]
        return [
            QRectF(x.pixel(number / BINS), bottom - height, width, height)
            for number, height in enumerate(heights)
            if height
        ]

    def _draw_line(self, painter: QPainter, at: float, top: float, bottom: float) -> None:
        """Draw the line with its handle, coloured while the keys move it."""
        painter.setPen(QPen(self.ink(), 1.5))
        painter.drawLine(QPointF(at, top - HANDLE), QPointF(at, bottom))
        painter.setBrush(self.colour(BLUE) if self.hasFocus() else self.ink())
        tip = [QPointF(at - HANDLE, top - HANDLE), QPointF(at + HANDLE, top - HANDLE), QPointF(at, top + 2)]
        painter.drawPolygon(QPolygonF(tip))
        painter.setBrush(Qt.BrushStyle.NoBrush)
