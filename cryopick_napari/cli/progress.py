"""Bars in the terminal, and Ctrl-C that keeps the best result."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Never, TypeVar

from tqdm import tqdm

from cryopick_napari.checkpoint import save_checkpoint
from cryopick_napari.history import Row, row_of, write_csv, write_plot

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker
    from cryopick_napari.training import Job, Progress

MODEL, CHECKPOINT, HISTORY, PLOT = "model.safetensors", "checkpoint.safetensors", "history.csv", "history.png"
FORMER = "model-before.safetensors"
Said = TypeVar("Said")
Answer = TypeVar("Answer")


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C, or SIGTERM, into a request to stop; the second one interrupts as usual.

    SIGTERM is what a batch system sends some time before it kills.
    """
    asked = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])
        print("\nstopping; the best result is kept (Ctrl-C again to give up)", file=sys.stderr)

    before = {int(number): signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_training(job: Job, folder: Path | None, before: Sequence[Row] = ()) -> tuple[Picker, bool]:
    """Run a training under a bar; keep its history, a checkpoint an epoch, and its model in a folder.

    Parameters
    ----------
    job : Job
    folder : Path or None
        None writes nothing: another process does.
    before : sequence of Row
        History of the training that is resumed.

    Returns
    -------
    picker : Picker
        The best, also written to ``model.safetensors``.
    stopped : bool
        Whether Ctrl-C ended it early; the checkpoint is kept then.
    """
    with stop_request() as asked, bar_of("preparing", "step") as bar:
        history = list(before)

        def keep(progress: Progress) -> None:
            show(bar, progress)
            if folder is not None and progress.checkpoint is not None:
                save_checkpoint(folder / CHECKPOINT, progress.checkpoint)
            if folder is not None and progress.validation is not None:
                history.append(row_of(progress))
                write_csv(folder / HISTORY, history)

        picker = completed(job, asked, keep)
    if folder is None:
        return picker, asked.is_set()
    write_plot(folder / PLOT, history)
    if not before and (folder / MODEL).is_file():  # of another training
        (folder / MODEL).replace(folder / FORMER)
        print(f"note: the model that was there before is now {folder / FORMER}", file=sys.stderr)
    picker.save(folder / MODEL)
    if not asked.is_set():
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return picker, asked.is_set()


def completed(
    job: Generator[Said, bool | None, Answer], asked: threading.Event, tell: Callable[[Said], None]
) -> Answer:
    """Run a generator to its end, telling it once a person wants it to stop; return what it comes to."""
    answer: bool | None = None
    while True:
        try:
            said = job.send(answer)
        except StopIteration as end:
            result: Answer = end.value
            return result
        tell(said)
        answer = asked.is_set() or None


def bar_of(name: str, unit: str, total: int | None = None) -> tqdm[Never]:
    """Make a progress bar; where the output is no terminal, there is none."""
    return tqdm(desc=name, unit=unit, total=total, dynamic_ncols=True, disable=None)


def show(bar: tqdm[Never], progress: Progress) -> None:
    """Bring a bar up to date; without one, say a line an epoch."""
    if progress.message:
        bar.write(progress.message, file=sys.stderr)
    figures = ""
    if progress.validation is not None:
        found = progress.validation
        figures = f"loss {progress.loss:.3f}"
        if not math.isnan(found.loss):
            figures += f", held-out loss {found.loss:.3f}, recall {found.recall:.2f}"
        figures += "" if math.isnan(found.f1) else f", F1 {found.f1:.2f}"
    if bar.disable:
        if figures:
            print(f"epoch {progress.epoch}/{progress.epochs}: {figures}", file=sys.stderr)
        return
    round_ = f", round {progress.round} of {progress.rounds}" if progress.round else ""
    bar.set_description_str(progress.phase + round_, refresh=False)
    if figures:
        bar.set_postfix_str(figures, refresh=False)
    if progress.steps:
        bar.total = progress.steps
    bar.n = progress.step
    bar.refresh()


def report(picker: Picker, path: Path) -> None:
    """Say how good the model is, and where it is."""
    found = picker.training["validation"]
    figures = f"recall {found['recall']:.3f}"
    if found["f1"] == found["f1"]:  # not nan: precision is unknown where only some particles are labelled
        figures = f"F1 {found['f1']:.3f}, precision {found['precision']:.3f}, {figures}"
    answer = picker.training.get("answer")
    by = f", by {answer}" if answer else ""
    measured = f"on held-out labels {figures}"
    if math.isnan(found["loss"]) and answer is None:
        measured = "too few labels to hold any out and say how good it is"
    print(f"{path}: {measured}; threshold {picker.config.threshold:.3f}{by}")
