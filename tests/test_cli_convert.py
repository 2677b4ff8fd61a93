from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import error_of, run

from cryopick_napari.cli.options import COORDINATE_FORMATS
from cryopick_napari.coordinates import FORMATS, SUFFIX, CoordinateSet, read_coordinates, write_coordinates
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

POSITIONS = np.array([(10, 20), (33.25, 40.5), (98, 3)])
SCORES = np.array([0.9, 0.5, 0.25])
SHAPE = (100, 60)
ENDINGS = {"relion": ".star", "particles": "_particles.star", "box": ".box", "cbox": ".cbox", "csv": ".csv"}
ENDINGS |= {"topaz": ".txt", "cryoppp": ".csv"}


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(folder, format, names="ab"):
    picks = Picks.of(POSITIONS, SCORES)
    sets = [CoordinateSet(f"{name}.mrc", picks, SHAPE, None, 12.0) for name in names]
    write_coordinates(sets, Path(folder), format)
    return folder


def read(path):
    return {
        rows.micrograph.removesuffix(".mrc"): rows.picks for rows in read_coordinates(path, height=SHAPE[0])
    }


def test_the_command_knows_every_format():
    assert set(COORDINATE_FORMATS) == set(FORMATS) == set(ENDINGS)


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_a_folder_of_any_format_to_any_other(capsys, source, target):
    size = ("--diameter-px", 12, "--height", SHAPE[0])
    assert run("convert", write("in", source), "out", "--format", target, *size) == 0
    said = capsys.readouterr().out
    assert said.startswith("wrote ")
    assert str(Path("out")) in said
    found = read("out")
    assert list(found) == ["a", "b"]
    for picks in found.values():
        np.testing.assert_allclose(picks.yx, POSITIONS, atol=1e-4)
        np.testing.assert_allclose(picks.score, SCORES, atol=1e-5)


@pytest.mark.parametrize("target", FORMATS)
def test_one_file_by_its_ending_and_turned(target):
    source = Path(write("in", "csv", "a")) / "a.csv"
    out = f"out{ENDINGS[target]}"
    kind = ("--format", target) if target == "cryoppp" else ()  # the ending says csv
    assert run("convert", source, out, "--flip-y", "--height", 100, "--diameter-px", 12, *kind) == 0
    assert [path.name for path in Path().glob("out*")] == [out]
    (picks,) = (rows.picks for rows in read_coordinates(out, height=100))
    np.testing.assert_allclose(picks.yx, [99, 0] + POSITIONS * [-1, 1], atol=1e-4)


def test_turning_twice_is_nothing():
    source = Path(write("in", "csv", "a")) / "a.csv"
    for start, end in ((source, "once.csv"), ("once.csv", "twice.csv")):
        assert run("convert", start, end, "--flip-y", "--height", 100) == 0
    assert Path("twice.csv").read_bytes() == source.read_bytes()


def test_heights_and_names_from_the_micrographs():
    for name in "ab":
        write_mrc(Path(f"{name}.mrc"), np.random.default_rng(0).random(SHAPE))
    write("in", "csv")
    assert run("convert", "in", "out", "--format", "relion", "--flip-y", "--micrographs", "*.mrc") == 0
    rows = read_coordinates("out/autopick.star")
    assert [one.micrograph for one in rows] == ["a.mrc", "b.mrc"]
    np.testing.assert_allclose(rows[0].picks.yx, [99, 0] + POSITIONS * [-1, 1], atol=1e-4)


def test_the_format_of_the_source_can_be_said():
    Path("in").mkdir()
    write("in", "csv", "a")
    write("in", "box", "b")
    assert run("convert", "in", "out", "--format", "relion", "--source-format", "box") == 0
    assert list(read("out")) == ["b"]


def test_an_existing_folder_gets_files_named_after_micrographs():
    Path("out.star").mkdir()
    assert run("convert", Path(write("in", "csv", "a")) / "a.csv", "out.star", "--format", "relion") == 0
    assert (Path("out.star") / f"a{SUFFIX['relion']}").is_file()


