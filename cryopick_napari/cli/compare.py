"""``cryopick compare``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Never

from cryopick_napari.cli import EXIT_DONE, EXIT_INTERRUPTED
from cryopick_napari.cli.options import add_size, particle_size
from cryopick_napari.config import PRESETS, TrainingConfig
from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from tqdm import tqdm

    from cryopick_napari.baselines.comparison import Step
    from cryopick_napari.baselines.scoring import Outcome
    from cryopick_napari.config import ParticleSize
    from cryopick_napari.labels import Example

METHODS = ("unet", "attention", "fixmatch", "detr")
BUDGET = 120.0  # s
TEST_PART = 3  # one field in three is for the test
RUNS = "runs"  # where finished runs are kept


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.epilog = (
        "Writes comparison.md, comparison.csv and comparison.png. After Ctrl-C, the same command goes on "
        "with the methods that are not done."
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="a folder with micrographs/ and coordinates/")
    parser.add_argument(
        "--test-dir",
        type=Path,
        metavar="DIR",
        help="such a folder to test on, fully labelled; else the last third of the fields by name",
    )
    parser.add_argument(
        "--labelled",
        choices=("auto", "fully", "partly"),
        default="auto",
        help="whether every particle of the training fields is labelled, as in cryopick train (default auto)",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="where table and picture go"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=METHODS,
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default all)",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=BUDGET,
        metavar="SECONDS",
        help=f"time each may train (default {BUDGET:.0f})",
    )
    parser.add_argument(
        "--preset", choices=PRESETS, help="size of the U-Nets and of DETR, as in cryopick train"
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seed",
        type=int,
        default=TrainingConfig.seed,
        metavar="N",
        help=f"of every random choice (default {TrainingConfig.seed})",
    )
    seeds.add_argument("--seeds", type=int, nargs="+", metavar="N", help="several: medians are reported")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps")
    add_size(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; return the exit code."""
    from cryopick_napari.baselines.comparison import Plan, compare
    from cryopick_napari.baselines.method import Budget
    from cryopick_napari.baselines.report import as_markdown, write_report
    from cryopick_napari.devices import default_preset, resolve_device
    from cryopick_napari.files import make_folder

    own = default_preset(resolve_device(options.device))
    preset = options.preset or own
    size = _size(options, preset)
    training, test = _fields(options, size)
    plan = Plan(
        Budget(options.budget),
        tuple(dict.fromkeys(options.methods)),
        tuple(dict.fromkeys(options.seeds or [options.seed])),
        preset,
        size.diameter if size.in_angstrom else None,
        None if size.in_angstrom else size.diameter / 2,
        options.device,
    )
    make_folder(options.output)
    make_folder(options.output / RUNS)
    print(f"{len(training)} fields to learn from, {len(test)} to test on, {options.budget:g} s each method")
    outcomes, stopped = _followed(compare(training, test, plan, options.output / RUNS), options.budget)
    if outcomes:
        write_report(options.output, outcomes)
        print(as_markdown(outcomes))
        print(f"{options.output / 'comparison.md'}, with .csv and .png beside it")
    return EXIT_INTERRUPTED if stopped else EXIT_DONE


def _size(options: argparse.Namespace, preset: str) -> ParticleSize:
    """Take the size from the options, or the preset's own."""
    from cryopick_napari.config import ParticleSize

    own = PRESETS[preset].picker.get("diameter")
    if own is not None and options.diameter is None and options.particle_radius is None:
        return ParticleSize(own, in_angstrom=False)
    return particle_size(options)


def _fields(options: argparse.Namespace, size: ParticleSize) -> tuple[list[Example], list[Example]]:
    """Read the fields to learn from and those to test on; of the latter all particles count as labelled."""
    known = _examples(options.data, size, options.spacing, options.labelled)
    if options.test_dir is not None:
        return known, _examples(options.test_dir, size, options.spacing, "fully")
    training, test = split(known)
    return training, [_whole(example) for example in test]


def _whole(example: Example) -> Example:
    from cryopick_napari.labels import Example, Labels

    micrograph, picks = example.micrograph, example.labels.positives
    return Example(micrograph, Labels.of_whole_field(picks, micrograph.shape))


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Keep the last third of the fields by name for the test, at least one.

    Raises
    ------
    CryopickError
        If there is only one.
    """
    if len(examples) < 2:
        raise CryopickError("one field cannot be learned from and tested on: give more, or --test-dir")
    by_name = sorted(examples, key=lambda example: Path(example.micrograph.path or "").name)
    count = max(1, len(by_name) // TEST_PART)
    return by_name[:-count], by_name[-count:]


def _examples(folder: Path, size: ParticleSize, spacing: float | None, labelled: str) -> list[Example]:
    """Read a folder's micrographs and labels."""
    from cryopick_napari.cli.train import data_folder
    from cryopick_napari.examples import load_examples
    from cryopick_napari.micrograph import find_micrographs

    micrographs, coordinates = data_folder(folder)
    examples, notes = load_examples(find_micrographs(micrographs), coordinates, size, spacing, labelled)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return examples


def _followed(job: Generator[Step, bool | None, list[Outcome]], budget: float) -> tuple[list[Outcome], bool]:
    """Run a comparison under a bar of seconds; say whether Ctrl-C ended it."""
    from cryopick_napari.cli.progress import bar_of, completed, stop_request

    with stop_request() as asked, bar_of("preparing", "s", round(budget)) as bar:
        outcomes = completed(job, asked, lambda step: _show(bar, step, budget))
    return outcomes, asked.is_set()


def _show(bar: tqdm[Never], step: Step, budget: float) -> None:
    """Bring the bar up to date; say a line a finished run."""
    if step.outcome is not None:
        found = step.outcome
        bar.write(
            f"{found.method}, seed {found.seed}: F1 {found.f1:.3f}, chance {found.chance:.3f}", sys.stderr
        )
    elif step.stage is not None and not bar.disable:
        bar.set_description_str(f"{step.method}: {step.stage.phase}", refresh=False)
        if step.stage.quality == step.stage.quality:
            bar.set_postfix_str(f"held-out loss {-step.stage.quality:.3f}", refresh=False)
        bar.n = min(round(step.stage.seconds), round(budget))
        bar.refresh()
