"""Pick many micrographs: one in memory at a time, what is done skipped, a bad one passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from cryopick_napari.batch import Picked, PickSettings, pick_one, read
from cryopick_napari.coordinates.writing import save_one
from cryopick_napari.errors import CryopickError
from cryopick_napari.folding import folded
from cryopick_napari.journal import Shard
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.output import Output, Task
from cryopick_napari.picker import Picker
from cryopick_napari.reading import read_ahead

# What picks a list of micrographs and writes their files, one after the other or many at a time.
Results = Generator[tuple[Task, Picked], None, None]
Runner = Callable[[Output, Sequence[Task]], Results]


def pick_files(
    picker: Picker,
    paths: Sequence[Path],
    folder: Path,
    settings: PickSettings,
    names: Mapping[Path, str] | None = None,
    root: Path | None = None,
    shard: Shard | None = None,
    runner: Runner | None = None,
) -> Generator[Picked, None, None]:
    """Pick micrographs, writing each one's coordinates at once.

    The format's index (RELION's ``autopick.star``) is brought up to date now and then, and written
    at the end, also when the iteration is closed early; it lists the micrographs of earlier runs
    into the same folder too.

    Parameters
    ----------
    picker : Picker
    paths : sequence of Path
        Micrographs: of all shards, if there are any.
    folder : Path
        Where to write; made if it is not there.
    settings : PickSettings
    names : mapping of Path to str, optional
        Of micrographs that are called otherwise than `micrograph_name` says: as a list writes them.
    root : Path, optional
        Folders of micrographs below this one are kept below ``folder``; by default the lowest that all
        of them are in.
    shard : Shard, optional
        Pick only this part of them. The shard that ends last writes the index.
    runner : Runner, optional
        What picks them; by default this process, one after the other.

    Yields
    ------
    Picked
        One for each path, in order; another runner's as they come.

    Raises
    ------
    CryopickError
        If the folder cannot be written, holds picks of other micrographs or coordinates from
        elsewhere, or two names collide.
    """
    output = Output(picker, folder, settings, root or _folder_above(paths), shard, names)
    # All are looked at, so that shards agree on what collides.
    tasks = [output.task(path) for path in paths]
    if shard is not None:
        tasks = list(shard.of(tasks))
    for task in tasks:
        output.check(task)
    is_complete = False
    try:
        is_complete = yield from _filled(output, tasks, runner)
    finally:
        output.close(is_complete)


def pick_arriving(
    picker: Picker,
    arrivals: Iterable[Sequence[Path]],
    root: Path,
    folder: Path,
    settings: PickSettings,
    runner: Runner | None = None,
) -> Generator[Picked | None, None, None]:
    """Pick micrographs as they arrive; the index is at all times that of a moment ago.

    Parameters
    ----------
    picker, folder, settings, runner
        As for `pick_files`.
    arrivals : iterable of sequence of Path
        Groups of micrographs; an empty one means that there is nothing new yet. One that comes
        again has changed, and is picked again.
    root : Path
        The folder above all that will arrive.

    Yields
    ------
    Picked or None
        One for each path; None after each group.

    Raises
    ------
    CryopickError
        As `pick_files`, but a micrograph whose name collides is passed over as a bad one.
    """
    output = Output(picker, folder, settings, root)
    seen: set[str] = set()
    try:
        for group in arrivals:
            tasks = []
            for path in group:
                try:
                    task = output.task(path)
                    output.check(task)
                    tasks.append(task)
                except CryopickError as error:
                    yield Picked(path, "failed", message=str(error))
            if tasks:
                output.clear(task for task in tasks if task.name in seen)
                seen.update(task.name for task in tasks)
                yield from _filled(output, tasks, runner)
            output.index.save_if_due()
            yield None
    finally:
        output.close(True)


def _filled(output: Output, tasks: Sequence[Task], runner: Runner | None) -> Generator[Picked, None, bool]:
    """Pick what is left to do, and take note of it; return whether that was all."""
    left = output.claim(tasks)
    waiting = {task.name for task in left}
    with closing((runner or one_by_one)(output, left)) as results:
        for task in tasks:
            if task.name not in waiting:
                yield Picked(task.path, "skipped")
                continue
            done = next(results, None)  # not of this task, where many are picked at a time
            if done is None:
                return False
            if done[1].state != "failed":
                output.is_written(done[0])
            yield done[1]
    return True


def one_by_one(output: Output, tasks: Sequence[Task]) -> Results:
    """Pick micrographs in this process, in order, and write their files."""
    yield from zip(tasks, picked_in_turn(folded(output.picker), output.settings, tasks), strict=True)


def picked_in_turn(picker: Picker, settings: PickSettings, tasks: Sequence[Task]) -> Iterator[Picked]:
    """Pick micrographs and write their files, reading and scaling one ahead.

    Raises
    ------
    CryopickError
        If coordinates cannot be written; other troubles are told in the results.
    """

    def scaled(task: Task) -> Micrograph:
        micrograph = read(task.path, settings)
        picker.scale(micrograph)  # which is kept as long as the micrograph is
        return micrograph

    with closing(read_ahead(scaled, tasks)) as coming:
        for task, future in coming:
            picked = _picked(picker, settings, task, future)
            del future  # and with it the micrograph
            yield picked


def _picked(picker: Picker, settings: PickSettings, task: Task, coming: Future[Micrograph]) -> Picked:
    """Pick a micrograph and write its files."""
    try:
        found = pick_one(picker, coming.result(), task.name, settings, dict(task.extras))
    except CryopickError as error:
        return Picked(task.path, "failed", message=str(error))
    # The coordinates come last: when they are there, everything is.
    save_one(found.flipped_y() if settings.flip_y else found, task.file, settings.format)
    return Picked(task.path, "picked", found.picks)


def _folder_above(paths: Sequence[Path]) -> Path:
    """Find the folder above all micrographs."""
    return Path(os.path.commonpath([Path(os.path.normpath(path.absolute())).parent for path in paths]))
