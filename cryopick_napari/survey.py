"""How the picks of a project lie, and how far they agree with those of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.charts import Chart, Series, histogram
from cryopick_napari.errors import CryopickError
from cryopick_napari.history import points_of
from cryopick_napari.material import Choice, Material, chosen
from cryopick_napari.metrics import STRICT, Score, score
from cryopick_napari.models import ModelRecord
from cryopick_napari.neighbours import nearest
from cryopick_napari.picks import Picks
from cryopick_napari.words import counted

FARTHEST = 99.0  # percentile of the distances that is the last bin's end: a lonely pick is no scale
FIGURES = {
    "f1": "F1 on held-out labels",
    "recall": "recall on held-out labels",
    "validation_loss": "loss on held-out labels",
    "loss": "training loss",
}


def distances(materials: Iterable[Material], choice: Choice) -> Chart:
    """Chart the distances between neighbours, in Å, or in px where a pixel size is unknown.

    Parameters
    ----------
    materials : iterable of Material
    choice : Choice
        Which of their particles count.
    """
    apart: list[NDArray[np.float64]] = []
    spacings: list[float | None] = []
    for material in materials:
        picks = _chosen(material, choice)
        if picks is not None and len(picks) > 1:
            apart.append(nearest(picks))
            spacings.append(material.spacing)
    known = [spacing for spacing in spacings if spacing is not None]
    unit = "Å" if len(known) == len(spacings) else "px"
    scales = known if unit == "Å" else [1.0] * len(spacings)
    values = np.concatenate([scale * one for scale, one in zip(scales, apart, strict=True)] or [np.zeros(0)])
    x, y = f"distance to the nearest pick, {unit}", "picks"
    if not len(values):
        return Chart(x, y, "bars", (), "No micrograph has two picks: pick them under Export.")
    where = counted(len(apart), "micrograph")
    words = f"{len(values):,} picks on {where}; median {np.median(values):.0f} {unit}."
    diameter = choice.diameter(known[0] if known else None)
    if diameter is not None:
        diameter *= known[0] if unit == "Å" else 1.0
        share = float((values < diameter).mean())
        words += f" {share:.0%} are nearer than a particle's diameter ({diameter:.0f} {unit})."
    end = float(np.percentile(values, FARTHEST))
    if beyond := int((values > end).sum()):
        words += f" The farthest {beyond:,} lie beyond the chart."
    return histogram(values, x, y, words, (0.0, end))


def agreement(
    materials: Iterable[Material], choice: Choice, others: Mapping[Path, Picks], name: str
) -> Chart:
    """Chart how far particles agree with those of somebody else, one dot a micrograph.

    Parameters
    ----------
    materials : iterable of Material
    choice : Choice
        Which of their particles count, and their size. Two within a quarter of a diameter are the same one.
    others : mapping of Path to Picks
        The other particles, px; micrographs that are not among them are left out.
    name : str
        Whose they are.
    """
    scores: dict[str, Score] = {}
    has_size = True
    for material in materials:
        theirs, diameter = others.get(material.path), choice.diameter(material.spacing)
        ours = None if theirs is None else _chosen(material, choice)
        if theirs is not None and ours is not None and len(ours) + len(theirs):
            has_size = diameter is not None
            if diameter is not None:
                scores[str(material.path)] = score(ours, theirs, STRICT * diameter)
    x, y = f"precision: part of these that are among {name}", f"recall: part of {name} among these"
    if not scores:
        missing = f"No micrograph has both these particles and {name}."
        return Chart(x, y, "dots", (), missing if has_size else "Say how large the particle is, under Label.")
    total = reduce(add, scores.values())
    words = (
        f"{counted(len(scores), 'micrograph')}: {total.picks:,} particles here, {total.truth:,} by {name}. "
        f"{total.precision:.0%} of these are among theirs, {total.recall:.0%} of theirs among these: "
        f"F1 {total.f1:.2f}."
    )
    each = scores.values()
    points = Series(
        name,
        np.array([one.precision for one in each]),
        np.array([one.recall for one in each]),
        tuple(scores),
    )
    return Chart(x, y, "dots", (points,), words)


def learning_curves(records: Sequence[ModelRecord], figure: str) -> Chart:
    """Chart a figure of several trainings against their epochs.

    Parameters
    ----------
    records : sequence of ModelRecord
    figure : str
        One of `FIGURES`.
    """
    series = []
    for record in records:
        if points := points_of(record.rows, figure):
            epochs, values = np.array(points, np.float64).T
            series.append(Series(record.name, epochs, values))
    words = ", ".join(f"{one.name}: {one.y[-1]:.3g} at the end" for one in series)
    empty = f"No model of this project has a known {FIGURES[figure]}: train one, or choose another figure."
    return Chart("epoch", FIGURES[figure], "lines", tuple(series), words or empty)


def scatter(numbers: Sequence[tuple[Path, float, float]], x: str, y: str) -> Chart:
    """Chart one number of the micrographs against another; those of which one is unknown are left out."""
    known = [row for row in numbers if np.isfinite(row[1:]).all()]
    if not known:
        return Chart(x, y, "dots", (), f"No micrograph has both {x} and {y}: pick them, or read CTF values.")
    paths = tuple(str(path) for path, *_ in known)
    across, up = np.array([row[1:] for row in known], np.float64).T
    words = counted(len(known), "micrograph")
    if len(known) > 2 and np.ptp(across) > 0 and np.ptp(up) > 0:
        words += f", correlation {np.corrcoef(across, up)[0, 1]:.2f}"
    words += ". Click a dot to look at its micrograph."
    return Chart(x, y, "dots", (Series("micrographs", across, up, paths),), words)


def labelled(materials: Iterable[Material]) -> dict[Path, Picks]:
    """Give the labelled particles of the micrographs that have some."""
    return {one.path: one.labels.positives for one in materials if len(one.labels.positives)}


def _chosen(material: Material, choice: Choice) -> Picks | None:
    """Choose particles; a micrograph that cannot be read has none."""
    try:
        return chosen(material, choice)
    except CryopickError:
        return None
