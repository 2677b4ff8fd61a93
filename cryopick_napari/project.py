"""A project: a folder that remembers micrographs, labels, settings, models and picks.

::

    project.json            the micrographs, their pixel size, the particle's size, what is in use
    window.json             where a person was when the window was closed
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
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, remove, replacing, write_json
from cryopick_napari.holding import FILE as HOLD
from cryopick_napari.labels import Labels, no_picks
from cryopick_napari.models import Models
from cryopick_napari.picks import Picks
from cryopick_napari.project_files import (
    Settings,
    View,
    content_of,
    labels_from,
    picks_from,
    settings_from,
    view_from,
)

__all__ = ["SETTINGS", "TRAINING", "Project", "Settings", "View", "content_of", "key_of", "labels_from"]

SETTINGS = "project.json"
TRAINING = "training.safetensors"
VIEW = "window.json"
VERSION = 1
READ_ONLY = (
    "this project is open elsewhere, and only shown here: close it there and press “Try again”, "
    "or save it as another project"
)
LONGEST_NAME = 50  # letters of a micrograph's name in those of its files, which have 255 bytes


@dataclass(frozen=True)
class Project:
    """A project's folder.

    Attributes
    ----------
    folder : Path
    is_read_only : bool
        Whether somebody else works on it: settings and picks are not saved then, and labels cannot be.
    """

    folder: Path
    is_read_only: bool = False

    @classmethod
    def opened(cls, folder: str | Path) -> Project:
        """Open a project, or begin one.

        Raises
        ------
        CryopickError
            If the folder cannot be made, or holds a project of a newer version or a damaged one.
        """
        project = cls(Path(os.path.abspath(folder)))._followed()  # noqa: PTH100, a link may be the user's choice
        try:
            for part in ("labels", "picks", "models"):
                (project.folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CryopickError(
                f"cannot make the project {project.folder}: {error.strerror or error}; choose another folder"
            ) from error
        return project

    @classmethod
    def existing(cls, folder: str | Path) -> Project:
        """Open a project that is there.

        Raises
        ------
        CryopickError
            If there is none, or it is damaged.
        """
        if not (Path(folder) / SETTINGS).is_file():
            raise CryopickError(f"{folder} is no project: it holds no {SETTINGS}; the window makes one")
        return cls.opened(folder)

    def settings(self) -> Settings:
        """Read what the project is about; that of a new one is empty."""
        try:
            return settings_from(self._content())
        except ValueError as error:
            raise CryopickError(
                f"{self.folder / SETTINGS} is damaged ({error}): remove that file and open the micrographs "
                "again; the labels are kept"
            ) from error

    def save_settings(self, settings: Settings) -> None:
        """Write what the project is about."""
        if not self.is_read_only:
            write_json(self.folder / SETTINGS, {"version": VERSION, **asdict(settings)})

    def view(self) -> View:
        """Read where a person was; nowhere if nothing is known of it."""
        try:
            return view_from(read_json(self.folder / VIEW))
        except CryopickError:
            return View()

    def save_view(self, view: View) -> None:
        """Write where a person is."""
        if not self.is_read_only:
            write_json(self.folder / VIEW, asdict(view))

    def labels(self, micrograph: Path) -> Labels:
        """Read the labels of a micrograph; empty if there are none.

        Raises
        ------
        CryopickError
            If the file is damaged.
        """
        path = self._labels_file(micrograph)
        return labels_from(read_json(path), path) if os.path.lexists(path) else Labels(no_picks())

    def save_labels(self, micrograph: Path, labels: Labels) -> None:
        """Write the labels of a micrograph; a damaged file of before is kept as ``.damaged``."""
        if self.is_read_only:
            raise CryopickError(READ_ONLY)
        self._set_damaged_aside(micrograph)
        write_json(self._labels_file(micrograph), content_of(micrograph, labels))

    def has_labels(self, micrograph: Path) -> bool:
        """Whether labels of a micrograph were ever saved."""
        return self._labels_file(micrograph).exists()

    def forget_picks(self, micrograph: Path) -> None:
        """Remove the picks of a micrograph, if there are some."""
        remove(self._picks_file(micrograph))

    def picks(self, micrograph: Path) -> tuple[Picks, str] | None:
        """Read all picks of a micrograph and the name of the model that made them, if there are some."""
        try:
            return picks_from(self._picks_file(micrograph))
        except Exception:
            return None  # a damaged archive raises anything; they can be made again

    def save_picks(self, micrograph: Path, picks: Picks, model: str) -> None:
        """Write all picks of a micrograph, and the name of the model that made them."""
        if self.is_read_only:
            return
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
        if target.is_relative_to(self.folder):
            raise CryopickError(f"{target} is inside the project: choose a folder elsewhere")
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise CryopickError(f"{target} is not empty: choose a new folder")
        try:
            shutil.copytree(
                self.folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(HOLD, ".*")
            )
        except (OSError, shutil.Error) as error:
            shutil.rmtree(target, ignore_errors=True)
            raise CryopickError(
                f"cannot copy the project to {target} ({error}): choose another folder"
            ) from error
        if self.is_read_only:  # it stays where it is, to the one who works on it
            return Project(target)
        with suppress(CryopickError):  # an old place that cannot be written does not point to the new one
            content = {**self._content(), "version": VERSION, "moved_to": str(target)}
            write_json(self.folder / SETTINGS, content)
        return Project(target)

    def _followed(self) -> Project:
        """Go where the project was moved to, and from there on."""
        project, seen = self, {self.folder}
        while isinstance(moved := project._content().get("moved_to"), str):
            there = Project(Path(moved))
            if there.folder in seen or not (there.folder / SETTINGS).is_file():
                break
            seen.add(there.folder)
            project = there
        return project

    def _set_damaged_aside(self, micrograph: Path) -> None:
        path = self._labels_file(micrograph)
        try:
            if os.path.lexists(path):
                labels_from(read_json(path), path)
        except CryopickError:
            number, kept = 1, path.with_name(f"{path.name}.damaged")
            while kept.exists():
                number += 1
                kept = path.with_name(f"{path.name}.damaged{number}")
            try:
                path.rename(kept)
            except OSError as error:
                raise CryopickError(f"cannot write {path}: {error.strerror or error}") from error

    def _content(self) -> dict[str, Any]:
        path = self.folder / SETTINGS
        if not path.exists():
            return {}
        content = read_json(path)
        version = content.get("version")
        if not isinstance(version, int):
            raise CryopickError(f"{path} is not a project's: choose another folder, or remove that file")
        if version != VERSION:
            raise CryopickError(f"{path} is of another version of cryopick-napari: upgrade it")
        return content

    def _labels_file(self, micrograph: Path) -> Path:
        return self.folder / "labels" / f"{key_of(micrograph)}.json"

    def _picks_file(self, micrograph: Path) -> Path:
        return self.folder / "picks" / f"{key_of(micrograph)}.npz"


def key_of(micrograph: Path) -> str:
    """Name a micrograph's files: readable, and different for equal names in different folders."""
    path = os.path.abspath(micrograph)  # noqa: PTH100
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return f"{Path(path).stem[:LONGEST_NAME]}-{digest}"
