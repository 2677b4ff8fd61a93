"""The course of a training, as a table and as a picture."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.files import replacing

if TYPE_CHECKING:
    from cryopick_napari.training import Progress

FIGURES = ("validation_loss", "precision", "recall", "f1", "auc", "threshold")
Row = dict[str, float]


def row_of(progress: Progress) -> Row:
    """Make the row of an epoch: its losses and the figures on held-out labels."""
    row = {"epoch": float(progress.epoch), "step": float(progress.step), "loss": progress.loss}
    if progress.validation is not None:
        figures = dataclasses.asdict(progress.validation)
        row |= {name: figures["loss" if name == "validation_loss" else name] for name in FIGURES}
    return row | {"learning_rate": progress.learning_rate}


def points_of(rows: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    """Pair the epochs of rows with a figure, where it is known."""
    pairs = [(row["epoch"], row.get(name, math.nan)) for row in rows]
    return [(epoch, value) for epoch, value in pairs if math.isfinite(value)]


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, one an epoch, all of them or nothing."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def write_plot(path: Path, rows: Sequence[Row]) -> None:
    """Draw losses and figures against epochs (PNG or SVG, as the name says)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    losses, figures = figure.subplots(1, 2)
    for name, label in (("loss", "training"), ("validation_loss", "held-out labels: cross entropy")):
        losses.plot(epochs, [row.get(name) for row in rows], marker=".", label=label)
    for name in ("precision", "recall", "f1", "auc"):
        figures.plot(epochs, [row.get(name) for row in rows], marker=".", label=name.replace("f1", "F1"))
    losses.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    figures.set(xlabel="epoch", ylabel="on held-out labels", ylim=(0, 1))
    for axes in (losses, figures):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
