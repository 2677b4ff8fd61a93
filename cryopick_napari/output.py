"""An output folder while micrographs are picked into it: what is done, and what is left to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_napari.batch import PickSettings, extra_files, fingerprint, micrograph_name
from cryopick_napari.coordinates import targets
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import make_folder, remove
from cryopick_napari.indexing import Index
from cryopick_napari.journal import Journal, Shard
from cryopick_napari.picker import Picker


@dataclass(frozen=True)
class Task:
    """One micrograph to pick.

    Attributes
    ----------
    path : Path
        Of the micrograph.
    name : str
        As coordinate files call it.
    file : Path
        Its coordinate file. When that is there, everything is: it is written last.
    extras : tuple of (str, Path)
        Maps and pictures that are wanted beside it, by kind.
    """

    path: Path
    name: str
    file: Path
    extras: tuple[tuple[str, Path], ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is written for this micrograph."""
        return (self.file, *(file for _, file in self.extras))


class Output:
    """A folder of picks that one process fills, alone or beside others.

    Parameters
    ----------
    picker : Picker
    folder : Path
        Made if it is not there.
    settings : PickSettings
    root : Path
        The folder above all micrographs of this run.
    shard : Shard, optional
        Which part of them this process picks: the others' files are left alone.
    names : mapping of Path to str, optional
        Of micrographs that are called otherwise than `micrograph_name` says.

    Raises
    ------
    CryopickError
        If the folder cannot be made, or holds picks of micrographs from elsewhere.
    """

    def __init__(
        self,
        picker: Picker,
        folder: Path,
        settings: PickSettings,
        root: Path,
        shard: Shard | None = None,
        names: Mapping[Path, str] | None = None,
    ) -> None:
        make_folder(folder)
        self.picker = picker
        self.folder = folder
        self.settings = settings
        self._names = names or {}
        self.mark = fingerprint(picker, settings)
        self.journal = Journal.opened(folder, root, shard)
        self._owners: dict[str, str] = {}
        self._listing = Listing()
        self._has_begun = False
        self._files = targets(list(self.journal.made_by), folder, settings.format, self.root, self._owners)
        there = {name: file for name, file in self._files.items() if self._listing.has(file)}
        self.index = Index(folder, settings.format, there)

    @property
    def root(self) -> Path:
        """The folder above all micrographs of all runs."""
        return self.journal.root

    def task(self, path: Path) -> Task:
        """Say what is to be written of a micrograph, and where.

        Raises
        ------
        CryopickError
            If it has no name of its own.
        """
        name = self._names.get(path) or micrograph_name(path)
        if name not in self._files:
            self._files |= targets([name], self.folder, self.settings.format, self.root, self._owners)
        file = self._files[name]
        extras = extra_files(file, self.folder, self.picker, self.settings)
        return Task(path, name, file, tuple(extras.items()))

    def check(self, task: Task) -> None:
        """Refuse to replace what was not picked into this folder.

        Raises
        ------
        CryopickError
            If a file of that name is there, and no record of it.
        """
        is_known = task.name in self.journal.made_by or self.journal.is_damaged
        if not is_known and self._listing.has(task.file):
            raise CryopickError(f"{task.file} is there and is not from here: choose another --output")

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Make micrographs this run's own, and return those that are left to pick.

        What another model picked is removed: it must not pass for done if this run is interrupted.

        Raises
        ------
        CryopickError
            If it cannot be removed, or the record cannot be written.
        """
        if not self._has_begun:
            self.journal.begin(self.mark)
            self._has_begun = True
        others = [task for task in tasks if self.journal.made_by.get(task.name) != self.mark]
        self.clear(others)
        self.journal.claim((task.name for task in others), self.mark)
        return [task for task in tasks if not self._listing.has(*task.files)]

    def clear(self, tasks: Iterable[Task]) -> None:
        """Remove what is there of micrographs, from the index too."""
        wanted = replace(self.settings, maps=True, overlays=True, save_masks=True)
        for task in tasks:
            for file in (task.file, *extra_files(task.file, self.folder, self.picker, wanted).values()):
                if self._listing.has(file):
                    remove(file)
                    self._listing.forget(file)
            self.index.discard(task.name)
        self.index.save_if_wrong()

    def is_written(self, task: Task) -> None:
        """Take note that a micrograph's files are there."""
        self._listing.add(*task.files)
        self.index.add(task.name, task.file)
        if self.journal.shard is None:
            self.index.save_if_due()

    def close(self, is_complete: bool) -> None:
        """End a run.

        The index is written; by shards only when the last of them is done, so that it never names
        a part of the micrographs as if they were all.
        """
        if self.journal.shard is None:
            self.index.save()
        elif is_complete and self._has_begun and self.journal.finish(self.mark):
            Output(self.picker, self.folder, self.settings, self.root).index.save()


class Listing:
    """Which files were there when their folder was first looked at.

    A folder is listed once: to ask for each of ten thousand files takes a network file system minutes.
    """

    def __init__(self) -> None:
        self._names: dict[Path, set[str]] = {}

    def has(self, *files: Path) -> bool:
        """Whether all of these files are there."""
        return all(file.name in self._of(file.parent) for file in files)

    def add(self, *files: Path) -> None:
        """Take note that files are there now."""
        for file in files:
            self._of(file.parent).add(file.name)

    def forget(self, file: Path) -> None:
        """Take note that a file has been removed."""
        self._of(file.parent).discard(file.name)

    def _of(self, folder: Path) -> set[str]:
        if folder not in self._names:
            self._names[folder] = set(_names(folder))
        return self._names[folder]


def _names(folder: Path) -> Iterable[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CryopickError(f"cannot look into {folder}: {error.strerror or error}") from error
