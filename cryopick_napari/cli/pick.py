"""``cryopick pick``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED
from cryopick_napari.cli.options import (
    COORDINATE_FORMATS,
    add_fields,
    add_masks,
    add_size,
    add_sum_frames,
)
from cryopick_napari.cli.sharing import add_sharing, check_sources
from cryopick_napari.config import PickerConfig
from cryopick_napari.errors import CryopickError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files, folders, globs, @lists, or lists of RELION (.star) or cryoSPARC (.cs)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="the model.safetensors of a training; without it the general model picks, "
        "which must know the particle's size",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where coordinates go")
    parser.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="instead of PATH and --model: a project of the window, with its micrographs, model and "
        "corrections; it keeps the picks, and --output may be left out",
    )
    parser.add_argument(
        "--format",
        choices=COORDINATE_FORMATS,
        default="relion",
        help="default relion",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="N", help="least score of a pick (default the model's own)"
    )
    parser.add_argument(
        "--min-distance",
        type=float,
        metavar="N",
        help="least distance of picks, in diameters (default the model's)",
    )
    parser.add_argument(
        "--border", type=float, default=0.0, metavar="PX", help="leave out picks this near an edge"
    )
    parser.add_argument("--flip-y", action="store_true", help="count rows from the other end of the file")
    parser.add_argument("--save-maps", action="store_true", help="write probability and attention maps (MRC)")
    parser.add_argument(
        "--overlay", action="store_true", help="write a picture of each field with its picks (PNG)"
    )
    contamination = parser.add_argument_group("contamination")
    add_fields(contamination, PickerConfig, ["contamination_mask"])
    add_masks(contamination)
    contamination.add_argument(
        "--save-masks", action="store_true", help="write what was left out, to masks/ in --output (PNG)"
    )
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps")
    add_size(parser)
    add_sum_frames(parser)
    add_sharing(parser)


def run(options: argparse.Namespace) -> int:
    """Pick micrographs; return the exit code."""
    from cryopick_napari.batch import PickSettings
    from cryopick_napari.cli.picking import assumed_spacing, followed, general_model, job_of
    from cryopick_napari.cli.progress import stop_request
    from cryopick_napari.devices import resolve_device
    from cryopick_napari.picker import Picker

    if options.project is not None:
        from cryopick_napari.cli.projects import pick

        return pick(options)
    check_sources(options)
    if options.output is None:
        raise CryopickError("where do the coordinates go? give --output, or --project")
    if options.model is None:
        options.model = general_model(options)
    settings = PickSettings(
        options.format,
        options.threshold,
        options.min_distance,
        options.border,
        options.spacing,
        options.flip_y,
        options.save_maps,
        options.overlay,
        options.save_masks,
        None if options.masks is None else str(options.masks),
        options.sum_frames,
    )
    with stop_request() as asked, ExitStack() as open_:
        job, count = job_of(options, settings, asked, open_)
        # On a cluster the workers compute.
        device = resolve_device("cpu" if options.scheduler else options.device)
        picker = Picker.load(options.model, device)
        if note := assumed_spacing(options, picker.config):
            print(f"note: {note}", file=sys.stderr)
        avoids = getattr(options, "contamination_mask", picker.config.contamination_mask)
        tally = followed(job(picker.configured(contamination_mask=avoids)), count, asked)
    print(tally.summary(options.output))
    if asked.is_set() and options.watch is None:
        return EXIT_INTERRUPTED
    return EXIT_ERROR if tally.is_all_failed else EXIT_DONE
