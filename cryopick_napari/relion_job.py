"""A job folder of RELION's pipeline: how a job says what became of it, and what it made.

The rules are those of RELION's documentation, "The External job-type"; the names of node types those of
RELION's src/pipeline_jobs.h, versions 3.1, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryopick_napari.coordinates import About, match, read_coordinates
from cryopick_napari.coordinates.star import star_text
from cryopick_napari.coordinates.writing import save, write_file
from cryopick_napari.exporting import RELION_PROJECT
from cryopick_napari.files import make_folder, remove

SUCCESS, FAILURE, ABORTED = "RELION_JOB_EXIT_SUCCESS", "RELION_JOB_EXIT_FAILURE", "RELION_JOB_EXIT_ABORTED"
ABORT_NOW = "RELION_JOB_ABORT_NOW"  # what the window's Abort button writes
NODES = "RELION_OUTPUT_NODES.star"
INDEX, SUFFIX_FILE, PARTICLES = "autopick.star", "coords_suffix_autopick.star", "particles.star"

Version = Literal["3.1", "4", "5"]
# The file that stands for the picks of a job, the column of its type, and the type.
NODE: Mapping[Version, tuple[str, str, str]] = {
    "3.1": (SUFFIX_FILE, "rlnPipeLineNodeType", "2"),
    "4": (INDEX, "rlnPipeLineNodeTypeLabel", "MicrographsCoords.star.relion.autopick"),
    "5": (INDEX, "rlnPipeLineNodeTypeLabel", "MicrographCoordsGroup.star.relion.autopick"),
}


@dataclass(frozen=True)
class JobFolder:
    """A folder such as ``External/job012/``, and the marker files in it."""

    path: Path

    def begin(self) -> None:
        """Make the folder, and remove the markers of an earlier run.

        Raises
        ------
        CryopickError
            If that is not possible.
        """
        make_folder(self.path)
        for name in (SUCCESS, FAILURE, ABORTED, ABORT_NOW):
            remove(self.path / name)

    @property
    def is_to_stop(self) -> bool:
        """Whether somebody pressed Abort."""
        return (self.path / ABORT_NOW).exists()

    def end(self, marker: str) -> None:
        """Say what became of the job: ``SUCCESS``, ``FAILURE`` or ``ABORTED``."""
        save(self.path / marker, "")
        remove(self.path / ABORT_NOW)

    def write_nodes(self, micrographs: Path, version: Version) -> None:
        """Say what the job made: its picks, or nothing if there is no index of any.

        Parameters
        ----------
        micrographs : Path
            The list that was given to the job, as it was given.
        version : str
            Of RELION: each names the types of nodes in another way.
        """
        name, column, kind = NODE[version]
        made = (self.path / INDEX).is_file()
        if made and version == "3.1":
            save(self.path / SUFFIX_FILE, f"{micrographs}\n")
        nodes = {"rlnPipeLineNodeName": [f"{self.path.as_posix()}/{name}"], column: [kind]}
        text = star_text("output_nodes", nodes if made else {label: [] for label in nodes})
        save(self.path / NODES, text)

    def write_particles(self, micrographs: Mapping[Path, About]) -> None:
        """Write the picks once more as one particles.star, with what the list knows of the micrographs."""
        found, _ = match(read_coordinates(self.path / INDEX), list(micrographs))
        write_file(
            [micrographs[path].of(rows) for path, rows in found.items()], self.path / PARTICLES, "particles"
        )


def relion_version(project: Path) -> Version:
    """Tell by a project's pipeline which RELION it is of; without one, the newest is taken."""
    try:
        text = (project / RELION_PROJECT).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "5"
    if "_rlnPipeLineNodeType " in text:
        return "3.1"
    return "4" if "MicrographsData.star" in text or "MicrographMoviesData.star" in text else "5"


def as_options(words: Iterable[str]) -> list[str]:
    """Read the free parameters of RELION's window as options: a label may be typed with underscores."""
    return [word.replace("_", "-") if word.startswith("--") else word for word in words]
