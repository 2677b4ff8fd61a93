"""``cryopick train``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE, EXIT_INTERRUPTED
from cryopick_napari.cli.options import (
    add_fields,
    add_masks,
    add_size,
    add_sum_frames,
    given,
    note_bare,
    particle_size,
)
from cryopick_napari.config import PRESETS, PickerConfig, TrainingConfig, training_config
from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.labels import Example
    from cryopick_napari.picker import Picker

NETWORK_OPTIONS = (
    "network_diameter",
    "base_features",
    "depth",
    "gate",
    "heads",
    "spatial_attention",
    "filter_channel",
    "polarity",
    "min_distance",
    "contamination_mask",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--micrographs", nargs="+", metavar="PATH", help="files, folders, globs, or @lists of micrographs"
    )
    data.add_argument(
        "--coordinates", type=Path, metavar="PATH", help="one file for all of them, or a folder"
    )
    data.add_argument(
        "--train-data-dir",
        type=Path,
        metavar="DIR",
        help="instead: a folder with micrographs/ and coordinates/",
    )
    data.add_argument(
        "--val-data-dir",
        type=Path,
        metavar="DIR",
        help="such a folder to validate on; else labels are held out",
    )
    data.add_argument(
        "--unlabelled",
        nargs="+",
        default=(),
        metavar="PATH",
        help="micrographs without labels, for --self-training-iterations",
    )
    data.add_argument(
        "--labelled",
        choices=("auto", "fully", "partly"),
        default="auto",
        help="whether every particle of these micrographs is labelled, or only some are; "
        "auto takes labels that cover less than 8 %% of the field for some (default auto)",
    )
    add_masks(data)
    data.add_argument("--output-dir", type=Path, metavar="DIR", help="where model.safetensors goes")
    data.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="instead of all that: a project of the window; its labels teach, and it keeps the model",
    )
    add_size(parser)
    add_sum_frames(data)
    training = parser.add_argument_group("training")
    about = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    training.add_argument("--preset", choices=PRESETS, help=about)
    training.add_argument(
        "--resume", action="store_true", help="go on with the interrupted training in --output-dir"
    )
    training.add_argument(
        "--multi-gpu", action="store_true", help="train on all CUDA cards of this computer together"
    )
    add_fields(training, TrainingConfig, [field.name for field in dataclasses.fields(TrainingConfig)])
    add_fields(parser.add_argument_group("network"), PickerConfig, NETWORK_OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Train a model, alone or as one of several processes; return the exit code."""
    if options.project is not None:
        from cryopick_napari.cli.projects import train

        return train(options)
    if options.output_dir is None:
        raise CryopickError("where does the model go? give --output-dir, or --project")
    from cryopick_napari.distribution import is_first, joined

    if options.multi_gpu and (cards := _cards()) > 1:
        from cryopick_napari.launching import launch

        return launch([word for word in options.words if word != "--multi-gpu"], cards)
    with joined(getattr(options, "device", "auto")):
        if is_first():
            return _run(options)
        with Path(os.devnull).open("w") as nobody, redirect_stdout(nobody), redirect_stderr(nobody):
            return _run(options)


def _cards() -> int:
    """Count the cards to share the work: none, where a process has been started for each already."""
    import torch

    if "RANK" in os.environ:
        return 0
    count = torch.cuda.device_count()
    if count < 2:
        print(f"note: {count} CUDA cards here: training in one process", file=sys.stderr)
    return count


def _run(options: argparse.Namespace) -> int:
    """Train a model; return the exit code."""
    from cryopick_napari.checkpoint import load_checkpoint
    from cryopick_napari.cli.progress import CHECKPOINT, MODEL, report, run_training
    from cryopick_napari.devices import default_preset, resolve_device
    from cryopick_napari.distribution import is_first
    from cryopick_napari.files import make_folder
    from cryopick_napari.flip import flip_warning, most_labelled
    from cryopick_napari.micrograph import find_micrographs
    from cryopick_napari.selftraining import self_train

    preset = options.preset or default_preset(resolve_device(getattr(options, "device", "auto")))
    unlabelled = _unlabelled(options)
    sources = _sources(options)
    note_bare(options.masks, find_micrographs(sources[0]))
    examples = _examples(options, *sources, preset)
    only_clicks = not any(example.labels.complete for example in examples)
    config = training_config(preset, only_clicks, given(options, TrainingConfig))
    validation = []
    if options.val_data_dir is not None:
        validation = _examples(options, *data_folder(options.val_data_dir), preset)
    picker = _new_picker(options, examples, preset, config)
    make_folder(options.output_dir)
    resume = None
    if options.resume:
        if not (options.output_dir / CHECKPOINT).exists():
            raise CryopickError(f"{options.output_dir} holds no interrupted training: leave out --resume")
        resume = load_checkpoint(options.output_dir / CHECKPOINT, "training")
    _announce(examples, picker, preset, config, hasattr(options, "contamination_mask"))
    if warning := flip_warning(most_labelled(examples, picker.config.diameter_at), "the labels"):
        print(f"note: {warning}", file=sys.stderr)
    job = self_train(picker, examples, unlabelled, config, validation, resume, options.masks)
    before = resume.header.get("history", ()) if resume else ()
    trained, stopped = run_training(job, options.output_dir if is_first() else None, before)
    report(trained, options.output_dir / MODEL)
    return EXIT_INTERRUPTED if stopped else EXIT_DONE


