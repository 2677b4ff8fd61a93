"""What the plots of the window share: a palette that follows the theme, axes, and an empty state."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from cryopick_napari.charts import COLOURS, COLOURS_ON_DARK

# Pairs for a light and a dark window.
BLUE, ORANGE, GREEN, *_ = zip(COLOURS, COLOURS_ON_DARK, strict=True)
FAINT, MUTED = 0.16, 0.7  # of the text's colour: lines of the grid, and words beside the data
SMALL = 0.9  # of the window's font
CENTRE = Qt.AlignmentFlag.AlignCenter


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` along the pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: float) -> float:
        """Find where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def value(self, pixel: float) -> float:
        """Find the value at a pixel."""
        return self.low + (pixel - self.start) / (self.end - self.start) * (self.high - self.low)


def ticks(high: float, most: int, whole: bool = False) -> list[float]:
    """Choose round values from 0, at most ``most`` steps of 1, 2 or 5; the last reaches ``high``."""
    power = 10.0 ** math.floor(math.log10(high / most))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * most >= high * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    return [number * step for number in range(math.ceil(high / step - 1e-9) + 1)]


class Plot(QWidget):
    """A small plot in the colours of the window around it; subclasses draw the data."""

    empty = ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Fill a dock."""
        return QSize(360, 160)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Keep the figures legible."""
        return QSize(220, 130)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the data, or say when there will be some."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.small_font())
        if self.has_data():
            self.draw(painter)
        else:
            painter.setPen(self.ink(MUTED))
            flags = int(CENTRE) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(QRectF(self.rect()), flags, self.empty)
        painter.end()

    def has_data(self) -> bool:
        """Whether there is something to draw."""
        raise NotImplementedError

    def draw(self, painter: QPainter) -> None:
        """Draw the data."""
        raise NotImplementedError

    def small_font(self) -> QFont:
        """Give the window's font, a little smaller."""
        font = QFont(self.font())
        if font.pointSizeF() > 0:
            font.setPointSizeF(font.pointSizeF() * SMALL)
        return font

    def ink(self, share: float = 1.0) -> QColor:
        """Give the text's colour, or a share of it over the background."""
        colours = self.palette()
        text, under = (
            colours.color(role) for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Window)
        )
        pairs = ((text.red(), under.red()), (text.green(), under.green()), (text.blue(), under.blue()))
        mixed = [round(share * one + (1 - share) * other) for one, other in pairs]
        return QColor(*mixed)

    def colour(self, pair: tuple[str, str]) -> QColor:
        """Choose the one of a pair that shows on this background."""
        is_dark = self.palette().color(QPalette.ColorRole.Window).lightness() < 128
        return QColor(pair[is_dark])


def line(painter: QPainter, colour: QColor, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line of the grid, a pixel wide and sharp."""
    painter.setPen(QPen(colour, 1))
    first, last = (QPointF(math.floor(x) + 0.5, math.floor(y) + 0.5) for x, y in (start, end))
    painter.drawLine(first, last)


def label(
    painter: QPainter,
    at: tuple[float, float],
    text: str,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignHCenter,
    turned: bool = False,
) -> None:
    """Write a word or a number left of, right of or around a point."""
    left = {Qt.AlignmentFlag.AlignHCenter: -100, Qt.AlignmentFlag.AlignRight: -200}.get(align, 0)
    painter.save()
    painter.translate(*at)
    painter.rotate(-90 if turned else 0)
    painter.drawText(QRectF(left, -20, 200, 40), int(align) | int(Qt.AlignmentFlag.AlignVCenter), text)
    painter.restore()
