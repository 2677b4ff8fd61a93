"""``cryopick compare``."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import DIAMETER, SPACING, error_of, run, usage_of, write_fields

from cryopick_napari.baselines import comparison
from cryopick_napari.cli.compare import split
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picks import Picks

NOBODY = Labels(Picks.of([]))
RADIUS = ("--particle-radius", DIAMETER / 2)
UNETS = ("--methods", "unet", "attention", "--budget", 1, "--device", "cpu")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with three labelled micrographs."""
    monkeypatch.chdir(write_fields(tmp_path / "project", "abc"))


def compare(*words):
    return run("compare", ".", "--output", "out", *RADIUS, *UNETS, *words)


def rows():
    with Path("out/comparison.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_a_file_and_a_picture(capsys):
    assert compare() == 0
    said = capsys.readouterr()
    assert said.out.startswith("2 fields to learn from, 1 to test on, 1 s each method\n")
    table = Path("out/comparison.md").read_text(encoding="utf-8")
    assert table in said.out
    assert [row["method"] for row in rows()] == ["unet", "attention"]
    for row in rows():
        assert 0 <= float(row["f1"]) <= float(row["best_f1"]) <= 1
        assert 0 < float(row["training_seconds"]) < 10
        assert 0 <= float(row["auc"]) <= 1
    assert int(rows()[0]["parameters"]) < int(rows()[1]["parameters"])
    assert Path("out/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_are_done_are_kept_as_long_as_they_are_of_the_same(capsys, monkeypatch):
    again = ("--methods", "unet", "--seeds", 1, 2)
    assert compare(*again) == 0
    before, table = rows(), Path("out/comparison.md").read_text(encoding="utf-8")
    assert len(before) == 2
    assert "Medians over the seeds 1, 2" in table

    def never(*_):
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(comparison, "method_of", never)
        assert compare(*again) == 0
        assert rows() == before
        with pytest.raises(AssertionError, match="trained again"):
            compare(*again, "--budget", 3)
        Path("coordinates/c.csv").write_text("x,y\n20,20\n")
        with pytest.raises(AssertionError, match="trained again"):
            compare(*again)


def test_a_folder_of_its_own_for_the_test(tmp_path, capsys):
    write_fields(tmp_path / "test", "xy")
    assert compare("--test-dir", tmp_path / "test", "--methods", "unet") == 0
    assert capsys.readouterr().out.startswith("3 fields to learn from, 2 to test on")


def test_the_last_third_by_name_is_for_the_test():
    def fields(names):
        return [Example(Micrograph(np.zeros((2, 2), np.float32), path=Path(name)), NOBODY) for name in names]

    def names(examples):
        return "".join(example.micrograph.path.name for example in examples)

    assert [names(part) for part in split(fields("cabed"))] == ["abcd", "e"]
    assert [names(part) for part in split(fields("987654321"))] == ["123456", "789"]
    with pytest.raises(CryopickError, match="give more, or --test-dir"):
        split(fields("a"))


def test_a_missing_library_is_said_before_anything_is_trained(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = error_of(capsys, "compare", ".", "--output", "out", *RADIUS, "--device", "cpu")
    assert said.endswith("pip install 'cryopick-napari[baselines]'")
    assert not Path("out/comparison.md").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", 0), "the budget must be above 0 s"),
        (("--seed", -1), "the seed must be from 0"),
        (("--device", "cuda:99"), "no device 'cuda:99' here"),
        (("--test-dir", "nowhere"), "nowhere has no folder 'micrographs'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(capsys, words, said):
    assert said in error_of(capsys, "compare", ".", "--output", "out", *RADIUS, *UNETS, *words)


def test_a_size_is_needed(capsys):
    assert "--diameter" in error_of(capsys, "compare", ".", "--output", "out", *UNETS)


def test_wrong_usage(capsys):
    assert "invalid choice: 'resnet'" in usage_of(
        capsys, "compare", ".", "--output", "o", "--methods", "resnet"
    )
    assert "--output" in usage_of(capsys, "compare", ".")
    assert "not allowed with" in usage_of(
        capsys, "compare", ".", "--output", "o", "--seed", 1, "--seeds", 1, 2
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_ctrl_c_keeps_what_is_done():
    words = ["compare", ".", "--output", "out", "--diameter", DIAMETER * SPACING, "--device", "cpu"]
    words += ["--methods", "unet", "--budget", 2, "--seeds", 1]
    assert run(*words) == 0
    Path("out/comparison.md").unlink()
    environment = {**os.environ, "PYTHONPATH": str(Path(comparison.__file__).parents[2])}
    command = [sys.executable, "-m", "cryopick_napari", *map(str, words), "2"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("unet, seed 1: F1 "):  # of the first time
            assert line.startswith("note: ")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert [(row["method"], row["seed"]) for row in rows()] == [("unet", "1")]
    assert Path("out/comparison.md").exists()
    assert [path.name for path in Path("out/runs").iterdir()] == ["unet-1.json"]
