"""Numbers of a project as charts: one value, drawn in a window, or written as a picture and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = NDArray[np.float64]

BINS = 40
PICTURES = ".png", ".svg", ".pdf"
SIZE, DOTS = (6.4, 4.0), 200  # inches, and dots an inch of a picture
# After Okabe and Ito: told apart by colour-blind people too; markers and dashes tell them apart in grey.
COLOURS = "#0072b2", "#c04f00", "#00795a", "#b0578d", "#8a6d00", "#3f3f3f"
COLOURS_ON_DARK = "#56b4e9", "#e69f00", "#2fc79b", "#e39cc8", "#f0e442", "#c8c8c8"
DASHES, MARKERS = ("-", "--", ":", "-."), "os^Dvx"
MANY = 60  # dots of a line; more of them hide it


@dataclass(frozen=True)
class Look:
    """Colours of a chart: of words and axes, of the background, and of the data, one a series."""

    ink: str = "#000000"
    paper: str = "#ffffff"
    colours: tuple[str, ...] = COLOURS


ON_PAPER = Look()


@dataclass(frozen=True, eq=False)
class Series:
    """Data that belong together.

    Attributes
    ----------
    name : str
    x, y : (n,) float64
        Of bars, ``x`` are the n + 1 edges.
    labels : tuple of str
        What each dot stands for.
    """

    name: str
    x: Numbers
    y: Numbers
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Chart:
    """Data, and what they are.

    Attributes
    ----------
    x, y : str
        What the axes count, with units.
    kind : str
        ``bars``, ``dots`` or ``lines``.
    series : tuple of Series
    words : str
        What it shows in a sentence; where it is empty, what to do so that there is something.
    """

    x: str
    y: str
    kind: Literal["bars", "dots", "lines"]
    series: tuple[Series, ...] = ()
    words: str = ""

    @property
    def has_data(self) -> bool:
        """Whether there is something to draw."""
        return any(len(one.y) for one in self.series)


def histogram(
    values: ArrayLike, x: str, y: str, words: str = "", ends: tuple[float, float] | None = None
) -> Chart:
    """Count values in bins of equal width.

    Parameters
    ----------
    values : (n,)
        What is not finite is left out.
    x, y : str
        What is counted.
    words : str
    ends : (float, float), optional
        Of the first and the last bin; the least and the largest value by default.
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Chart(x, y, "bars", (), words)
    counts, edges = np.histogram(known, _bins(known) if ends is None else BINS, ends)
    return Chart(x, y, "bars", (Series(y, edges, counts.astype(np.float64)),), words)


def _bins(values: Numbers) -> int | Numbers:
    """Choose bins; between whole numbers a bin holds as many of them as any other."""
    low, high = float(values.min()), float(values.max())
    if low == high or (values != np.rint(values)).any():
        return BINS
    step = max(1.0, np.ceil((high - low + 1) / BINS))
    return np.arange(low - 0.5, high + step, step)


def draw(chart: Chart, figure: Figure, look: Look = ON_PAPER) -> Axes:
    """Draw a chart into an empty figure of matplotlib.

    Returns
    -------
    Axes
        The dots of each series can be picked.
    """
    from matplotlib.ticker import MaxNLocator

    figure.set_facecolor(look.paper)
    axes = figure.add_subplot()
    axes.set_facecolor(look.paper)
    for number, one in enumerate(chart.series):
        _draw_series(axes, chart.kind, one, look.colours[number % len(look.colours)], number)
    if chart.kind == "bars":
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))  # there is no half of one
    axes.set_xlabel(chart.x, color=look.ink)
    axes.set_ylabel(chart.y, color=look.ink)
    axes.tick_params(colors=look.ink)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(look.ink)
    if chart.kind == "bars" and chart.has_data:
        axes.set_ylim(0, None)
    if len(chart.series) > 1:
        axes.legend(frameon=False, labelcolor=look.ink)
    return axes


def _draw_series(axes: Axes, kind: str, one: Series, colour: str, number: int) -> None:
    if kind == "bars":
        axes.stairs(one.y, one.x, fill=True, color=colour, label=one.name)
    elif kind == "dots":
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(one.x, one.y, marker, color=colour, ms=4, alpha=0.75, label=one.name, picker=5)
    else:
        dash, marker = DASHES[number % len(DASHES)], "." if len(one.y) <= MANY else ""
        axes.plot(one.x, one.y, dash, marker=marker, color=colour, label=one.name)


def write_picture(path: Path, chart: Chart) -> None:
    """Draw a chart on white into a file (PNG, SVG or PDF, as the name says).

    Raises
    ------
    CryopickError
        If the name says something else, or it cannot be written.
    """
    if path.suffix.lower() not in PICTURES:
        raise CryopickError(f"{path}: a picture's name ends with {', '.join(PICTURES)}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    draw(chart, figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS)


def write_numbers(path: Path, chart: Chart) -> None:
    """Write what a chart shows as comma-separated values.

    Raises
    ------
    CryopickError
        If it cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows_of(chart))
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def rows_of(chart: Chart) -> Iterator[Sequence[Any]]:
    """Give the table of a chart: a header, and a row a bar, a dot, or a point of a line."""
    if chart.kind == "bars":
        yield f"{chart.x}: from", "to", chart.y
        for one in chart.series:
            yield from zip(*map(_texts, (one.x[:-1], one.x[1:], one.y)), strict=True)
        return
    yield "micrograph" if chart.kind == "dots" else "series", chart.x, chart.y
    for one in chart.series:
        names = one.labels or (one.name,) * len(one.y)
        yield from zip(names, _texts(one.x), _texts(one.y), strict=True)


def _texts(numbers: Numbers) -> list[str]:
    return [f"{number:.6g}" for number in numbers]
