"""The index of an output folder, kept up to date without being written for each micrograph."""

from __future__ import annotations

import time
from pathlib import Path

from cryopick_napari.coordinates.writing import save_index

INTERVAL = 10.0  # s between two writings, at least
SHARE = 0.05  # of the time, at most, goes into writing it


class Index:
    """The coordinate files of a folder that are there, and when to tell.

    Parameters
    ----------
    folder : Path
    format : str
        One of `coordinates.FORMATS`; those without an index have nothing to write.
    files : dict of str to Path
        The files that are there, by micrograph.
    """

    def __init__(self, folder: Path, format: str, files: dict[str, Path]) -> None:
        self.folder = folder
        self.format = format
        self.files = files
        self._is_old = False
        self._is_wrong = False
        self._due = time.monotonic() + INTERVAL

    def add(self, name: str, file: Path) -> None:
        """Add a file that has just been written."""
        self.files[name] = file
        self._is_old = True

    def discard(self, name: str) -> None:
        """Leave out a file that has been removed."""
        self._is_wrong |= self.files.pop(name, None) is not None

    def save_if_due(self) -> None:
        """Write the index if it is old, and not so soon that writing would hold up picking."""
        if self._is_old and time.monotonic() >= self._due:
            self.save()

    def save_if_wrong(self) -> None:
        """Write the index if it names files that are no longer there."""
        if self._is_wrong:
            self.save()

    def save(self) -> None:
        """Write the index: the old one or the new one is there at every moment."""
        start = time.monotonic()
        save_index(dict(sorted(self.files.items())), self.folder, self.format)
        end = time.monotonic()
        self._due = end + max(INTERVAL, (end - start) / SHARE)
        self._is_old = self._is_wrong = False
