"""Distances and agreement of picks whose numbers can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cryopick_napari.config import ParticleSize
from cryopick_napari.labels import Labels
from cryopick_napari.material import Choice, Material
from cryopick_napari.models import ModelRecord
from cryopick_napari.neighbours import nearest
from cryopick_napari.picks import Picks
from cryopick_napari.survey import (
    agreement,
    distances,
    labelled,
    learning_curves,
    scatter,
)

GRID = Picks.of(np.mgrid[1:10, 1:6].reshape(2, -1).T * 20.0, np.linspace(1, 0.1, 45))
SHAPE = 300, 200
SIZE = ParticleSize(16, False)


def material(name: str, picks: Picks | None, spacing: float | None = None, **labels: Picks) -> Material:
    said = Labels(labels.get("positives", Picks.of([])))
    return Material(Path(f"/data/{name}.mrc"), said, picks, SHAPE, spacing)


def test_the_nearest_neighbour_of_a_grid_is_a_step_away():
    np.testing.assert_allclose(nearest(GRID), 20.0)
    assert nearest(GRID.where([0])).tolist() == [np.inf]
    assert len(nearest(Picks.of([]))) == 0


def test_distances_are_in_angstrom_where_all_pixel_sizes_are_known():
    choice = Choice("picks", 0.0, size=ParticleSize(45))
    chart = distances([material("a", GRID, 2.0), material("b", GRID, 3.0)], choice)
    assert chart.x.endswith("Å")
    assert "90 picks on 2 micrographs; median 50 Å" in chart.words
    assert "50% are nearer than a particle's diameter (45 Å)" in chart.words
    (bars,) = chart.series
    assert bars.y.sum() == 90
    mixed = distances([material("a", GRID, 2.0), material("b", GRID)], replace(choice, size=SIZE))
    assert mixed.x.endswith("px")
    assert "median 20 px. 0% are nearer than a particle's diameter (16 px)" in mixed.words


def test_only_chosen_picks_have_distances():
    chart = distances([material("a", GRID), material("b", None)], Choice("picks", 0.9, size=SIZE))
    count = int((GRID.score >= np.float32(0.9)).sum())
    assert f"{count} picks on 1 micrograph;" in chart.words
    none = distances([material("b", None)], Choice("picks", 0.5, size=SIZE))
    assert not none.has_data
    assert "pick them" in none.words


def test_agreement_goes_both_ways():
    theirs = Picks.of(GRID.yx[:30] + np.float32(2))  # two pixels aside, and nothing of the other fifteen
    far = Picks.of(GRID.yx[:30] + np.float32(10))
    ours = [material("a", GRID), material("b", GRID), material("c", GRID)]
    others = {ours[0].path: theirs, ours[1].path: far}
    chart = agreement(ours, Choice("picks", 0.0, size=SIZE), others, "somebody")
    (dots,) = chart.series
    assert dots.labels == ("/data/a.mrc", "/data/b.mrc")
    np.testing.assert_allclose(dots.x, [30 / 45, 0])
    np.testing.assert_allclose(dots.y, [1.0, 0])
    assert "2 micrographs: 90 particles here, 60 by somebody" in chart.words
    assert "33% of these are among theirs, 50% of theirs among these: F1 0.40" in chart.words


def test_agreement_with_nobody_says_so():
    chart = agreement([material("a", GRID)], Choice("picks", 0.0, size=SIZE), {}, "somebody")
    assert not chart.has_data
    assert "somebody" in chart.words


def test_labels_of_micrographs_that_have_some():
    one, other = material("a", GRID, positives=GRID), material("b", GRID)
    assert list(labelled([one, other])) == [one.path]


def test_learning_curves_of_the_models_that_know_the_figure():
    rows = [{"epoch": float(n), "loss": 1 / n, "f1": np.nan if n < 3 else n / 10} for n in range(1, 5)]
    records = [ModelRecord("first", rows=rows), ModelRecord("kept"), ModelRecord("second", rows=rows[:2])]
    chart = learning_curves(records, "loss")
    assert [one.name for one in chart.series] == ["first", "second"]
    assert chart.words == "first: 0.25 at the end, second: 0.5 at the end"
    (only,) = learning_curves(records, "f1").series
    assert only.x.tolist() == [3, 4]
    assert "train one" in learning_curves(records[1:2], "f1").words


def test_a_scatter_leaves_out_what_is_unknown():
    rows = [(Path(f"/data/{n}.mrc"), float(n), 1 - n / 10) for n in range(5)]
    chart = scatter([*rows, (Path("/data/x.mrc"), 3.0, np.nan)], "Defocus µm", "Score")
    (dots,) = chart.series
    assert len(dots.labels) == 5
    assert "5 micrographs, correlation -1.00" in chart.words
    assert not scatter([(Path("x"), np.nan, 1.0)], "Defocus µm", "Score").has_data


def test_agreement_without_a_size_says_what_is_missing():
    chart = agreement([material("a", GRID)], Choice("picks", 0.0), {Path("/data/a.mrc"): GRID}, "somebody")
    assert "Say how large the particle is" in chart.words
