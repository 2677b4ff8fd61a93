"""``cryopick pick``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED
from cryopick_napari.cli.options import (
    COORDINATE_FORMATS,
    add_fields,
    add_masks,
    add_spacing,
    add_sum_frames,
    note_bare,
)
from cryopick_napari.config import PickerConfig

if TYPE_CHECKING:
    from cryopick_napari.batch import Picked


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders, globs, @lists, or lists of RELION (.star) or cryoSPARC (.cs)",
    )
    parser.add_argument("--model", type=Path, required=True, help="the model.safetensors of a training")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where coordinates go")
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
    add_spacing(parser)
    add_sum_frames(parser)


def run(options: argparse.Namespace) -> int:
    """Pick micrographs; return the exit code."""
    from cryopick_napari.batch import PickSettings, pick_files
    from cryopick_napari.cli.progress import bar_of, stop_request
    from cryopick_napari.devices import resolve_device
    from cryopick_napari.micrograph import find_micrographs
    from cryopick_napari.micrograph_lists import listed_of, root_of, spacing_of
    from cryopick_napari.picker import Picker

    paths = find_micrographs(options.paths)
    listed = listed_of(options.paths)
    picker = Picker.load(options.model, resolve_device(options.device))
    avoids = getattr(options, "contamination_mask", picker.config.contamination_mask)
    picker = replace(picker, config=replace(picker.config, contamination_mask=avoids))
    note_bare(options.masks, paths)
    settings = PickSettings(
        options.format,
        options.threshold,
        options.min_distance,
        options.border,
        spacing_of(options.spacing, listed),
        options.flip_y,
        options.save_maps,
        options.overlay,
        options.save_masks,
        None if options.masks is None else str(options.masks),
        options.sum_frames,
    )
    done: list[Picked] = []
    names = {one.path: one.name for one in listed}
    job = pick_files(picker, paths, options.output, settings, names, root_of(paths, listed))
    with stop_request() as asked, bar_of("picking", "micrograph", len(paths)) as bar:
        for picked in job:
            done.append(picked)
            bar.update()
            if picked.state == "failed":
                bar.write(f"skipped: {picked.message}", file=sys.stderr)
            if asked.is_set():
                job.close()
                break
    print(_summary(done, options.output))
    if asked.is_set():
        return EXIT_INTERRUPTED
    return EXIT_ERROR if all(picked.state == "failed" for picked in done) else EXIT_DONE


def _summary(done: list[Picked], folder: Path) -> str:
    """Say in a line what was done."""
    new = [picked.picks for picked in done if picked.picks is not None]
    count = sum(len(picks) for picks in new)
    parts = [f"{count} picks on {len(new)} micrographs in {folder}"]
    for state, words in (("skipped", "done before"), ("failed", "could not be picked")):
        number = sum(picked.state == state for picked in done)
        if number:
            parts.append(f"{number} {words}")
    return "; ".join(parts)
