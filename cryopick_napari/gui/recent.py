"""The projects a person worked on before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json
from cryopick_napari.project import SETTINGS, Project


@dataclass(frozen=True)
class Recent:
    """A project on the disk.

    Attributes
    ----------
    folder : Path
    micrographs, labels : int
        How many there are.
    changed : float
        When it was last written, seconds since 1970.
    """

    folder: Path
    micrographs: int
    labels: int
    changed: float

    @property
    def name(self) -> str:
        """What a person calls it."""
        return project_name(self.folder)


def project_name(folder: Path) -> str:
    """Name a project: without what makes the names in the user's data folder differ."""
    return re.sub(r"-[0-9a-f]{8}$", "", folder.name)


def recent_projects(home: Path) -> list[Recent]:
    """List the projects of a folder, and those that were moved from there, newest first.

    Projects without micrographs, or that cannot be read, are left out.
    """
    found = {}
    for file in home.glob(f"*/{SETTINGS}"):
        try:
            recent = _recent(Project.opened(file.parent))
        except (CryopickError, OSError):
            continue
        if recent.micrographs:
            found[recent.folder] = recent
    return sorted(found.values(), key=lambda recent: recent.changed, reverse=True)


def _recent(project: Project) -> Recent:
    labels = list((project.folder / "labels").glob("*.json"))
    files = (project.folder / SETTINGS, *labels)
    return Recent(
        project.folder,
        len(project.settings().micrographs),
        sum(map(_count, labels)),
        max(file.stat().st_mtime for file in files),
    )


def _count(labels: Path) -> int:
    try:
        return len(read_json(labels).get("positives", ()))
    except (CryopickError, TypeError):
        return 0