def test_errors(capsys):
    write("in", "csv")

    def error(*words):
        return error_of(capsys, "convert", *words)

    assert "missing.csv" in error("missing.csv", "out.star")
    assert "--format" in error("in", "out")
    assert "room for one micrograph, not 2" in error("in", "out.box", "--diameter-px", 9)
    write("bare", "relion")  # which has no room for a size
    assert "a box needs a size" in error("bare", "out", "--format", "box")
    assert "a box needs a size" in error("bare", "out", "--format", "box", "--diameter-px", "nan")
    assert "--height" in error("in", "out", "--format", "relion", "--flip-y")
    assert "--micrographs" in error("in", "out", "--format", "relion", "--flip-x", "--height", 100)
    assert "--exposures" in error("in", "out.cs")
    for height in (0, -5):
        assert f"--height must be at least 1 px, not {height}" in error(
            "in", "out", "--format", "csv", "--flip-y", f"--height={height}"
        )
    assert "missing.mrc" in error("in", "out", "--format", "csv", "--micrographs", "missing.mrc")
    assert "in/a.csv" in error("in", "in/a.csv/out", "--format", "csv")
    assert not Path("out").exists()
    Path("words.csv").write_text("some words, and no numbers\n")
    assert "words.csv, line 1: no column x" in error("words.csv", "out.star")


def test_a_file_is_not_turned_into_half_a_file(capsys):
    write("in", "csv", "a")
    Path("in/a.csv").write_text("x,y\n1,2\n3,four\n")
    Path("out.star").write_text("old")
    assert "in/a.csv, line 3" in error_of(capsys, "convert", "in/a.csv", "out.star")
    assert Path("out.star").read_text() == "old"


def test_positions_are_checked_against_their_micrograph(capsys):
    micrograph, truth = sample(0)
    write_mrc(Path("a.mrc"), micrograph.image, micrograph.spacing)
    rows = CoordinateSet("a.mrc", truth, micrograph.shape, diameter=SAMPLE_DIAMETER / micrograph.spacing)
    write_coordinates([rows], Path("flipped"), "box", flip_y=True)
    assert run("convert", "flipped", "--check", "a.mrc") == 0
    said = capsys.readouterr().out
    assert "they fit mirrored top to bottom: convert with --flip-y" in said
    assert cv2.imread("flipped_check.png").shape == (24 + 2 * 180, 4 * 180 + 3 * 6, 3)
    # The same is noticed when the micrographs are given, and no more once it is put right.
    assert run("convert", "flipped/a.box", "out.star", "--micrographs", "a.mrc") == 0
    assert "note: positions of flipped/a.box fit the micrographs better mirrored" in capsys.readouterr().err
    assert run("convert", "flipped/a.box", "out.star", "--micrographs", "a.mrc", "--flip-y") == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_allclose(read_coordinates("out.star")[0].picks.yx, truth.yx, atol=1e-3)


def test_a_real_flipped_file_is_found_out(capsys, data):
    stem = "Falcon_2012_06_12-15_14_01_0"
    hand = data / "formats" / f"handpicked_{stem}.star"
    micrograph = data / "empiar-10017" / "micrographs" / f"{stem}.jpg"
    assert run("convert", hand, "--check", micrograph, "--diameter-px", 108) == 0
    assert "convert with --flip-y" in capsys.readouterr().out
    assert run("convert", hand, "--check", micrograph, "--diameter-px", 108, "--flip-y") == 0
    assert "no other way fits better" in capsys.readouterr().out


def test_positions_outside_their_micrograph_are_said(capsys):
    write_mrc(Path("a.mrc"), np.random.default_rng(0).random(SHAPE, np.float32))
    Path("a.csv").write_text("x,y\n10,20\n-50,20\n100000,5\n")
    assert run("convert", "a.csv", "out.star", "--micrographs", "a.mrc") == 0
    assert "note: 2 positions of a.csv lie outside their micrograph" in capsys.readouterr().err
