"""A real scheduler with real workers, each a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import DIAMETER, SPACING, error_of, run, write_fields
from drawing import blob_detector

from cryopick_napari import cluster
from cryopick_napari.batch import PickSettings
from cryopick_napari.cluster import caution
from cryopick_napari.config import PickerConfig
from cryopick_napari.coordinates import FORMATS, CoordinateSet, read_coordinates
from cryopick_napari.coordinates.writing import write_file
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.tally import Tally

pytest.importorskip("distributed")
NAMES = [f"m{number:02d}" for number in range(16)]
MODEL = ("--model", "model.safetensors")


@pytest.fixture(scope="module")
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """A scheduler, then two workers, listening on this host only."""
    here = ("--host", "127.0.0.1", "--no-dashboard")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

    def started(kind: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, *here]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)

    scheduler = started("scheduler", "--port", "0")
    assert scheduler.stderr is not None
    line = next(line for line in scheduler.stderr if "Scheduler at:" in line)
    found = re.search(r"tcp://\S+", line)
    assert found
    address = found[0]
    workers = [started("worker", address, "--no-nanny", "--nthreads", "1") for _ in range(2)]
    scheduler.args = address
    yield [scheduler, *workers]
    for process in (*workers, scheduler):
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(write_fields(tmp_path, NAMES))
    blob_detector(PickerConfig(DIAMETER, SPACING, DIAMETER, 2, 2, filter_channel=False)).save(MODEL[1])


def on_cluster(scheduler, *words, out="out"):
    paths = ("micrographs", *MODEL, "--output", out)
    return run("pick", *paths, "--scheduler", scheduler.args, *words)


def contents(out):
    return {file.name: file.read_bytes() for file in Path(out).glob("*.star") if file.name != "autopick.star"}


def test_the_workers_pick_what_one_process_picks(processes, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "CHUNK", 2)
    Path("micrographs/m07.mrc").write_bytes(b"rubbish")
    assert on_cluster(processes[0], "--overlay") == 0
    said = capsys.readouterr()
    assert said.out == "300 picks on 15 micrographs in out; 1 could not be picked\n"
    assert "micrographs/m07.mrc: is not an MRC" in said.err
    assert "warning" not in said.err
    assert run("pick", "micrographs", *MODEL, "--output", "alone") == 0
    assert contents("out") == contents("alone")
    assert len(list(Path("out").glob("*_overlay.png"))) == 15
    assert len(read_coordinates("out/autopick.star")) == 15
    capsys.readouterr()
    assert on_cluster(processes[0]) == 0
    assert (
        capsys.readouterr().out == "0 picks on 0 micrographs in out; 15 done before; 1 could not be picked\n"
    )


def test_no_full_disk_is_passed_over(processes, capsys):
    Path("out").mkdir()
    Path("out/m03_autopick.star").mkdir()  # cannot be written
    with_folder = (*MODEL, "--output", "out", "--scheduler", processes[0].args)
    assert "cannot write" in error_of_cluster(capsys, "pick", "micrographs", *with_folder)


def error_of_cluster(capsys, *words):
    assert run(*words) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_a_changed_model_is_noticed_by_the_workers(processes, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "absolute", lambda path: path.parent.absolute() / "other.safetensors")
    blob_detector(PickerConfig(DIAMETER, SPACING, 8, 2, 2, filter_channel=False)).save("other.safetensors")
    words = ("pick", "micrographs", *MODEL, "--output", "out", "--scheduler", processes[0].args)
    assert "other.safetensors is another model" in error_of_cluster(capsys, *words)


def test_what_a_lost_worker_had_begun_is_done_by_another(processes, capsys, monkeypatch):
    scheduler, lost, _ = processes
    monkeypatch.setattr(cluster, "CHUNK", 2)
    seen = {}
    add = Tally.add

    def counted(tally, picked):
        add(tally, picked)
        if not seen:
            lost.kill()
            seen.update({file: file.stat().st_mtime_ns for file in Path("out").glob("m*_autopick.star")})

    monkeypatch.setattr(Tally, "add", counted)
    assert on_cluster(scheduler) == 0
    assert lost.wait(10) == -signal.SIGKILL
    assert 0 < len(seen) < len(NAMES)
    assert capsys.readouterr().out == "320 picks on 16 micrographs in out\n"
    assert all(file.stat().st_mtime_ns == when for file, when in seen.items())  # nothing was done twice
    assert len(read_coordinates("out/autopick.star")) == len(NAMES)


def test_nobody_answers(capsys, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    words = ("pick", "micrographs", *MODEL, "--output", "out", "--scheduler", address)
    assert f"no Dask scheduler answers at {address}" in error_of(capsys, *words)
    assert "needs certificates: give --tls-ca" in error_of(capsys, *words[:-1], "tls://127.0.0.1:9")


@pytest.mark.parametrize(
    ("address", "is_unsafe"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tls://node7:8786", False),
        ("tcp://node7:8786", True),
        ("10.0.0.7:8786", True),
        ("tcp://0.0.0.0:8786", True),
    ],
)
def test_an_open_connection_to_another_host_is_warned_of(address, is_unsafe):
    assert ("anyone on its network" in caution(address)) == is_unsafe


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"cryoppp"}))
def test_a_micrograph_without_picks_that_a_lost_worker_has_done_is_only_read(tmp_path, format):
    out = cluster.Output(Picker.load(MODEL[1]), tmp_path / "out", PickSettings(format), Path.cwd())
    task = out.task(Path("micrographs", f"{NAMES[0]}.mrc").absolute())
    assert cluster._known(task) is None
    write_file([CoordinateSet(task.name, Picks.of([]), (96, 90), 2.0, 9.0)], task.file, format)
    picked = cluster._known(task)
    assert picked is not None
    assert len(picked.picks) == 0
