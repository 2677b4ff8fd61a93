from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from commands import DIAMETER, SHAPE, SPACING, error_of, full_disk, run, write_fields
from drawing import blob_detector, near

from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import FORMATS, SUFFIX, read_coordinates
from cryopick_napari.micrograph import read_micrograph, write_mrc

MODEL = ("--model", "model.safetensors")
CONFIG = PickerConfig(DIAMETER, SPACING, DIAMETER, 2, 2, filter_channel=False)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project folder with two micrographs, their true positions, and a model."""
    monkeypatch.chdir(write_fields(tmp_path / "project"))
    blob_detector(CONFIG).save("model.safetensors")
    return Path()


def pick(*words):
    return run("pick", "micrographs", *MODEL, "--output", "out", *words)


def truth(name):
    return read_coordinates(f"coordinates/{name}.csv")[0].picks.yx


def found(path):
    return read_coordinates(path, height=SHAPE[0])[0].picks.yx


def test_a_relion_job_that_relion_takes(capsys):
    assert pick() == 0
    assert capsys.readouterr().out == "40 picks on 2 micrographs in out\n"
    text = Path("out/autopick.star").read_text()
    assert "\ndata_coordinate_files\n" in text
    rows = [line.split() for line in text.splitlines() if ".mrc" in line]
    assert rows == [[f"micrographs/{name}.mrc", f"out/{name}_autopick.star"] for name in "ab"]
    for name in "ab":
        assert near(found(f"out/{name}_autopick.star"), truth(name)) < 1
    assert run("evaluate", "out", "coordinates", "--particle-radius", DIAMETER / 2) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[5] == "1.000"


def test_names_are_absolute_where_the_project_is_elsewhere(tmp_path, monkeypatch):
    project = Path.cwd()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    model = project / "model.safetensors"
    assert run("pick", project / "micrographs", "--model", model, "--output", "out") == 0
    assert f"{project}/micrographs/a.mrc out/a_autopick.star" in " ".join(
        Path("out/autopick.star").read_text().split()
    )


def test_a_second_run_does_what_is_left(capsys):
    assert pick() == pick() == 0
    assert capsys.readouterr().out.splitlines()[1] == "0 picks on 0 micrographs in out; 2 done before"
    write_fields(Path(), names="abc")
    assert pick() == 0
    assert "20 picks on 1 micrograph in out; 2 done before" in capsys.readouterr().out
    names = [rows.micrograph for rows in read_coordinates("out/autopick.star")]
    assert names == [f"micrographs/{name}.mrc" for name in "abc"]


def test_another_threshold_or_model_picks_again(capsys):
    pick()
    pick("--threshold", 1)
    blob_detector(PickerConfig(DIAMETER, SPACING, 8, 2, 2, filter_channel=False)).save("model.safetensors")
    pick()
    said = capsys.readouterr().out
    assert "done before" not in said
    assert said.splitlines()[1].startswith("0 picks on 2 micrographs")
    assert said.splitlines()[2].startswith("40 picks")


def test_micrographs_from_elsewhere_need_another_folder(capsys, tmp_path):
    pick()
    stranger = write_fields(tmp_path / "stranger") / "micrographs"
    said = error_of(capsys, "pick", stranger, *MODEL, "--output", "out")
    assert "out holds picks of micrographs below" in said
    assert "choose another --output" in said


def test_a_bad_micrograph_among_good_ones(capsys):
    Path("micrographs/aa.mrc").write_bytes(b"rubbish")
    assert pick() == 0
    said = capsys.readouterr()
    assert said.out == "40 picks on 2 micrographs in out; 1 could not be picked\n"
    (line,) = said.err.splitlines()
    assert line.startswith("skipped: micrographs/aa.mrc: ")
    assert "aa.mrc" not in Path("out/autopick.star").read_text()


def test_nothing_but_bad_micrographs(capsys):
    for name in "ab":
        Path(f"micrographs/{name}.mrc").write_bytes(b"rubbish")
    assert pick() == 1
    assert "2 could not be picked" in capsys.readouterr().out


def test_the_same_stem_in_two_folders():
    for day in ("mon", "tue"):
        write_fields(Path(day), names="a")
    assert run("pick", "mon/micrographs", "tue/micrographs", *MODEL, "--output", "out") == 0
    for day in ("mon", "tue"):
        assert len(found(f"out/{day}/micrographs/a_autopick.star")) == 20


def test_paths_are_files_folders_globs_and_lists(capsys):
    Path("list.txt").write_text("# two\nmicrographs/b.mrc\nmicrographs/a.mrc\n")
    for number, words in enumerate((["micrographs/a.mrc", "micrographs/b.mrc"], ["*/*.mrc"], ["@list.txt"])):
        assert run("pick", *words, *MODEL, "--output", f"out{number}") == 0
        assert capsys.readouterr().out.startswith("40 picks on 2 micrographs")


def test_a_list_cannot_lead_out_by_a_link(capsys, tmp_path):
    (tmp_path / "outside").mkdir()
    Path("out").mkdir()
    Path("out/b_autopick.star").symlink_to(tmp_path / "outside" / "b.star")
    Path("list.txt").write_text("micrographs/a.mrc\nmicrographs/b.mrc\n")
    assert "by a link out of out" in error_of(capsys, "pick", "@list.txt", *MODEL, "--output", "out")
    assert not any((tmp_path / "outside").iterdir())
    assert not Path("out/a_autopick.star").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(format):
    assert pick("--format", format, "--border", 0) == 0
    assert all(Path(f"out/{name}{SUFFIX[format]}").is_file() for name in "ab")
    assert near(found("out"), truth("a")) < 1


def test_flip_border_threshold_and_distance():
    def picks(number, *words):
        out = f"out{number}"
        assert run("pick", "micrographs/a.mrc", *MODEL, "--output", out, "--format", "csv", *words) == 0
        return found(f"{out}/a.csv")

    yx = truth("a")
    assert near(picks(0, "--flip-y"), [95, 0] + yx * [-1, 1]) < 1
    every = picks("")
    inner = every[(np.minimum(every + 0.5, [95.5, 117.5] - every) >= 20).all(axis=1)]
    np.testing.assert_array_equal(picks(1, "--border", 20), inner)
    assert 0 < len(inner) < 20
    assert len(picks(2, "--threshold", 1)) == 0
    assert 0 < len(picks(3, "--min-distance", 4)) < 10


def test_maps_and_pictures():
    assert pick("--save-maps", "--overlay") == 0
    assert {path.name for path in Path("out").iterdir()} == {
        *("autopick.star", "picking.jsonl"),
        *(f"{name}_{kind}" for name in "ab" for kind in ("autopick.star", "overlay.png")),
        *(f"{name}_{kind}.mrc" for name in "ab" for kind in ("probability", "att1", "att2")),
    }
    for kind, factor in (("probability", 1), ("att1", 1), ("att2", 2)):
        with mrcfile.open(f"out/a_{kind}.mrc") as file:
            assert file.data.shape == (96 // factor, 118 // factor)
            assert file.voxel_size.x == file.voxel_size.y == SPACING * factor
    picked = found("out/a_autopick.star")
    with mrcfile.open("out/a_probability.mrc") as file:
        rows, columns = np.rint(picked).astype(int).T
        assert file.data[rows, columns].min() > 0.5 > np.median(file.data)


def test_inverted_and_oddly_sized_files_are_picked_alike():
    image = read_micrograph("micrographs/a.mrc").image
    for folder in ("inverse", "odd"):
        Path(folder).mkdir()
    write_mrc(Path("inverse/a.mrc"), -image, SPACING)
    write_mrc(Path("odd/a.mrc"), image[:95, :117], SPACING)
    for folder in ("micrographs/a.mrc", "inverse", "odd"):
        assert run("pick", folder, *MODEL, "--output", f"out-{Path(folder).stem}", "--format", "csv") == 0
    np.testing.assert_array_equal(found("out-inverse/a.csv"), found("out-a/a.csv"))
    assert near(found("out-odd/a.csv"), found("out-a/a.csv")) < 0.5


def test_errors(capsys):
    def error(*words):
        return error_of(capsys, "pick", *words)

    out = ("--output", "out")
    assert "no micrographs in this folder" in error("coordinates", *MODEL, *out)
    assert "missing.mrc" in error("missing.mrc", *MODEL, *out)
    assert "missing does not exist: train" in error("micrographs", "--model", "missing", *out)
    foreign = error("micrographs", "--model", "micrographs/a.mrc", *out)
    assert "a.mrc is damaged or not a safetensors file" in foreign
    assert "folder" in error("micrographs", "--model", "micrographs", *out)
    assert "cannot make the folder model" in error("micrographs", *MODEL, "--output", "model.safetensors")
    assert "cannot make the folder" in error("micrographs", *MODEL, "--output", "model.safetensors/out")
    assert "--device" in error("micrographs", *MODEL, *out, "--device", "abacus")
    for words in ("threshold=1.5", "threshold=nan", "min-distance=inf", "border=-3"):
        name = words.partition("=")[0].replace("-", " ")
        assert f"the {name} must" in error("micrographs", *MODEL, *out, f"--{words}")
    assert not Path("out").exists()


@pytest.mark.parametrize("spacing", [0, -1, "nan", 3])
def test_a_pixel_size_that_cannot_be_is_said_of_each_micrograph(capsys, spacing):
    assert pick(f"--spacing={spacing}") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("a.mrc" in lines[0] and "--spacing" in line for line in lines)


def test_a_full_disk_leaves_no_half_files(capsys):
    with full_disk(1000):
        said = error_of(capsys, "pick", "micrographs", *MODEL, "--output", "out", "--format", "cbox")
    assert "cannot write out" in said
    assert {path.name for path in Path("out").iterdir()} <= {"picking.jsonl"}
    assert pick("--format", "cbox") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT there")
def test_ctrl_c_keeps_what_is_done():
    names = [f"m{number:02d}" for number in range(40)]
    write_fields(Path("many"), names)
    words = [sys.executable, "-m", "cryopick_napari", "pick", "many/micrographs", *MODEL, "--output", "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes, env=environment) as job:
        while not list(Path("out").glob("*_autopick.star")) and job.poll() is None:
            time.sleep(0.005)
        job.send_signal(signal.SIGINT)
        said, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "stopping" in errors
    assert "Traceback" not in errors
    done = len(list(Path("out").glob("m*_autopick.star")))
    assert 0 < done < 40
    assert said.strip().endswith(f"on {done} micrographs in out")
    assert len(read_coordinates("out/autopick.star")) == done


def test_a_pixel_size_that_is_only_assumed_is_said(capsys):
    assert pick() == 0
    assert "pixel size" not in capsys.readouterr().err
    write_fields(Path("bare"), spacing=None)
    words = ("pick", "bare/micrographs", *MODEL, "--output", "bare/out")
    assert run(*words) == 0
    said = capsys.readouterr().err
    assert "a.mrc does not say its pixel size: it is taken to be that of the training, 2 Å/px" in said
    assert run(*words, "--spacing", 2.0) == 0
    assert "pixel size" not in capsys.readouterr().err
