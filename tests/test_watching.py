from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from commands import DIAMETER, SPACING, error_of, run, write_fields
from drawing import blob_detector

from cryopick_napari import indexing, watching
from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.watching import Watched, arrivals

MODEL = ("--model", "model.safetensors")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watching, "POLL", 0.03)
    monkeypatch.setattr(indexing, "INTERVAL", 0.05)


@pytest.fixture
def looks(tmp_path):
    """Look for what has arrived, once each time it is called."""
    job = arrivals(Watched.of(str(tmp_path)), threading.Event())
    return lambda: [path.name for path in next(job)]


def test_a_file_arrives_when_it_has_stopped_growing(tmp_path, looks):
    file = tmp_path / "a.mrc"
    assert looks() == []
    for size in (0, 10, 20):
        file.write_bytes(b"x" * size)
        assert looks() == []
    assert looks() == ["a.mrc"]
    assert looks() == []


def test_an_empty_file_never_arrives(tmp_path, looks):
    (tmp_path / "a.mrc").touch()
    assert [looks() for _ in range(3)] == [[]] * 3


def test_only_micrographs_arrive_and_the_oldest_first(tmp_path, looks):
    for name in ("b.mrc", "a.tif", ".hidden.mrc", "notes.txt", "c.mrc.part"):
        (tmp_path / name).write_bytes(b"x")
        time.sleep(0.01)
    looks()
    assert looks() == ["b.mrc", "a.tif"]


def test_a_copy_that_goes_on_after_a_pause_arrives_again(tmp_path, looks):
    (tmp_path / "a.mrc").write_bytes(b"x")
    looks()
    assert looks() == ["a.mrc"]
    (tmp_path / "a.mrc").write_bytes(b"xx")
    assert [looks() for _ in range(3)] == [[], ["a.mrc"], []]


def test_a_pattern_looks_into_folders(tmp_path):
    for folder in ("mon/data", "tue/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.mrc").write_bytes(b"x")
    watched = Watched.of(f"{tmp_path}/*/data/*.mrc")
    assert watched.folder == tmp_path
    job = arrivals(watched, threading.Event(), quiet_time=0.0)
    assert len({path for group in job for path in group}) == 2


@pytest.mark.parametrize("word", ["missing", "missing/*.mrc"])
def test_the_folder_must_be_there(tmp_path, word):
    with pytest.raises(CryopickError, match="missing is no folder"):
        Watched.of(str(tmp_path / word))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A session that has not begun, micrographs that will arrive in it, and a model."""
    monkeypatch.chdir(write_fields(tmp_path / "project", "abcdef"))
    blob_detector(PickerConfig(DIAMETER, SPACING, DIAMETER, 2, 2, filter_channel=False)).save(MODEL[1])
    Path("session").mkdir()


def arriving(seconds=0.2):
    """Let micrographs arrive one after the other, each in two pieces."""
    for file in sorted(Path("micrographs").iterdir()):
        content = file.read_bytes()
        with (Path("session") / file.name).open("wb") as copy:
            copy.write(content[:2000])
            copy.flush()
            time.sleep(seconds / 20)
            copy.write(content[2000:])
        time.sleep(seconds)


def reading(stop, seen):
    """Read the index again and again; it must be whole each time, and name only what is there."""
    while not stop.is_set():
        if Path("out/autopick.star").exists():
            seen.append(len(read_coordinates("out/autopick.star")))
        time.sleep(0.01)


def test_micrographs_are_picked_as_they_arrive(project, capsys):
    stop, seen = threading.Event(), []
    threads = [threading.Thread(target=arriving), threading.Thread(target=reading, args=(stop, seen))]
    for thread in threads:
        thread.start()
    assert run("pick", "--watch", "session", *MODEL, "--output", "out", "--quiet-time", 1 / 60) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().out.startswith("120 picks on 6 micrographs in out")
    assert len(read_coordinates("out/autopick.star")) == 6
    assert seen == sorted(seen)
    assert len(set(seen)) > 2  # it grew while the others were still on their way


def test_a_session_that_goes_on_picks_what_is_new(project, capsys):
    arriving(0)
    words = ("pick", "--watch", "session", *MODEL, "--output", "out", "--quiet-time", 0.003)
    run(*words)
    (Path("session") / "f.mrc").unlink()
    write_fields(Path(), "g")
    Path("micrographs/g.mrc").rename("session/g.mrc")
    run(*words)
    assert capsys.readouterr().out.splitlines()[1] == "20 picks on 1 micrograph in out; 5 done before"
    assert len(read_coordinates("out/autopick.star")) == 7


def test_a_file_that_was_picked_too_early_is_picked_again(project, capsys):
    Path("session/a.mrc").write_bytes(Path("micrographs/a.mrc").read_bytes()[:2000])
    late = threading.Timer(0.4, arriving, [0])
    late.start()
    run("pick", "--watch", "session", *MODEL, "--output", "out", "--quiet-time", 1 / 60)
    late.join()
    said = capsys.readouterr()
    assert said.out == "120 picks on 6 micrographs in out; 1 could not be picked\n"
    assert "a.mrc: " in said.err


def test_what_does_not_go_together_is_said(project, capsys):
    model = (*MODEL, "--output", "out")
    assert "give their paths, or --watch" in error_of(capsys, "pick", *model)
    assert "or --watch" in error_of(capsys, "pick", "micrographs", "--watch", "session", *model)
    assert "--quiet-time ends --watch" in error_of(capsys, "pick", "micrographs", "--quiet-time", 1, *model)
    assert "above 0" in error_of(capsys, "pick", "--watch", "session", "--quiet-time", 0, *model)
    assert "--shard is" in error_of(capsys, "pick", "--watch", "session", "--shard", "1/2", *model)
    assert "for --scheduler" in error_of(capsys, "pick", "micrographs", "--tls-ca", "ca.pem", *model)
