"""``cryopick relion-job``."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE, EXIT_INTERRUPTED
from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.relion_job import JobFolder

PASSES_ON = True  # options that are unknown here are those of `cryopick pick` or `cryopick train`
LOOK = 1.0  # s, between looks whether somebody pressed Abort


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command, as RELION writes them."""
    parser.epilog = (
        "With --in_coords or --in_parts it learns from them (parameters: those of cryopick train) and then "
        "picks all micrographs; with --model, or by the general model with --diameter, it only picks "
        "(parameters: those of cryopick pick)."
    )
    parser.add_argument("--o", type=Path, required=True, metavar="DIR", help="the job's folder")
    parser.add_argument(
        "--in_mics", type=Path, required=True, metavar="STAR", help="the micrographs, as micrographs_ctf.star"
    )
    parser.add_argument(
        "--in_coords", type=Path, metavar="STAR", help="picks to learn from, as manualpick.star"
    )
    parser.add_argument("--in_parts", type=Path, metavar="STAR", help="or particles, as of a selection")
    parser.add_argument("--model", type=Path, metavar="FILE", help="the model.safetensors of a training")
    parser.add_argument("--train_only", action="store_true", help="do not pick after the training")
    parser.add_argument("--j", type=int, default=1, metavar="N", help="threads")
    parser.add_argument("--pipeline_control", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Do the job, and leave the marker that RELION waits for; return the exit code."""
    from cryopick_napari.relion_job import ABORTED, FAILURE, SUCCESS, JobFolder

    folder = JobFolder(options.o)
    folder.begin()
    try:
        with _abort_as_interrupt(folder):
            code = _job(options, folder)
    except KeyboardInterrupt:
        folder.end(ABORTED)
        raise
    except (
        BaseException
    ):  # also wrong usage of the inner command, and errors of ours: RELION would wait for ever
        folder.end(FAILURE)
        raise
    folder.end({EXIT_DONE: SUCCESS, EXIT_INTERRUPTED: ABORTED}.get(code, FAILURE))
    return code


def refused(words: list[str]) -> None:
    """Mark a job as failed whose command line is wrong: RELION would wait for it for ever."""
    from cryopick_napari.relion_job import FAILURE, JobFolder

    if "--o" in words[:-1]:
        folder = JobFolder(Path(words[words.index("--o") + 1]))
        folder.begin()
        folder.end(FAILURE)


def _job(options: argparse.Namespace, folder: JobFolder) -> int:
    import torch

    from cryopick_napari.micrograph_lists import about_micrographs
    from cryopick_napari.relion_job import relion_version

    if options.j < 1:
        raise CryopickError(f"--j is the number of threads, at least 1, not {options.j}")
    labels = options.in_coords or options.in_parts
    if labels is not None and options.model is not None:
        raise CryopickError("give --in_coords or --in_parts to learn from, or --model to pick with, not both")
    torch.set_num_threads(options.j)
    code, picking = EXIT_DONE, options.rest
    if labels is not None:
        learned = _inner(
            "train",
            "--micrographs",
            options.in_mics,
            "--coordinates",
            labels,
            "--output-dir",
            folder.path,
            rest=options.rest,
        )
        code, picking = int(learned.run(learned)), _shared(learned)
    if code == EXIT_DONE and not (labels is not None and options.train_only):
        model = options.model if labels is None else folder.path / "model.safetensors"
        by = () if model is None else ("--model", model)
        chosen = _inner("pick", options.in_mics, *by, "--output", folder.path, rest=picking)
        code = int(chosen.run(chosen))
        if code == EXIT_DONE:
            folder.write_particles(about_micrographs([options.in_mics]))
    if code == EXIT_DONE:
        folder.write_nodes(options.in_mics, relion_version(Path.cwd()))
    return code


def _inner(*words: object, rest: list[str]) -> argparse.Namespace:
    from cryopick_napari.cli import parsed
    from cryopick_napari.relion_job import as_options

    return parsed([*map(str, words), *as_options(rest)])


def _shared(learned: argparse.Namespace) -> list[str]:
    """Say again to the picking what it has to know as well as the training."""
    words = []
    for name in ("spacing", "device"):
        value = getattr(learned, name, None)
        words += [] if value is None else [f"--{name}", str(value)]
    return words


@contextmanager
def _abort_as_interrupt(folder: JobFolder) -> Iterator[None]:
    """Make RELION's Abort button, and the end of a queue's patience, what Ctrl-C is."""

    def look(_signal: int, _frame: FrameType | None) -> None:
        if folder.is_to_stop:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.raise_signal(signal.SIGINT)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, look), signal.signal(signal.SIGTERM, stop)
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGTERM, before[1])
