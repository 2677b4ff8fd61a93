"""``cryopick demo``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE, EXIT_INTERRUPTED

QUICK_EPOCHS = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="DIR", help="default demo-output"
    )
    parser.add_argument(
        "--quick", action="store_true", help="train for seconds only, to see that everything works"
    )


def run(options: argparse.Namespace) -> int:
    """Label, train, pick and report; return the exit code."""
    from cryopick_napari.cli.progress import run_training
    from cryopick_napari.config import training_config
    from cryopick_napari.demo import clicked_samples, pick_samples, write_report
    from cryopick_napari.evaluation import as_table
    from cryopick_napari.examples import new_picker
    from cryopick_napari.files import make_folder
    from cryopick_napari.simulate import SAMPLE_DIAMETER
    from cryopick_napari.training import train

    make_folder(options.output)
    examples = clicked_samples()
    clicks = sum(len(example.labels.positives) for example in examples)
    print(f"{clicks} clicks on {len(examples)} sample micrographs; training on them")
    own = {"initial_epochs": QUICK_EPOCHS} if options.quick else {}
    config = training_config("small", only_clicks=True, own=own)
    start = time.perf_counter()
    job = train(new_picker(examples, SAMPLE_DIAMETER), examples, config)
    picker, stopped = run_training(job, options.output)
    seconds = time.perf_counter() - start
    rows = pick_samples(picker, options.output)
    report = write_report(options.output, picker, rows, seconds)
    print(as_table(rows))
    print(f"pictures and figures: {report}")
    return EXIT_INTERRUPTED if stopped else EXIT_DONE
