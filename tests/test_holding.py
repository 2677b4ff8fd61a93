"""One writer a project."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from cryopick_napari import holding
from cryopick_napari.holding import FILE, FRESH, HeldError, hold

HOLDER = """
import sys, time
from pathlib import Path
from cryopick_napari.holding import hold
held = hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def as_another_host(path, **changes):
    content = json.loads(path.read_text()) | {"host": "elsewhere"} | changes
    path.write_text(json.dumps(content))


def test_only_one_has_it_until_it_is_released(tmp_path):
    first = hold(tmp_path)
    assert first is not None
    with pytest.raises(HeldError, match=f"in use .on {socket.gethostname()}, since .*close it there"):
        hold(tmp_path)
    first.release()
    assert not any(tmp_path.iterdir())
    second = hold(tmp_path)
    assert second is not None
    second.release()


def test_another_process_has_it_until_it_is_killed(tmp_path, other):
    with pytest.raises(HeldError) as error:
        hold(tmp_path)
    assert error.value.holder.process == other.pid
    other.kill()
    other.wait()
    held = hold(tmp_path)
    assert held is not None
    held.release()
    assert not any(tmp_path.iterdir())


def test_another_computer_has_it_as_long_as_it_shows_life(tmp_path, other):
    as_another_host(tmp_path / FILE)
    with pytest.raises(HeldError, match="on elsewhere"):
        hold(tmp_path)
    silent = time.time() - FRESH - 1
    os.utime(tmp_path / FILE, (silent, silent))
    held = hold(tmp_path)
    assert held is not None
    held.release()


def test_a_holder_shows_life_and_hears_that_it_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(holding, "BEAT", 0.05)
    lost = threading.Event()
    held = hold(tmp_path, lost.set)
    assert held is not None
    os.utime(tmp_path / FILE, (0, 0))
    deadline = time.monotonic() + 10
    while (tmp_path / FILE).stat().st_mtime == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    as_another_host(tmp_path / FILE, token="another")
    assert lost.wait(10)
    held.release()
    assert json.loads((tmp_path / FILE).read_text())["token"] == "another"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"token": 1, "host": "x", "process": "a", "since": 0}'])
def test_what_is_damaged_holds_nothing(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    held = hold(tmp_path)
    assert held is not None
    held.release()


def test_of_many_at_once_one_gets_it(tmp_path):
    """Also where a dead one's file has to be taken away first."""
    dead = {"token": "dead", "host": "elsewhere", "process": 1, "since": 0.0}
    (tmp_path / FILE).write_text(json.dumps(dead))
    os.utime(tmp_path / FILE, (0, 0))
    got, start = [], threading.Barrier(8)

    def take():
        start.wait()
        try:
            got.append(hold(tmp_path))
        except HeldError:
            got.append(None)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [one for one in got if one is not None]
    assert len(winners) == 1
    winners[0].release()
    assert not any(tmp_path.iterdir())


def test_a_file_system_that_was_away_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(holding, "BEAT", 0.05)
    project = tmp_path / "project"
    project.mkdir()
    lost = threading.Event()
    held = hold(project, lost.set)
    project.rename(tmp_path / "away")
    time.sleep(0.3)
    (tmp_path / "away").rename(project)
    time.sleep(0.3)
    assert not lost.is_set()
    (project / holding.FILE).unlink()  # by a person who tidies up
    end = time.monotonic() + 10
    while not (project / holding.FILE).exists() and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(HeldError):
        hold(project)
    assert not lost.is_set()
    held.release()
    assert not list(project.iterdir())


def test_a_file_that_cannot_be_read_for_a_moment_gives_nothing_away(tmp_path, other, monkeypatch):
    read, asked = holding._read, []

    def busy(path):
        asked.append(path)
        return None if len(asked) == 1 else read(path)

    monkeypatch.setattr(holding, "_read", busy)
    with pytest.raises(HeldError):
        hold(tmp_path)
    assert len(asked) == 2