def _sources(options: argparse.Namespace) -> tuple[list[str], Path]:
    """Say where micrographs and labels are."""
    if options.train_data_dir is not None:
        if options.micrographs or options.coordinates:
            raise CryopickError("give --train-data-dir, or --micrographs and --coordinates, not both")
        return data_folder(options.train_data_dir)
    if not options.micrographs or options.coordinates is None:
        raise CryopickError("what to learn from? give --micrographs and --coordinates, or --train-data-dir")
    return options.micrographs, options.coordinates


def _unlabelled(options: argparse.Namespace) -> list[Path]:
    """List the micrographs that only self-training learns from."""
    from cryopick_napari.micrograph import find_micrographs

    if options.unlabelled and not getattr(options, "self_training_iterations", 0):
        raise CryopickError("--unlabelled needs --self-training-iterations, 2 to 5 say; or leave it out")
    return find_micrographs(options.unlabelled)


def data_folder(folder: Path) -> tuple[list[str], Path]:
    """Say where a folder's micrographs and labels are.

    Raises
    ------
    CryopickError
        If it has not both.
    """
    for part in ("micrographs", "coordinates"):
        if not (folder / part).is_dir():
            raise CryopickError(f"{folder} has no folder {part!r}: it needs micrographs/ and coordinates/")
    return [str(folder / "micrographs")], folder / "coordinates"


def _examples(
    options: argparse.Namespace, micrographs: list[str], coordinates: Path, preset: str
) -> list[Example]:
    from cryopick_napari.config import ParticleSize
    from cryopick_napari.examples import load_examples
    from cryopick_napari.micrograph import find_micrographs
    from cryopick_napari.micrograph_lists import listed_of, spacing_of

    own = PRESETS[preset].picker.get("diameter")
    if own is not None and options.diameter is None and options.particle_radius is None:
        size = ParticleSize(own, in_angstrom=False)
    else:
        size = particle_size(options)
    paths = find_micrographs(micrographs)
    spacing = spacing_of(options.spacing, listed_of(micrographs))
    examples, notes = load_examples(
        paths, coordinates, size, spacing, options.labelled, options.masks, options.sum_frames
    )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return examples


def _new_picker(
    options: argparse.Namespace, examples: list[Example], preset: str, config: TrainingConfig
) -> Picker:
    from cryopick_napari.examples import new_picker

    settings = {
        name: value for name, value in given(options, PickerConfig).items() if name in NETWORK_OPTIONS
    }
    return new_picker(
        examples,
        options.diameter,
        radius=options.particle_radius,
        preset=preset,
        settings=settings,
        seed=config.seed,
        from_scratch=config.from_scratch,
    )


def _announce(
    examples: list[Example], picker: Picker, preset: str, config: TrainingConfig, own_mask: bool
) -> None:
    """Say what is about to be learned from what."""
    from cryopick_napari.devices import resolve_device
    from cryopick_napari.examples import crowded_labels, few_labels
    from cryopick_napari.network import parameter_count

    settings = picker.config
    labels = sum(len(example.labels.positives) for example in examples)
    partly = sum(not example.labels.complete for example in examples)
    kind = "all fully labelled" if not partly else f"{partly} of them labelled only in part"
    size = f"{settings.diameter:.0f} px"
    if settings.diameter_angstrom is not None:
        size += f" = {settings.diameter_angstrom:.0f} Å at {settings.spacing:g} Å/px"
    for note in (few_labels(labels), crowded_labels(examples, settings)):
        if note:
            print(f"note: {note}", file=sys.stderr)
    if not (settings.contamination_mask or own_mask):
        print(
            "note: contamination is not left out: labelled particles lie on what looks like it "
            "(--contamination-mask does so all the same)",
            file=sys.stderr,
        )
    print(f"{labels} {settings.polarity} particles of {size} on {len(examples)} micrographs, {kind}")
    print(
        f"preset {preset}: {parameter_count(picker.network):,} parameters, particles at "
        f"{settings.network_diameter or settings.diameter:.1f} px, on {resolve_device(config.device)}"
    )
