"""Bars in the terminal, and Ctrl-C that keeps the best result."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Never

from tqdm import tqdm

from cryopick_napari.checkpoint import save_checkpoint
from cryopick_napari.history import Row, write_csv, write_plot

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker
    from cryopick_napari.training import Job, Progress

MODEL, CHECKPOINT, HISTORY, PLOT = "model.safetensors", "checkpoint.safetensors", "history.csv", "history.png"


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a request to stop; the second one interrupts as usual."""
    asked = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        print("\nstopping; the best result is kept (Ctrl-C again to give up)", file=sys.stderr)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def run_training(job: Job, folder: Path) -> tuple[Picker, bool]:
    """Run a training under a bar; keep its history, a checkpoint an epoch, and its model in a folder.

    Returns
    -------
    picker : Picker
        The best, also written to ``model.safetensors``.
    stopped : bool
        Whether Ctrl-C ended it early; the checkpoint is kept then.
    """
    with stop_request() as asked, tqdm(desc="preparing", unit="step", dynamic_ncols=True) as bar:
        answer: bool | None = None
        history: list[Row] = []
        while True:
            try:
                progress = job.send(answer)
            except StopIteration as end:
                picker: Picker = end.value
                break
            _show(bar, progress)
            if progress.checkpoint is not None:
                save_checkpoint(folder / CHECKPOINT, progress.checkpoint)
                history = progress.checkpoint.header["history"]
                write_csv(folder / HISTORY, history)
            answer = asked.is_set() or None
    write_plot(folder / PLOT, history)
    picker.save(folder / MODEL)
    if not asked.is_set():
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return picker, asked.is_set()


def _show(bar: tqdm[Never], progress: Progress) -> None:
    """Bring a bar up to date."""
    bar.set_description_str(progress.phase, refresh=False)
    if progress.steps:
        bar.total = progress.steps
    bar.n = progress.step
    if progress.message:
        bar.write(progress.message, file=sys.stderr)
    if progress.validation is not None:
        found = progress.validation
        bar.set_postfix(
            epoch=f"{progress.epoch}/{progress.epochs}",
            loss=f"{progress.loss:.3f}",
            held_out=f"{found.loss:.3f}",
            recall=f"{found.recall:.2f}",
            F1=f"{found.f1:.2f}",
        )
    bar.refresh()
