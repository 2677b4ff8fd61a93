"""From picks and labels of a project to coordinate files of other programs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_napari.coordinates import FORMATS, SUFFIX, CoordinateSet, targets, write_coordinates
from cryopick_napari.coordinates.naming import absolute, name_from
from cryopick_napari.errors import CryopickError
from cryopick_napari.material import Choice, Material, chosen

ANYTHING = (".csv", ".txt")  # endings of files that may not be coordinates at all
RELION_PROJECT = "default_pipeline.star"  # lies in the folder of every RELION project
ADVICE = {
    "relion": "In RELION: Particle extraction, Input coordinates = {index}",
    "cbox": "In crYOLO: open {folder} beside the micrographs in the boxmanager.",
    "box": "In EMAN2: e2import.py --import_boxes; crYOLO's boxmanager opens them too.",
    "topaz": "In Topaz: topaz train --train-targets {index}",
    "particles": "In cryoSPARC: Import Particle Stack, with the micrographs as source exposures; "
    "in RELION: Particle extraction, Re-extract refined particles.",
    "cryoppp": "y counts from the other end of the file, as in CryoPPP's own tables.",
    "csv": "x counts columns and y rows, in px; the centre of the first pixel is 0.",
}
NO_PROJECT = (
    " (its micrographs are in no RELION project folder: their names are whole paths, "
    "which must be those of the micrographs in RELION)"
)


@dataclass(frozen=True)
class Summary:
    """What an export holds.

    Attributes
    ----------
    particles, micrographs : int
        How many particles, on how many micrographs.
    total : int
        Micrographs that were asked for.
    problems : tuple of str
        Why micrographs are left out that have something to write.
    """

    particles: int = 0
    micrographs: int = 0
    total: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: Summary) -> Summary:
        return Summary(
            self.particles + other.particles,
            self.micrographs + other.micrographs,
            self.total + other.total,
            self.problems + other.problems,
        )


@dataclass(frozen=True)
class Written:
    """What was written, where, and what to do with it; and what is there of earlier exports."""

    summary: Summary
    folder: Path
    files: tuple[Path, ...]
    advice: str
    older: tuple[Path, ...] = ()


class FilesExistError(CryopickError):
    """Files would be replaced that a person may want to keep.

    Attributes
    ----------
    files : list of Path
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        super().__init__(f"{len(files)} files are there already, such as {files[0]}: choose another folder")


def summary(materials: Iterable[Material], choice: Choice) -> Summary:
    """Count what an export would hold."""
    return _chosen_sets(materials, choice)[1]


def export(
    materials: Iterable[Material],
    choice: Choice,
    folder: Path,
    format: str,
    flip_y: bool = False,
    overwrite: bool = False,
) -> Written:
    """Write coordinates: one file a micrograph, and the format's index.

    Parameters
    ----------
    materials : iterable of Material
        The micrographs that were asked for.
    choice : Choice
    folder : Path
        Made if it is not there.
    format : str
        One of `coordinates.FORMATS`.
    flip_y : bool
        Row r becomes height - 1 - r.
    overwrite : bool
        Replace files that are there.

    Raises
    ------
    FilesExistError
        If there are some and they are not to be replaced.
    CryopickError
        If there is nothing to write, names collide, or writing fails.
    """
    sets, total = _chosen_sets(materials, choice)
    if not sets:
        reason = f" ({total.problems[0]})" if total.problems else ""
        raise CryopickError(f"nothing to export{reason}: pick micrographs first, or choose your labels")
    root = Path(os.path.commonpath([absolute(path).parent for path in sets]))
    project = relion_project(root)
    rows = [replace(rows, micrograph=_name(path, format, project)) for path, rows in sets.items()]
    standing = _standing([row.micrograph for row in rows], folder, format, root)
    if standing and not overwrite:
        raise FilesExistError(standing)
    files = write_coordinates(rows, folder, format, flip_y, root, project)
    advice = ADVICE[format].format(folder=folder, index=folder / (FORMATS[format].index or ""))
    if format == "relion" and not root.is_relative_to(project):
        advice += NO_PROJECT
    return Written(total, folder, tuple(files), advice, _older(files, folder, format))


def relion_project(folder: Path) -> Path:
    """Find the RELION project that a folder lies in; without one, the current folder is taken for it."""
    return next((top for top in (folder, *folder.parents) if (top / RELION_PROJECT).is_file()), Path.cwd())


def _name(path: Path, format: str, project: Path) -> str:
    """Name a micrograph; RELION must find it, letter for letter, in its own files."""
    return name_from(path, project) if format == "relion" else absolute(path).as_posix()


def _standing(names: Sequence[str], folder: Path, format: str, root: Path) -> list[Path]:
    """List the files that an export would replace."""
    index = FORMATS[format].index
    own = () if FORMATS[format].is_one_file else targets(names, folder, format, root).values()
    return [file for file in (*own, *([folder / index] if index else [])) if file.exists()]


def _older(files: Sequence[Path], folder: Path, format: str) -> tuple[Path, ...]:
    """List the coordinates of the same kind that an export has left beside its own."""
    if FORMATS[format].is_one_file or SUFFIX[format] in ANYTHING:
        return ()
    return tuple(sorted(set(folder.glob(f"*{SUFFIX[format]}")) - set(files)))


def _chosen_sets(materials: Iterable[Material], choice: Choice) -> tuple[dict[Path, CoordinateSet], Summary]:
    """Choose the particles of all micrographs, and count them."""
    sets: dict[Path, CoordinateSet] = {}
    problems: list[str] = []
    total = 0
    for material in materials:
        total += 1
        try:
            picks = chosen(material, choice)
        except CryopickError as error:
            problems.append(str(error))
            continue
        if picks is not None:
            diameter = choice.diameter(material.spacing)
            sets[material.path] = CoordinateSet("", picks, material.shape, material.spacing, diameter)
    particles = sum(len(rows.picks) for rows in sets.values())
    return sets, Summary(particles, len(sets), total, tuple(problems))
