"""Charts hold what they were given, and files say the same."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cryopick_napari.charts import Chart, Series, histogram, write_numbers, write_picture
from cryopick_napari.errors import CryopickError

DOTS = Chart(
    "defocus, µm",
    "score",
    "dots",
    (Series("micrographs", np.array([1.0, 2.5]), np.array([0.5, 0.25]), ("a.mrc", "b, c.mrc")),),
)
LINES = Chart(
    "epoch",
    "recall",
    "lines",
    tuple(Series(f"model {n}", np.arange(3.0), np.full(3, n / 4)) for n in range(3)),
)


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_histogram_counts_every_finite_value_once():
    values = np.append(np.random.default_rng(0).random(1000), [np.nan, np.inf])
    (bars,) = histogram(values, "score", "picks", ends=(0.0, 1.0)).series
    assert bars.y.sum() == 1000
    assert len(bars.x) == len(bars.y) + 1
    assert (bars.x[0], bars.x[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("values", [[3, 4, 4, 9], [7], [0, 500, 1000]])
def test_between_whole_numbers_every_bin_is_as_wide(values):
    (bars,) = histogram(values, "picks", "micrographs").series
    assert bars.y.sum() == len(values)
    if len(set(values)) > 1:
        assert (np.diff(bars.x) % 1 == 0).all()
        assert (bars.x[:-1] % 1 == 0.5).all()


def test_nothing_makes_an_empty_chart():
    assert not histogram([np.nan], "score", "picks").has_data


def test_numbers_are_read_back(tmp_path):
    chart = histogram([0.1, 0.1, 0.9], "score", "picks", ends=(0.0, 1.0))
    write_numbers(tmp_path / "bars.csv", chart)
    head, *rows = read(tmp_path / "bars.csv")
    assert head == ["score: from", "to", "picks"]
    assert [float(row[1]) - float(row[0]) for row in rows] == pytest.approx([1 / 40] * 40)
    assert sum(float(row[2]) for row in rows) == 3
    write_numbers(tmp_path / "dots.csv", DOTS)
    assert read(tmp_path / "dots.csv") == [
        ["micrograph", "defocus, µm", "score"],
        ["a.mrc", "1", "0.5"],
        ["b, c.mrc", "2.5", "0.25"],
    ]
    write_numbers(tmp_path / "lines.csv", LINES)
    assert read(tmp_path / "lines.csv")[4] == ["model 1", "0", "0.25"]


@pytest.mark.parametrize("chart", [DOTS, LINES, histogram([1, 2], "n", "m")])
def test_pictures_are_real_and_their_series_differ(chart, tmp_path):
    write_picture(tmp_path / "chart.png", chart)
    pixels = np.asarray(Image.open(tmp_path / "chart.png").convert("RGB"))
    assert pixels.shape[1] > 1000
    assert (pixels[0] == 255).all()
    coloured = pixels[np.ptp(pixels.astype(int), axis=2) > 60]
    assert len(np.unique(coloured // 64, axis=0)) >= len(chart.series)
    write_picture(tmp_path / "chart.svg", chart)
    assert (tmp_path / "chart.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_a_picture_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(CryopickError, match=r"ends with \.png, \.svg, \.pdf"):
        write_picture(tmp_path / "chart.doc", DOTS)
    assert not list(tmp_path.iterdir())
