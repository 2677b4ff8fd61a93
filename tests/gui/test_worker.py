"""Every end of a job is heard of, once, on the window's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, Work, once, wait_for_jobs


class Heard:
    """What a job said, and on which thread."""

    def __init__(self, job: Job) -> None:
        self.said: list[tuple[str, object]] = []
        self.threads: set[threading.Thread] = set()
        for name in ("yielded", "returned", "failed"):
            getattr(job, name).connect(lambda value, name=name: self.take(name, value))
        job.finished.connect(lambda: self.take("finished", None))

    def take(self, name: str, value: object) -> None:
        self.said.append((name, value))
        self.threads.add(threading.current_thread())

    def names(self) -> list[str]:
        return [name for name, _ in self.said]


def counting(steps: int) -> Work:
    for step in range(steps):
        if (yield step):
            return "enough"
    return "all"


def heard(qtbot, make: Callable[[], Work]) -> Heard:
    """Run a job to its end, and a little longer."""
    job = Job(make, "test")
    told = Heard(job)
    job.start()
    qtbot.waitUntil(lambda: not job.is_running, timeout=5000)
    qtbot.wait(30)
    assert not job._thread.is_alive()
    assert told.threads == {threading.main_thread()}
    assert told.names().count("finished") == 1
    assert told.names()[-1] == "finished"
    return told


def test_a_job_yields_and_returns(qtbot):
    told = heard(qtbot, lambda: counting(3))
    assert told.said == [*(("yielded", step) for step in range(3)), ("returned", "all"), ("finished", None)]


def test_a_function_is_a_job(qtbot):
    threads = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 7

    assert heard(qtbot, once(work)).said == [("returned", 7), ("finished", None)]
    assert threads != [threading.main_thread()]


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CryopickError("say this"), "^say this$"),
        (RuntimeError("shapes cannot be multiplied\nat a::b"), "unexpected.*RuntimeError.*multiplied"),
        (RuntimeError("CUDA out of memory. Tried"), "not enough memory"),
        (MemoryError(), "not enough memory"),
        (FileNotFoundError(2, "No such file", "/a/b.mrc"), r"/a/b\.mrc is gone"),
        (OSError(28, "No space left on device", "/a/b.mrc"), r"/a/b\.mrc: No space left"),
        (OSError("broken"), "broken"),
        (StopIteration(), "unexpected"),
        (KeyError("x"), "KeyError"),
    ],
)
def test_what_goes_wrong_is_said_in_words(qtbot, error, words, steps):
    def work() -> Work:
        yield from range(steps)
        raise error

    told = heard(qtbot, work)
    assert told.names() == ["yielded"] * steps + ["failed", "finished"]
    said = told.said[-2][1]
    assert isinstance(said, CryopickError)
    with pytest.raises(CryopickError, match=words):
        raise said


def test_a_job_that_cannot_begin_fails(qtbot):
    def make() -> Work:
        raise RuntimeError("no")

    assert heard(qtbot, make).names() == ["failed", "finished"]


def test_even_an_exit_within_is_an_end(qtbot):
    def leave() -> None:
        raise SystemExit(1)

    assert heard(qtbot, once(leave)).names() == ["failed", "finished"]


def test_stop_gives_the_best_so_far(qtbot):
    def work() -> Work:
        step = 0
        while not (yield step):
            step += 1
            time.sleep(0.001)
        return f"after {step}"

    job = Job(work, "test")
    told = Heard(job)
    job.yielded.connect(lambda step: job.stop() if step == 3 else None)
    job.start()
    qtbot.waitUntil(lambda: not job.is_running)
    assert told.names()[-2:] == ["returned", "finished"]
    assert str(told.said[-2][1]).startswith("after ")
    assert job.was_stopped


def test_an_abandoned_job_is_closed_and_not_heard_of(qtbot):
    ended = threading.Event()

    def work() -> Work:
        try:
            while True:
                yield 1
                time.sleep(0.001)
        finally:
            ended.set()

    job = Job(work, "test")
    told = Heard(job)
    job.start()
    time.sleep(0.05)  # its words wait for the window's thread
    job.abandon()
    qtbot.waitUntil(lambda: not job.is_running)
    assert ended.is_set()
    assert told.names() == ["finished"]
    assert not job._thread.is_alive()


def test_a_result_that_comes_too_late_is_dropped(qtbot):
    job = Job(once(lambda: 1), "test")
    told = Heard(job)
    job.start()
    job._thread.join()
    job.abandon()
    qtbot.waitUntil(lambda: not job.is_running)
    assert told.names() == ["finished"]


def test_waiting_drops_all_jobs_or_those_dropped_before(qtbot):
    going = threading.Event()

    def work() -> Work:
        while not going.is_set():
            time.sleep(0.001)
            yield

    kept, dropped = Job(work, "kept").start(), Job(work, "dropped").start()
    dropped.abandon()
    assert wait_for_jobs(5, everything=False)
    assert not dropped._thread.is_alive()
    assert kept._thread.is_alive()
    assert wait_for_jobs(5)
    assert not kept._thread.is_alive()
    assert not Job.running


def test_waiting_does_not_hang(qtbot):
    go = threading.Event()
    job = Job(once(go.wait), "slow").start()
    start = time.monotonic()
    assert not wait_for_jobs(0.1)
    assert time.monotonic() - start < 2
    go.set()
    qtbot.waitUntil(lambda: not job.is_running)


def test_a_job_need_not_be_kept(qtbot):
    got: list[object] = []
    Job(lambda: counting(1), "test").start().returned.connect(got.append)
    qtbot.waitUntil(lambda: got == ["all"])
    qtbot.waitUntil(lambda: not Job.running)
