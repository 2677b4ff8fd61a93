from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import error_of, run

from cryopick_napari.coordinates import FORMATS, CoordinateSet, write_coordinates
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks

SHAPE = (600, 400)
TRUTH = np.array([(50, 60), (50, 160), (150, 60), (150, 160), (300, 350), (410, 20), (500, 200), (580, 30)])
RADIUS = ("--particle-radius", 20)


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(target, positions, format="csv", names=("a",), scores=None):
    sets = [CoordinateSet(f"{name}.mrc", Picks.of(positions, scores), SHAPE, 2.0, 40.0) for name in names]
    write_coordinates(sets, Path(target), format)
    return target


def json_of(capsys, *words):
    assert run("evaluate", *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_figures_worked_out_by_hand(capsys):
    write("truth", TRUTH)
    # six within half a radius, one within a radius only, one nowhere: one particle is missed
    picks = np.concatenate([np.add(TRUTH[:6], (6, 8)), np.add(TRUTH[6:7], (0, 15)), [(250, 250)]])
    write("picks", picks, scores=[0.9, 0.9, 0.8, 0.8, 0.8, 0.7, 0.4, 0.4])
    found = json_of(capsys, "picks", "truth", *RADIUS)
    assert set(found) == {"micrographs", "all"}
    (row,) = found["micrographs"]
    assert row["name"] == "a"
    assert {**row, "name": "all"} == found["all"]
    assert (row["picks"], row["truth"]) == (8, 8)
    assert row["precision"] == row["recall"] == row["f1"] == 6 / 8
    assert row["f1_full_radius"] == 7 / 8
    assert row["best_f1"] == pytest.approx(12 / 14)
    assert row["best_threshold"] == pytest.approx(0.55)
    assert row["chance"] < 0.15
    assert row["flipped"] == 0


def test_the_table(capsys):
    write("truth", TRUTH, names="ab")
    write("picks", TRUTH, names="ab")
    assert run("evaluate", "picks", "truth", *RADIUS) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["micrograph", "a", "b", "all"]
    assert said.out.splitlines()[-1].split()[1:6] == ["16", "16", "1.000", "1.000", "1.000"]
    assert said.err == ""


@pytest.mark.parametrize("truth", [name for name in FORMATS if name != "cryoppp"])  # it needs a height
@pytest.mark.parametrize("picks", ["relion", "box"])
def test_any_format_against_any_other(capsys, picks, truth):
    write("picks", TRUTH, picks, names="ab")
    write("truth", TRUTH, truth, names="ab")
    found = json_of(capsys, "picks", "truth", *RADIUS)
    assert [row["f1"] for row in found["micrographs"]] == [1, 1]
    assert found["all"]["picks"] == 16


def test_two_files_are_compared_whatever_their_names(capsys):
    write("x", TRUTH, names=["mine"])
    write("y", TRUTH, names=["yours"])
    assert json_of(capsys, "x/mine.csv", "y/yours.csv", *RADIUS)["all"]["f1"] == 1


def test_sizes_in_angstrom(capsys):
    write("truth", TRUTH)
    write("picks", np.add(TRUTH, (0, 8)))
    assert json_of(capsys, "picks", "truth", "--diameter", 80, "--spacing", 2)["all"]["f1"] == 1
    assert json_of(capsys, "picks", "truth", "--diameter", 60, "--spacing", 2)["all"]["f1"] == 0
    write_mrc(Path("a.mrc"), np.random.default_rng(0).random(SHAPE), 2.0)
    with_header = json_of(capsys, "picks", "truth", "--diameter", 80, "--micrographs", "a.mrc")
    assert with_header["all"]["f1"] == 1


def test_the_micrographs_make_the_flip_check_exact(capsys):
    write("truth", TRUTH)
    write("picks", [SHAPE[0] - 1, 0] + TRUTH * [-1, 1])
    write_mrc(Path("a.mrc"), np.random.default_rng(0).random(SHAPE))
    assert run("evaluate", "picks", "truth", *RADIUS, "--micrographs", "a.mrc", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["all"]["flipped"] == 1
    assert "note: flipped top to bottom the picks agree better (1.000)" in said.err


def test_what_is_on_one_side_only_is_left_out_and_said(capsys):
    write("truth", TRUTH, names="abc")
    write("picks", TRUTH, names="bcd")
    assert run("evaluate", "picks", "truth", *RADIUS, "--json") == 0
    said = capsys.readouterr()
    assert [row["name"] for row in json.loads(said.out)["micrographs"]] == ["b", "c"]
    assert said.err.splitlines() == [
        "note: picked, but not in the truth, so left out: d",
        "note: in the truth, but not picked, so left out: a",
    ]


def test_several_files_of_true_positions_of_one_micrograph_are_joined(capsys):
    write("picks", TRUTH, names="ab")
    write("truth", TRUTH[:3], names=["a_manualpick", "b"])
    write("truth", TRUTH[3:], names=["a_autopick"])
    found = json_of(capsys, "picks", "truth", *RADIUS)
    assert [row["truth"] for row in found["micrographs"]] == [8, 3]


def test_a_micrograph_without_picks_counts(capsys):
    write("truth", TRUTH, names="ab")
    write_coordinates(
        [CoordinateSet(f"{name}.mrc", Picks.of(TRUTH if name == "a" else [])) for name in "ab"],
        Path("picks"),
        "relion",
    )
    found = json_of(capsys, "picks", "truth", *RADIUS)
    assert [row["recall"] for row in found["micrographs"]] == [1, 0]
    assert found["all"]["recall"] == 0.5


def test_errors(capsys):
    write("truth", TRUTH, names="ab")
    write("picks", TRUTH, names="cd")

    def error(*words):
        return error_of(capsys, "evaluate", *words)

    assert "truth has no micrograph of picks" in error("picks", "truth", *RADIUS)
    assert "how large is a particle" in error("picks", "truth")
    assert "--spacing" in error("truth", "truth", "--diameter", 80)
    for spacing in (0, -2, "nan", "inf"):
        assert "pixel size must be above 0" in error(
            "truth", "truth", "--diameter", 80, f"--spacing={spacing}"
        )
    for radius in (0, -1, "nan"):
        assert "must be above 0" in error("truth", "truth", f"--particle-radius={radius}")
    assert "nothing.csv" in error("nothing.csv", "truth", *RADIUS)
    Path("bad.csv").write_text("x,y\n1,two\n")
    assert "bad.csv, line 2" in error("bad.csv", "truth", *RADIUS)
    assert "missing.mrc" in error("truth", "truth", *RADIUS, "--micrographs", "missing.mrc")
