"""Coordinate files that other programs wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from cryopick_napari.coordinates import FORMATS, read_coordinates, write_coordinates
from cryopick_napari.errors import CryopickError


def matched(a: NDArray[np.float32], b: NDArray[np.float32], distance: float) -> float:
    """The share of ``a`` that has a partner of its own in ``b``."""
    cost = np.minimum(cdist(a, b), distance + 1)
    return float((cost[linear_sum_assignment(cost)] <= distance).mean() * min(len(a), len(b)) / len(a))


def test_center_boxes_and_corner_boxes_agree(data: Path) -> None:
    expected = [(40, 24), (62, 36), (51, 78)]
    for name in ("boxmanager_2d_center.box", "boxmanager_2d_left.box"):
        (rows,) = read_coordinates(data / "formats" / name)
        np.testing.assert_array_equal(rows.picks.yx, expected)
        np.testing.assert_array_equal(rows.picks.score, 1)
    (rows,) = read_coordinates(data / "formats" / "boxmanager_2d_center_float.box")
    np.testing.assert_allclose(rows.picks.yx, [(40.7, 24.3), (62.1, 36.2), (51.4, 78.9)], rtol=1e-6)


def test_boxmanagers_cbox(data: Path) -> None:
    (rows,) = read_coordinates(data / "formats" / "boxmanager_2d_particles.cbox")
    assert rows.diameter == 25
    np.testing.assert_allclose(
        rows.picks.yx, [(40.459892, 24.1877), (51.627084, 79.06647), (61.411671, 36.84385)], rtol=1e-6
    )
    np.testing.assert_array_equal(rows.picks.score, 1)  # <NA>: a person set them
    assert np.isnan(rows.extra["EstWidth"]).all()


def test_our_cbox_has_the_shape_of_theirs(data: Path, tmp_path: Path) -> None:
    original = data / "formats" / "boxmanager_2d_particles.cbox"
    (file,) = write_coordinates(read_coordinates(original), tmp_path, "cbox")
    theirs, ours = (
        [line.split() for line in path.read_text().split("\n") if line.strip()] for path in (original, file)
    )
    for row in (row for row in theirs if len(row) == 11):
        row[8] = "1.000000"  # the one thing that is told differently
    assert [line for line in ours if len(line) < 11] == [line for line in theirs if len(line) < 11]
    for a, b in zip((r for r in ours if len(r) == 11), (r for r in theirs if len(r) == 11), strict=True):
        assert a[6:8] == b[6:8] == ["<NA>", "<NA>"]
        np.testing.assert_allclose(np.float64(a[:6]), np.float64(b[:6]), atol=1e-5)


def test_an_empty_box_is_no_particles(data: Path) -> None:
    assert [len(rows.picks) for rows in read_coordinates(data / "formats" / "boxmanager_2d_empty.box")] == [0]


@pytest.mark.parametrize(
    ("name", "line", "word"), [("has_string", 2, "'sixty_three'"), ("unqual_columns", 3, "3 columns")]
)
def test_corrupt_boxes_are_told_by_line(data: Path, name: str, line: int, word: str) -> None:
    with pytest.raises(CryopickError, match=f"{name}.box, line {line}: .*{word}.*correct or delete"):
        read_coordinates(data / "formats" / f"boxmanager_2d_corrupt_{name}.box")


def test_relions_autopick(data: Path) -> None:
    (rows,) = read_coordinates(data / "formats" / "relion_autopick.star")
    assert rows.micrograph == "relion"  # the file's stem without _autopick
    assert len(rows.picks) == 45
    np.testing.assert_allclose(rows.picks.yx[0], (19.979167, 839.125024), rtol=1e-6)
    np.testing.assert_allclose(rows.picks.score[[0, -1]], (0.624705, 0.089275), rtol=1e-5)


def test_a_persons_picks_have_score_one(data: Path) -> None:
    (path,) = (data / "formats").glob("handpicked_*.star")
    (rows,) = read_coordinates(path)
    assert len(rows.picks) == 643
    np.testing.assert_array_equal(rows.picks.score, 1)


@pytest.mark.parametrize("program", ["crYOLO", "topaz"])
def test_repics_boxes(data: Path, program: str) -> None:
    stem = "Falcon_2012_06_12-14_33_35_0"
    (rows,) = read_coordinates(data / "formats" / f"repic_{program}_{stem}.box", height=4096)
    assert rows.diameter == 180
    (truth,) = read_coordinates(data / "empiar-10017" / "coordinates" / f"{stem}.csv")
    as_is, flipped = (matched(truth.picks.yx, found.picks.yx, 30) for found in (rows, rows.flipped_y(4096)))
    assert flipped > 0.5 > 0.3 > as_is


def test_the_flip_on_real_picks(data: Path) -> None:
    stem = "Falcon_2012_06_12-15_14_01_0"
    shapes = {f"{stem}.jpg": (4096, 4096)}
    (truth,) = read_coordinates(data / "empiar-10017" / "coordinates" / f"{stem}.csv", shapes)
    (hand,) = read_coordinates(
        data / "formats" / f"handpicked_{stem}.star", {f"handpicked_{stem}": (4096, 4096)}
    )
    assert 0.08 < matched(hand.picks.yx, truth.picks.yx, 30) < 0.2
    assert 0.75 < matched(hand.flipped_y().picks.yx, truth.picks.yx, 30) < 0.9


def test_real_csv_is_read_as_it_is(data: Path) -> None:
    (rows,) = read_coordinates(data / "empiar-10017" / "coordinates" / "Falcon_2012_06_12-14_33_35_0.csv")
    np.testing.assert_array_equal(rows.picks.yx[:2], [(2447, 597), (784, 1512)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_data_set_survives_every_format(data: Path, tmp_path: Path, format: str) -> None:
    sets = read_coordinates(data / "empiar-10146" / "coordinates")
    assert sum(len(rows.picks) for rows in sets) == 952
    sized = [type(rows)(rows.micrograph, rows.picks, (1200, 1240), diameter=80) for rows in sets]
    write_coordinates(sized, tmp_path, format)
    again = {rows.micrograph: rows.picks.yx for rows in read_coordinates(tmp_path, height=1200)}
    for rows in sets:
        np.testing.assert_allclose(again[rows.micrograph], rows.picks.yx, atol=1e-3)
