"""Many micrographs, several processes, and a process that is killed."""

from __future__ import annotations

import gc
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commands import DIAMETER, SPACING, error_of, run, write_fields
from drawing import blob_detector, drawn_micrograph, gaussians

from cryopick_napari import indexing
from cryopick_napari.batch import PickSettings
from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.journal import Shard
from cryopick_napari.micrograph import find_micrographs, write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.runs import pick_files

MODEL = ("--model", "model.safetensors")
CONFIG = PickerConfig(DIAMETER, SPACING, DIAMETER, 1, 1, gate="none", filter_channel=False, averaging=False)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blob_detector(CONFIG).save(MODEL[1])


def first_look():
    """Make the quickest picker there is: a matched filter."""
    picker = Picker.new(PickerConfig(DIAMETER, SPACING, DIAMETER, depth=0, averaging=False))
    side = len(picker.network.kernel)
    picker.network.kernel[:] = torch.from_numpy(gaussians((side, side), [(side // 2, side // 2)], 2.2))
    return picker


def picked(shard=None, out="out", picker=None):
    paths = find_micrographs(["micrographs"])
    picker = picker or Picker.load(MODEL[1])
    return pick_files(picker, paths, Path(out), PickSettings(), shard=shard)


def states(*arguments, **options):
    return [each.state for each in picked(*arguments, **options)]


def indexed(out="out"):
    return [rows.micrograph for rows in read_coordinates(f"{out}/autopick.star")]


def test_shards_together_are_one_run():
    write_fields(Path(), "abcdefg")
    states(out="whole")
    jobs = [picked(Shard(number, 3)) for number in (1, 2, 3)]
    for _ in range(2):  # all at the same time
        assert [next(job).state for job in jobs] == ["picked"] * 3
    for job, left in zip(jobs, (["picked"], [], []), strict=True):
        assert not Path("out/autopick.star").exists()
        assert [each.state for each in job] == left
    assert Path("out/autopick.star").read_text() == Path("whole/autopick.star").read_text().replace(
        "whole/", "out/"
    )
    for file in Path("whole").glob("*_autopick.star"):
        assert (Path("out") / file.name).read_bytes() == file.read_bytes()


def test_a_shard_that_was_stopped_goes_on_and_the_others_stay():
    write_fields(Path(), "abcdef")
    assert states(Shard(2, 2)) == ["picked"] * 3
    job = picked(Shard(1, 2))
    next(job)
    job.close()
    assert not Path("out/autopick.star").exists()
    assert states(Shard(2, 2)) == ["skipped"] * 3
    assert states(Shard(1, 2)) == ["skipped", "picked", "picked"]
    assert len(indexed()) == 6


def test_without_shards_the_same_command_joins_them(capsys):
    write_fields(Path(), "abcd")
    words = ("pick", "micrographs", *MODEL, "--output", "out")
    assert run(*words, "--shard", "1/3") == run(*words, "--shard", "3/3") == 0
    assert not Path("out/autopick.star").exists()
    assert run(*words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "20 picks on 1 micrograph in out; 3 done before"
    assert indexed() == [f"micrographs/{name}.mrc" for name in "abcd"]


def test_more_shards_than_micrographs_end_well():
    write_fields(Path(), "a")
    for number in (1, 2, 3):
        states(Shard(number, 3))
    assert len(indexed()) == 1


def test_shards_of_another_model_replace_what_was_there():
    write_fields(Path(), "abcd")
    states()
    other = blob_detector(PickerConfig(DIAMETER, SPACING, 8, 1, 1, gate="none", filter_channel=False))
    assert states(Shard(1, 2), picker=other) == ["picked"] * 2
    assert indexed() == ["micrographs/b.mrc", "micrographs/d.mrc"]  # never names what is not there
    assert states(Shard(2, 2), picker=other) == ["picked"] * 2
    assert states(picker=other) == ["skipped"] * 4
    assert states() == ["picked"] * 4


def test_shards_replace_no_labels():
    write_fields(Path(), "ab")
    for number in (1, 2):
        job = pick_files(
            Picker.load(MODEL[1]),
            find_micrographs(["micrographs"]),
            Path("coordinates"),
            PickSettings("csv"),
            shard=Shard(number, 2),
        )
        with pytest.raises(CryopickError, match=r"csv is there and is not from here"):
            next(job)


@pytest.mark.parametrize("word", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/2/3"])
def test_what_is_no_shard_is_said(capsys, word):
    write_fields(Path(), "a")
    assert "shard" in error_of(capsys, "pick", "micrographs", *MODEL, "--output", "out", f"--shard={word}")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_hundreds_of_micrographs_survive_a_kill(monkeypatch):
    count = 600
    first_look().save(MODEL[1])
    Path("micrographs").mkdir()
    write_mrc("one.mrc", drawn_micrograph([(10, 9), (20, 22)], (32, 32)).image, SPACING)
    for number in range(count):
        shutil.copyfile("one.mrc", f"micrographs/m{number:04d}.mrc")
    words = [sys.executable, "-m", "cryopick_napari", "pick", "micrographs", *MODEL, "--output", "out"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as job:
        while len(list(Path("out").glob("m*.star"))) < 100 and job.poll() is None:
            time.sleep(0.05)
        job.send_signal(signal.SIGKILL)
    before = {file.name: file.stat().st_mtime_ns for file in Path("out").glob("m*.star")}
    assert 100 <= len(before) < count
    with Path("out/picking.jsonl").open("a") as record:
        record.write('["micrographs/m00')  # a line that it was writing

    def picks_in_memory() -> int:
        return sum(type(thing) is Picks for thing in gc.get_objects())

    written, alive, found = [], [], []
    of_others = picks_in_memory()
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "INTERVAL", 0.2)
        patch.setattr(indexing, "save_index", lambda *_: written.append(1))
        for each in picked():
            found.append(each.state)
            del each
            if len(found) % 250 == 0:
                alive.append(picks_in_memory() - of_others)
    assert found.count("skipped") == len(before)
    assert found.count("picked") == count - len(before)
    assert all((Path("out") / name).stat().st_mtime_ns == when for name, when in before.items())
    assert max(alive) <= 2
    assert 0 < len(written) < 100  # not once a micrograph

    start = time.perf_counter()
    assert set(states()) == {"skipped"}
    assert time.perf_counter() - start < 3
    assert indexed() == [f"micrographs/m{number:04d}.mrc" for number in range(count)]
