"""Two processes that train one network, over gloo on the CPU."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import DIAMETER, error_of, run, write_fields

from cryopick_napari import distribution, launching
from cryopick_napari.checkpoint import load_checkpoint
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.optimiser import Optimiser
from cryopick_napari.picker import Picker, make_network

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch without distribution")
WORDS = (
    *("train", "--micrographs", "micrographs", "--coordinates", "coordinates", "--particle-radius"),
    *(DIAMETER / 2, "--base-features", 2, "--depth", 1, "--epoch-crops", 32, "--patch-size", 32),
    *("--batch-size", 8, "--device", "cpu", "--labelled", "fully", "--precision", "float32"),
    *("--no-first-look", "--patience", 0),
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(write_fields(tmp_path, "ab"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def words(out, *more):
    return [str(word) for word in (*WORDS, "--output-dir", out, *more)]


def losses(out):
    with Path(out, "history.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_two_processes_learn_what_one_does_also_when_they_are_stopped_and_go_on(capfd):
    more = ("--initial-epochs", 12, "--learning-rate", 0.02)
    assert run(*words("one", *more)) == 0
    capfd.readouterr()

    command = [sys.executable, "-c", "import sys; from cryopick_napari.launching import launch"]
    command[-1] += "; sys.exit(launch(sys.argv[1:], 2))"
    with subprocess.Popen([*command, *words("two", *more)]) as job:
        while not Path("two/checkpoint.safetensors").exists() and job.poll() is None:
            time.sleep(0.02)
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == 130
    said = capfd.readouterr()
    assert said.out.count("model.safetensors: on held-out labels") == 1  # only one of them speaks
    assert said.err.count("stopping") == 1
    assert Picker.load("two/model.safetensors").config.threshold > 0
    assert 1 <= load_checkpoint(Path("two/checkpoint.safetensors"), "training").header["epoch"] < 12

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", "2"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", free_port(), "-m", "cryopick_napari"]
    here = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {**os.environ}
    subprocess.run([*torchrun, *words("two", *more, "--resume", "--multi-gpu")], check=True, env=here)
    assert capfd.readouterr().out.count("model.safetensors: on held-out labels") == 1

    one, two = losses("one"), losses("two")
    # Not the same: each normalises its own half of a batch.
    np.testing.assert_allclose(two, one, rtol=0.15)
    assert two[-1] < 0.7 * two[0]
    assert {file.name for file in Path("two").iterdir()} == {
        *("history.csv", "history.png", "model.safetensors"),
    }


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_a_batch_has_a_crop_for_each_process(monkeypatch):
    monkeypatch.setattr(distribution, "size", lambda: 9)
    with pytest.raises(CryopickError, match="one crop a process: raise --batch-size"):
        Optimiser(make_network(PickerConfig(9)), TrainingConfig(batch_size=8))


def test_when_one_process_fails_the_others_do_not_wait(monkeypatch):
    monkeypatch.setattr(launching, "GRACE", 0.1)
    code = "import os, time; os.environ['RANK'] == '1' and exit(3); time.sleep(60)"
    command = [sys.executable, "-c", code]
    team = [subprocess.Popen(command, env={**os.environ, "RANK": str(rank)}) for rank in range(2)]
    assert launching.awaited(team) == 3
    assert all(process.poll() is not None for process in team)


def test_without_several_cards_one_process_trains(capsys):
    if torch.cuda.device_count() < 2:
        assert run(*words("out", "--initial-epochs", 1, "--multi-gpu")) == 0
        assert "CUDA cards here: training in one process" in capsys.readouterr().err


def test_several_processes_on_one_card_are_refused(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    said = error_of(capsys, *words("out")[:-2], "--output-dir", "out", "--device", "cuda:0")
    assert "leave out --device cuda:0" in said
