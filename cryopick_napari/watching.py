"""Micrographs as they arrive in a folder, each once it is whole."""

from __future__ import annotations

import glob
import os
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import MICROGRAPH_SUFFIXES

POLL = 5.0  # s; events of the file system would be quicker, but network file systems have none
RECENT = 600.0  # s for which a file that seemed whole is looked at again


class State(NamedTuple):
    """Size (bytes) and time of change (ns) of a file."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> State | None:
        """Look at a file; None if it is not there, or the file system is silent at the moment."""
        try:
            found = Path(path).stat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Watched:
    """A folder, or the files that a pattern stands for.

    Attributes
    ----------
    folder : Path
        Above all that can arrive.
    pattern : str
        A glob pattern; empty for the folder's own files.
    """

    folder: Path
    pattern: str = ""

    @classmethod
    def of(cls, word: str) -> Watched:
        """Take a folder or a glob pattern (``**`` goes into folders), as the user gave it.

        Raises
        ------
        CryopickError
            If the folder, or that before the first wildcard, is not there.
        """
        folder, pattern = Path(word), ""
        if not folder.is_dir() and glob.has_magic(word):
            parts = Path(word).parts
            first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
            folder, pattern = Path(*parts[:first]), word
        if not folder.is_dir():
            raise CryopickError(f"{folder} is no folder: make it, or correct the path to watch")
        return cls(folder, pattern)

    def files(self, known: set[str]) -> dict[str, State]:
        """Look at the micrographs that are not known yet; a folder that cannot be read just now has none."""
        found = {}
        for path in self._listed():
            name = os.path.basename(path)  # noqa: PTH119, thousands of them at every look
            if path in known or name.startswith(".") or not name.lower().endswith(MICROGRAPH_SUFFIXES):
                continue
            if state := State.of(path):
                found[path] = state
        return found

    def _listed(self) -> list[str]:
        if self.pattern:
            return glob.glob(self.pattern, recursive=True)  # noqa: PTH207, may be absolute
        try:
            return [str(self.folder / name) for name in os.listdir(self.folder)]  # noqa: PTH208, for speed
        except OSError:
            return []


def arrivals(
    watched: Watched, stop: threading.Event, quiet_time: float | None = None
) -> Generator[list[Path], None, None]:
    """Wait for micrographs.

    A file is whole once its size and time of change have stayed the same from one look to the next.
    One that changes after all, as a copy does that had stopped for a while, arrives once more.

    Parameters
    ----------
    watched : Watched
    stop : Event
        Set it to end.
    quiet_time : float, optional
        End when no file has arrived or changed for this long, s.

    Yields
    ------
    list of Path
        Those that have become whole since the last look, oldest first; empty if there are none.
    """
    known: set[str] = set()
    recent: dict[str, tuple[State, float]] = {}
    before: dict[str, State] = {}
    last_news = time.monotonic()
    while not stop.is_set():
        known -= _changed(recent)
        now = watched.files(known)
        whole = [path for path, state in now.items() if state.size and before.get(path) == state]
        if now != before or whole:
            last_news = time.monotonic()
        known.update(whole)
        before = {path: state for path, state in now.items() if path not in known}
        yield [Path(path) for path in sorted(whole, key=lambda path: (now[path].changed, path))]
        if whole:  # picking them took its time
            last_news = time.monotonic()
        recent |= {path: (now[path], time.monotonic()) for path in whole}
        if quiet_time is not None and time.monotonic() - last_news >= max(quiet_time, 2 * POLL):
            return
        stop.wait(POLL)


def _changed(recent: dict[str, tuple[State, float]]) -> set[str]:
    """Find, and forget, those of the last files that have changed; the older ones are left in peace."""
    oldest = time.monotonic() - RECENT
    for path in [path for path, (_, when) in recent.items() if when < oldest]:
        del recent[path]
    changed = {path for path, (state, _) in recent.items() if State.of(path) not in (state, None)}
    for path in changed:
        del recent[path]
    return changed
