"""What ``cryopick pick`` runs, and how its progress is shown."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from cryopick_napari.batch import Picked, PickSettings
from cryopick_napari.cli.options import note_bare, particle_size
from cryopick_napari.cli.progress import bar_of
from cryopick_napari.config import ParticleSize, PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import make_folder
from cryopick_napari.general import PRIMING, general_picker
from cryopick_napari.journal import Shard
from cryopick_napari.micrograph import Micrograph, find_micrographs, read_micrograph, read_size, spread
from cryopick_napari.micrograph_lists import listed_of, root_of, spacing_of
from cryopick_napari.picker import Picker
from cryopick_napari.runs import Runner, pick_arriving, pick_files
from cryopick_napari.suggesting import suggested_diameter
from cryopick_napari.tally import Tally
from cryopick_napari.watching import Watched, arrivals

GENERAL = "general.safetensors"
REPORT = 60.0  # s between two lines where there is no bar

Job = Generator[Picked | None, None, None]


def job_of(
    options: argparse.Namespace, settings: PickSettings, stop: threading.Event, open_: ExitStack
) -> tuple[Callable[[Picker], Job], int | None]:
    """Say what the options make of a picker: a job; and how many micrographs it has, if that is known."""
    folder = options.output
    if options.watch is not None:
        watched = Watched.of(options.watch)
        quiet = None if options.quiet_time is None else 60 * options.quiet_time
        coming = arrivals(watched, stop, quiet)
        runner = _runner(options, stop, open_)
        return lambda picker: pick_arriving(picker, coming, watched.folder, folder, settings, runner), None
    paths, listed = find_micrographs(options.paths), listed_of(options.paths)
    note_bare(options.masks, paths)
    settings = replace(settings, spacing=spacing_of(options.spacing, listed))
    names, root = {one.path: one.name for one in listed}, root_of(paths, listed)
    shard = Shard.parse(options.shard) if options.shard else None
    count = len(shard.of(paths) if shard else paths)
    runner = _runner(options, stop, open_)
    return lambda picker: pick_files(picker, paths, folder, settings, names, root, shard, runner), count


def general_model(options: argparse.Namespace) -> Path:
    """Write the general model to the output folder, made for the micrographs there; return its file.

    One that is there already for the same size stays, so that a later run goes on with it.
    """
    folder = Path(options.output)
    file = folder / GENERAL
    paths = find_micrographs(options.paths)
    spacing = spacing_of(options.spacing, listed_of(options.paths))
    readable = _readable(spread(paths, PRIMING), spacing, options.sum_frames)
    first = list(islice(readable, 1)) or list(islice(_readable(paths, spacing, options.sum_frames), 1))
    if not first:
        read_micrograph(paths[0], spacing, options.sum_frames)  # says what is wrong with it
    spacing = first[0].spacing if first else spacing
    size = _size(options, first)
    diameter = size.in_pixels(spacing)
    if not file.exists() or Picker.load(file).config.diameter != diameter:
        picker = general_picker(diameter, spacing, [*first, *readable])
        make_folder(folder)
        picker.save(file)
    print(f"without --model: by the general model, for this particle in {file}", file=sys.stderr)
    return file


def assumed_spacing(options: argparse.Namespace, config: PickerConfig) -> str:
    """Say so if micrographs are taken to have the pixel size of the training; otherwise nothing."""
    listed = listed_of(options.paths)
    if options.watch is not None or config.spacing is None or spacing_of(options.spacing, listed):
        return ""
    with suppress(CryopickError):
        path = find_micrographs(options.paths)[0]
        if read_size(path, None, sum_frames=True)[1] is None:
            return (
                f"{path} does not say its pixel size: it is taken to be that of the training, "
                f"{config.spacing:g} Å/px; --spacing says another"
            )
    return ""


def _size(options: argparse.Namespace, first: Sequence[Micrograph]) -> ParticleSize:
    """Take the particle's size from the options; where it is missing, say what a micrograph suggests.

    It is not taken from there: a wrong one would pick thousands of micrographs in vain.
    """
    is_given = options.diameter is not None or options.particle_radius is not None
    suggestion = suggested_diameter(first[0]) if first and not is_given else None
    if suggestion is None:
        return particle_size(options)
    spacing, name = first[0].spacing, first[0].path
    size = suggestion.in_round_numbers(spacing)
    if size.in_angstrom:
        wide, option = f"{size.diameter:g} Å", f"--diameter {size.diameter:g}"
    else:
        wide, option = f"{size.diameter:g} pixels", f"--particle-radius {size.diameter / 2:g}"
    raise CryopickError(f"how large is a particle? In {name} they look about {wide} wide: give {option}")


def _readable(
    paths: Sequence[Path], spacing: float | None, sum_frames: bool
) -> Generator[Micrograph, None, None]:
    """Read micrographs; what is wrong with others is said when they are picked."""
    for path in paths:
        with suppress(CryopickError):
            yield read_micrograph(path, spacing, sum_frames)


def _runner(options: argparse.Namespace, stop: threading.Event, open_: ExitStack) -> Runner | None:
    """Connect to the scheduler, if one is given, and say what there is to say."""
    if not options.scheduler:
        return None
    from cryopick_napari.cluster import caution, connected, on_cluster

    if warning := caution(options.scheduler):
        print(f"warning: {warning}", file=sys.stderr)
    client = open_.enter_context(
        connected(options.scheduler, options.tls_ca, options.tls_cert, options.tls_key)
    )
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    print(f"workers: {workers}" if workers else "no workers yet: start some", file=sys.stderr)
    return partial(on_cluster, client, options.model, options.device, stop)


def followed(job: Job, count: int | None, stop: threading.Event) -> Tally:
    """Run a job under a bar, or with a line a minute where the output is no terminal."""
    tally = Tally()
    said = time.monotonic()
    with bar_of("picking", "micrograph", count) as bar:
        for picked in job:
            if picked is not None:
                tally.add(picked)
                bar.update()
                if picked.state == "failed":
                    bar.write(f"skipped: {picked.message}", file=sys.stderr)
            bar.set_postfix_str(tally.in_short(), refresh=picked is None)
            if bar.disable and time.monotonic() - said >= REPORT:
                print(f"{tally.picked} micrographs: {tally.in_short()}", file=sys.stderr)
                said = time.monotonic()
            if stop.is_set():
                job.close()
                break
    return tally
