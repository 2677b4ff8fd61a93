"""The course of a training, drawn while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from cryopick_napari.gui.plots import BLUE, FAINT, GREEN, MUTED, ORANGE, Axis, Plot, label, line, ticks
from cryopick_napari.history import points_of

Row = Mapping[str, float]
Points = list[tuple[float, float]]

SAMPLE = 18  # px, of a line in the legend
MOST_DOTS = 40  # epochs; more of them hide the line
LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight


@dataclass(frozen=True)
class Curve:
    """A figure of the rows: its key, its name, and how its line looks."""

    key: str
    name: str
    colours: tuple[str, str]
    style: Qt.PenStyle

    def points(self, rows: Sequence[Row]) -> Points:
        """Pair epochs with values, where there is one."""
        return points_of(rows, self.key)


LOSSES = (
    Curve("loss", "training loss", BLUE, Qt.PenStyle.SolidLine),
    Curve("validation_loss", "held-out loss", ORANGE, Qt.PenStyle.DashLine),
)
# Labels that are only clicks have no F1: it would need to know what is no particle.
FIGURES = (
    Curve("f1", "F1", GREEN, Qt.PenStyle.DotLine),
    Curve("recall", "recall", GREEN, Qt.PenStyle.DotLine),
)


class Curves(Plot):
    """Losses (left axis) and F1, or recall where there is no F1 (right axis), against epochs."""

    empty = "The curves appear after the first epoch"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._epochs = 0
        self._hovered: float | None = None
        self.setMouseTracking(True)
        self.setAccessibleName("Losses and figures of the training")

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these epochs.

        Parameters
        ----------
        rows : sequence of mappings
            One an epoch, as `cryopick_napari.history.row_of` makes them; only ``epoch`` is needed, and
            what is nan or missing is left out.
        """
        self._rows = list(rows)
        self._hovered = None
        self.setAccessibleDescription(self.readout(rows[-1]["epoch"]) if rows else self.empty)
        self.update()

    def set_epochs(self, epochs: int) -> None:
        """Make room for as many epochs as are planned."""
        self._epochs = epochs
        self.update()

    def curves(self) -> list[Curve]:
        """List what there is to draw."""
        figures = [figure for figure in FIGURES if figure.points(self._rows)][:1]
        return [curve for curve in LOSSES if curve.points(self._rows)] + figures

    def readout(self, epoch: float) -> str:
        """Say the values of an epoch in words."""
        values = [f"{curve.name} {self._value(curve, epoch)}" for curve in self.curves()]
        return f"epoch {epoch:g}: {', '.join(values)}"

    def has_data(self) -> bool:
        """Whether an epoch is done."""
        return bool(self.curves())

    def draw(self, painter: QPainter) -> None:
        """Draw the axes, the curves, and their legend."""
        x, losses, figures = self._axes(painter)
        self._draw_frame(painter, x, losses, figures)
        for curve in self.curves():
            y = losses if curve in LOSSES else figures
            points = [QPointF(x.pixel(epoch), y.pixel(value)) for epoch, value in curve.points(self._rows)]
            self._draw_curve(painter, curve, points)
        self._draw_legend(painter)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Read off the epoch under the mouse."""
        if self.has_data():
            at = self._x().value(event.pos().x())
            self._hovered = min((row["epoch"] for row in self._rows), key=lambda epoch: abs(epoch - at))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Go back to the plain legend."""
        self._hovered = None
        self.update()

    def _value(self, curve: Curve, epoch: float) -> str:
        value = dict(curve.points(self._rows)).get(epoch)
        return "none" if value is None else f"{value:.3g}" if curve in LOSSES else f"{value:.2f}"

    def _x(self) -> Axis:
        last = max(row["epoch"] for row in self._rows)
        em = QFontMetricsF(self.small_font()).height()
        return Axis(0, max(self._epochs, last, 1), 3.6 * em, self.width() - 3.2 * em)

    def _axes(self, painter: QPainter) -> tuple[Axis, Axis, Axis]:
        em = QFontMetricsF(painter.font()).height()
        top, bottom = 1.8 * em, self.height() - 2.4 * em
        highest = max((value for curve in LOSSES for _, value in curve.points(self._rows)), default=0)
        return self._x(), Axis(0, ticks(highest or 1, 4)[-1], bottom, top), Axis(0, 1, bottom, top)

    def _draw_frame(self, painter: QPainter, x: Axis, losses: Axis, figures: Axis) -> None:
        em = QFontMetricsF(painter.font()).height()
        bottom, middle = losses.start, (losses.start + losses.end) / 2
        has_losses, has_figures = (any(c in group for c in self.curves()) for group in (LOSSES, FIGURES))
        for value in ticks(losses.high, 4):
            y = losses.pixel(value)
            line(painter, self.ink(FAINT if value else MUTED), (x.start, y), (x.end, y))
        if self._hovered is not None:
            at = x.pixel(self._hovered)
            line(painter, self.ink(MUTED), (at, bottom), (at, losses.end))
        painter.setPen(self.ink(MUTED))
        if has_losses:
            label(painter, (0.7 * em, middle), "loss", turned=True)
            for value in ticks(losses.high, 4):
                label(painter, (x.start - 0.3 * em, losses.pixel(value)), f"{value:g}", RIGHT)
        if has_figures:
            label(painter, (self.width() - 0.7 * em, middle), self.curves()[-1].name, turned=True)
            for value in (0, 0.5, 1):
                label(painter, (x.end + 0.3 * em, figures.pixel(value)), f"{value:g}", LEFT)
        for value in ticks(x.high, 6, whole=True):
            if value <= x.high:
                label(painter, (x.pixel(value), bottom + 0.75 * em), f"{value:g}")
        label(painter, ((x.start + x.end) / 2, self.height() - 0.7 * em), self._epoch_label())

    def _epoch_label(self) -> str:
        return "epoch" if self._hovered is None else f"epoch {self._hovered:g}"

    def _draw_curve(self, painter: QPainter, curve: Curve, points: list[QPointF]) -> None:
        colour = self.colour(curve.colours)
        painter.setPen(QPen(colour, 1.8, curve.style))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for point in points if len(points) <= MOST_DOTS else points[-1:]:
            painter.drawEllipse(point, 2.2, 2.2)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_legend(self, painter: QPainter) -> None:
        metrics = QFontMetricsF(painter.font())
        em = metrics.height()
        texts = [self._legend_text(curve) for curve in self.curves()]
        widths = [SAMPLE + 4 + metrics.horizontalAdvance(text) for text in texts]
        gap = min(em, max(2.0, (self.width() - sum(widths) - 4) / max(1, len(widths))))
        left = (self.width() - sum(widths) - gap * (len(widths) - 1)) / 2
        for curve, text, width in zip(self.curves(), texts, widths, strict=True):
            painter.setPen(QPen(self.colour(curve.colours), 1.8, curve.style))
            painter.drawLine(QPointF(left, 0.8 * em), QPointF(left + SAMPLE, 0.8 * em))
            painter.setPen(self.ink())
            label(painter, (left + SAMPLE + 4, 0.8 * em), text, LEFT)
            left += width + gap

    def _legend_text(self, curve: Curve) -> str:
        if self._hovered is None:
            return curve.name
        return f"{curve.name} {self._value(curve, self._hovered)}"
