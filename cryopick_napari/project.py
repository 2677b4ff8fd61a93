"""A project: a folder that remembers micrographs, labels, settings, models and picks.

::

    project.json            the micrographs, their pixel size, the particle's size, what is in use
    labels/<key>.json       what a person said about one micrograph, px, rows before columns
    picks/<key>.npz         every pick of one micrograph, whatever its score, and the model that made it
    models/<name>.safetensors, <name>.json     a model, and how its training went
    training.safetensors    a training that can go on

Each file is replaced as a whole, so that a crash at any moment leaves the last state that was saved.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, replacing, write_json
from cryopick_napari.labels import Labels, Polygon
from cryopick_napari.models import Models
from cryopick_napari.picks import Picks

SETTINGS = "project.json"
TRAINING = "training.safetensors"
VERSION = 1
LARGEST_POSITION = 1e6  # px; what is beyond cannot be of a micrograph


@dataclass(frozen=True)
class Settings:
    """What a project is about.

    Attributes
    ----------
    micrographs : tuple of str
        Absolute paths, in the order they were opened.
    spacing : float or None
        Å/px, where the files do not say it.
    diameter : float or None
        Of the particle, as it was given: in Å or px.
    in_angstrom : bool
    model : str or None
        The model in use.
    threshold : float or None
        Least score of a pick; None takes the model's own.
    min_distance : float or None
        Least distance of picks in diameters; None takes the model's own.
    """

    micrographs: tuple[str, ...] = ()
    spacing: float | None = None
    diameter: float | None = None
    in_angstrom: bool = True
    model: str | None = None
    threshold: float | None = None
    min_distance: float | None = None

    @property
    def size(self) -> ParticleSize | None:
        """The particle's size, once it was given."""
        return None if self.diameter is None else ParticleSize(self.diameter, self.in_angstrom)


@dataclass(frozen=True)
class Project:
    """A project's folder."""

    folder: Path

    @classmethod
    def opened(cls, folder: str | Path) -> Project:
        """Open a project, or begin one.

        Raises
        ------
        CryopickError
            If the folder cannot be made, or holds a project of a newer version or a damaged one.
        """
        project = cls(Path(os.path.abspath(folder)))  # noqa: PTH100, a link may be the user's choice
        moved = project._content().get("moved_to")
        if isinstance(moved, str) and (Path(moved) / SETTINGS).is_file():
            return cls(Path(moved))
        try:
            for part in ("labels", "picks", "models"):
                (project.folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CryopickError(
                f"cannot make the project {project.folder}: {error.strerror or error}; choose another folder"
            ) from error
        return project

    def settings(self) -> Settings:
        """Read what the project is about; that of a new one is empty."""
        content = self._content()
        known = {item.name: content[item.name] for item in fields(Settings) if item.name in content}
        try:
            paths = tuple(str(path) for path in known.pop("micrographs", ()))
            numbers = ("spacing", "diameter", "threshold", "min_distance")
            known |= {name: float(known[name]) for name in numbers if known.get(name) is not None}
            settings = Settings(paths, **known)
            _ = settings.size
        except (TypeError, ValueError, CryopickError) as error:
            raise CryopickError(
                f"{self.folder / SETTINGS} is damaged ({error}): remove that file and open the micrographs "
                "again; the labels are kept"
            ) from error
        return settings

    def save_settings(self, settings: Settings) -> None:
        """Write what the project is about."""
        write_json(self.folder / SETTINGS, {"version": VERSION, **asdict(settings)})

    def labels(self, micrograph: Path) -> Labels:
        """Read the labels of a micrograph; empty if there are none.

        Raises
        ------
        CryopickError
            If the file is damaged.
        """
        path = self._labels_file(micrograph)
        return labels_from(read_json(path), path) if path.exists() else Labels(Picks.of([]))

    def save_labels(self, micrograph: Path, labels: Labels) -> None:
        """Write the labels of a micrograph."""
        content = {"micrograph": str(micrograph), "positives": labels.positives.yx.tolist()}
        content |= {"negatives": labels.negatives.yx.tolist()}
        content |= {"complete": [area.tolist() for area in labels.complete]}
        content |= {"excluded": [area.tolist() for area in labels.excluded]}
        write_json(self._labels_file(micrograph), content)

    def has_labels(self, micrograph: Path) -> bool:
        """Whether labels of a micrograph were ever saved."""
        return self._labels_file(micrograph).exists()

    def picks(self, micrograph: Path) -> tuple[Picks, str] | None:
        """Read all picks of a micrograph and the name of the model that made them, if there are some."""
        try:
            with np.load(self._picks_file(micrograph), allow_pickle=False) as content:
                return Picks.of(content["yx"], content["score"]), str(content["model"])
        except (OSError, ValueError, KeyError, EOFError):
            return None  # they can be made again

    def save_picks(self, micrograph: Path, picks: Picks, model: str) -> None:
        """Write all picks of a micrograph, and the name of the model that made them."""
        with replacing(self._picks_file(micrograph)) as temporary:
            np.savez(temporary, yx=picks.yx, score=picks.score, model=np.array(model))

    @property
    def models(self) -> Models:
        """The models that were trained in this project."""
        return Models(self.folder / "models")

    def moved(self, folder: str | Path) -> Project:
        """Copy the project to another folder, which the old one points to from now on.

        Raises
        ------
        CryopickError
            If that folder holds something already, or cannot be written.
        """
        target = Path(os.path.abspath(folder))  # noqa: PTH100
        if target.exists() and any(target.iterdir()):
            raise CryopickError(f"{target} is not empty: choose a new folder")
        try:
            shutil.copytree(self.folder, target, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise CryopickError(f"cannot copy the project to {target}: {error}") from error
        write_json(self.folder / SETTINGS, {"version": VERSION, "moved_to": str(target)})
        return Project(target)

    def _content(self) -> dict[str, Any]:
        path = self.folder / SETTINGS
        if not path.exists():
            return {}
        content = read_json(path)
        if content.get("version") != VERSION:
            raise CryopickError(f"{path} is of another version of cryopick-napari: upgrade it")
        return content

    def _labels_file(self, micrograph: Path) -> Path:
        return self.folder / "labels" / f"{key_of(micrograph)}.json"

    def _picks_file(self, micrograph: Path) -> Path:
        return self.folder / "picks" / f"{key_of(micrograph)}.npz"


def key_of(micrograph: Path) -> str:
    """Name a micrograph's files: readable, and different for equal names in different folders."""
    path = os.path.abspath(micrograph)  # noqa: PTH100
    return f"{Path(path).stem[:80]}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def labels_from(content: Mapping[str, Any], source: Path) -> Labels:
    """Make labels of what a file holds.

    Raises
    ------
    CryopickError
        If it holds something else; names ``source``.
    """
    try:
        positives, negatives = (_positions(content.get(name, ())) for name in ("positives", "negatives"))
        complete, excluded = (
            tuple(map(_positions, content.get(name, ()))) for name in ("complete", "excluded")
        )
    except (TypeError, ValueError) as error:
        raise CryopickError(f"{source} is damaged ({error}): remove it and label again") from error
    return Labels(Picks.of(positives), Picks.of(negatives), complete, excluded)


def _positions(rows: ArrayLike) -> Polygon:
    positions = np.asarray(rows, np.float32)
    if positions.size == 0:
        return positions.reshape(0, 2)
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(f"positions of the shape {positions.shape}")
    if not (np.abs(positions) < LARGEST_POSITION).all():  # also where one is not a number
        raise ValueError("positions that cannot be")
    return positions
