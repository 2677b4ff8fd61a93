"""What an output folder knows of how its picks were made: lines that are only ever added.

Nothing is rewritten, so that a run that is killed loses nothing, that ten thousand micrographs cost no
more than one each, and that several processes can fill a folder: each has a file of its own.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import LARGEST_JSON

STEM = "picking"
Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """One of several processes that share the micrographs of a run.

    Attributes
    ----------
    number, count : int
        The first is 1.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Refuse what is no part of a whole."""
        if not 1 <= self.number <= self.count:
            raise CryopickError(f"shards are 1/{self.count} to {self.count}/{self.count}, not {self}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``."""
        if not (found := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)) or found[2].strip("0") == "":
            raise CryopickError(f"a shard is i/n, as 3/16, not {text!r}")
        return cls(int(found[1]), int(found[2]))

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Select this shard's part of a list that all shards see alike."""
        return items[self.number - 1 :: self.count]


def record_of(folder: Path, shard: Shard | None = None) -> Path:
    """Say where a process writes its record."""
    return folder / (f"{STEM}.jsonl" if shard is None else f"{STEM}-{shard.number}-of-{shard.count}.jsonl")


@dataclass(eq=False)
class Journal:
    """The record of an output folder.

    Attributes
    ----------
    folder : Path
        The output folder.
    root : Path
        The folder above all micrographs; folders below it are kept in the output.
    shard : Shard or None
        Which part this process picks.
    made_by : dict of str to str
        The micrographs of all runs so far, and the fingerprint of the model and settings that picked
        each, or was about to.
    is_damaged : bool
        There is a record, and it knows of no micrograph.
    """

    folder: Path
    root: Path
    shard: Shard | None = None
    made_by: dict[str, str] = field(default_factory=dict)
    is_damaged: bool = False

    @classmethod
    def opened(cls, folder: Path, root: Path, shard: Shard | None = None) -> Journal:
        """Read the record of a folder, or begin one.

        Raises
        ------
        CryopickError
            If it holds picks of micrographs from elsewhere, or cannot be read.
        """
        files = _files(folder)
        latest: dict[str, tuple[float, str]] = {}
        before: Path | None = None
        for line in (line for file in files for line in _lines(file)):
            match line:
                case {"root": str(known), "started": str()} if before is None:
                    before = Path(known)
                case [str(name), str(mark), int() | float() as when]:
                    latest[name] = max(latest.get(name, (when, mark)), (when, mark))
        if before is not None and not root.is_relative_to(before):
            raise CryopickError(
                f"{folder} holds picks of micrographs below {before}, not of {root}: choose another --output"
            )
        made_by = {name: mark for name, (_, mark) in latest.items()}
        is_damaged = not made_by and record_of(folder, shard).is_file()
        return cls(folder, before or root, shard, made_by, is_damaged)

    def begin(self, mark: str) -> None:
        """Note the beginning of a run by a model and settings with this fingerprint."""
        self._append([{"root": str(self.root), "started": mark}])

    def claim(self, names: Iterable[str], mark: str) -> None:
        """Note, before it is done, by what micrographs are picked: once their files are there, they are."""
        now = round(time.time(), 3)
        new = [name for name in names if self.made_by.get(name) != mark]
        self._append([[name, mark, now] for name in new])
        self.made_by |= dict.fromkeys(new, mark)

    def finish(self, mark: str) -> bool:
        """Note that a run has seen all its micrographs; return whether all shards have."""
        self._append([{"finished": mark}])
        if self.shard is None:
            return True
        shards = (Shard(number, self.shard.count) for number in range(1, self.shard.count + 1))
        return all(_has_finished(record_of(self.folder, shard), mark) for shard in shards)

    def _append(self, lines: Sequence[Any]) -> None:
        """Add lines in one go; one that a killed process left half written ends here."""
        if not lines:
            return
        path = record_of(self.folder, self.shard)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        try:
            with path.open("a+b", buffering=0) as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    text = text if file.read(1) == b"\n" else "\n" + text
                data = text.encode()
                if file.write(data) != len(data):
                    raise CryopickError(f"cannot write {path}: the disk is full")
        except OSError as error:
            raise CryopickError(f"cannot write {path}: {error.strerror or error}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob(f"{STEM}*.jsonl") if file.is_file())


def _lines(file: Path) -> Iterator[Any]:
    """Read the lines of a record; a damaged one is as good as none."""
    try:
        if not file.is_file():
            return
        if file.stat().st_size > LARGEST_JSON:
            raise CryopickError(f"{file} is too large for a record of picking: choose another --output")
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CryopickError(f"cannot read {file}: {error.strerror or error}") from error
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def _has_finished(file: Path, mark: str) -> bool:
    """Whether a shard's last run was by this model and these settings, and has come to its end."""
    ends = [line for line in _lines(file) if isinstance(line, dict) and {"started", "finished"} & line.keys()]
    return bool(ends) and ends[-1].get("finished") == mark
