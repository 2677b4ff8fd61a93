"""How many particles are labelled, without reading all labels at each click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class LabelCounts:
    """Labelled particles of the session's micrographs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._known: dict[Path, int] = {}
        session.row_changed.connect(self._forget)
        session.project_changed.connect(self._known.clear)

    def _forget(self, path: Path) -> None:
        self._known.pop(path, None)

    def total(self) -> tuple[int, int]:
        """Count the labelled particles, and the micrographs they are on; rejected ones do not count."""
        numbers = [self._count(path) for path in self.session.accepted]
        return sum(numbers), sum(number > 0 for number in numbers)

    def _count(self, path: Path) -> int:
        if path not in self._known:
            try:
                self._known[path] = len(self.session.labels_of(path).positives)
            except CryopickError:  # said where the micrograph is looked at, and when training
                self._known[path] = 0
        return self._known[path]
