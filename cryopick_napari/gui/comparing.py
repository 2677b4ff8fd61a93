"""Whose particles those of a project are compared with; each reads them beside the window."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.computing import import_torch
from cryopick_napari.micrograph import read_micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

Particles = Mapping[Path, Picks]
Reading = Generator[str, bool | None, Particles]  # yields what is being done


@dataclass(frozen=True)
class OfFile:
    """Those in a coordinate file, or in a folder of them."""

    source: Path

    @property
    def name(self) -> str:
        """Whose they are."""
        return self.source.name

    def read(self, micrographs: tuple[Path, ...], spacing: float | None) -> Reading:
        """Read those of some micrographs."""
        yield f"Reading {self.name}…"
        import_torch()
        from cryopick_napari.importing import find_positions

        return find_positions(self.source, micrographs, spacing)


@dataclass(frozen=True)
class OfProject:
    """The labels or the picks of another project."""

    folder: Path
    labels: bool

    @property
    def name(self) -> str:
        """Whose they are."""
        return self.folder.name

    def read(self, micrographs: tuple[Path, ...], spacing: float | None) -> Reading:
        """Read those of some micrographs."""
        yield f"Reading the project {self.name}…"
        import_torch()
        from cryopick_napari.importing import find_in_project

        return find_in_project(self.folder, micrographs, spacing, self.labels)


@dataclass(frozen=True)
class OfModel:
    """The picks of another model of the project, which it makes of a few micrographs."""

    project: Project
    name: str
    contamination_mask: bool | None
    some: tuple[Path, ...]

    def read(self, micrographs: tuple[Path, ...], spacing: float | None) -> Reading:
        """Pick."""
        import_torch()
        from cryopick_napari.gui.model_files import load_model
        from cryopick_napari.remaining import avoiding

        picker = avoiding(load_model(self.project.models, self.name).picker, self.contamination_mask)
        found = {}
        for number, path in enumerate(self.some, 1):
            yield f"Picking {path.name} with {self.name}: {number} of {len(self.some)}"
            with suppress(CryopickError):  # of one that cannot be read
                found[path] = picker.pick(read_micrograph(path, spacing))
        return found


Somebody = OfFile | OfProject | OfModel
