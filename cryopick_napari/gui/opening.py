"""The ways to open something: dialogs, drops, samples, and images that are open in napari already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from cryopick_napari.coordinates.formats import ENDING
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.places import projects_folder
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.micrograph import MICROGRAPH_SUFFIXES, write_mrc
from cryopick_napari.micrograph_values import Values, read_values
from cryopick_napari.project import SETTINGS

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

PATTERN = " ".join(f"*{ending} *{ending.upper()}" for ending in MICROGRAPH_SUFFIXES)


def ask_for_micrographs(session: Session, parent: QWidget) -> None:
    """Let a person choose files."""
    names, _ = QFileDialog.getOpenFileNames(
        parent, "Open micrographs", _start(session), f"Micrographs ({PATTERN});;All files (*)"
    )
    if names:
        session.guarded(session.open_paths, names)


def ask_for_folder(session: Session, parent: QWidget) -> None:
    """Let a person choose a folder of micrographs."""
    name = QFileDialog.getExistingDirectory(parent, "Open all micrographs of a folder", _start(session))
    if name:
        session.guarded(session.open_paths, [name])


def ask_what_to_follow(session: Session, parent: QWidget) -> None:
    """Let a person choose a folder that is still filling."""
    name = QFileDialog.getExistingDirectory(parent, "Follow a folder that is still filling", _start(session))
    if name:
        session.guarded(session.following.start, name)


def ask_for_project(session: Session, parent: QWidget) -> None:
    """Let a person choose a project."""
    name = QFileDialog.getExistingDirectory(parent, "Open a project's folder", str(projects_folder()))
    if name:
        session.guarded(open_project, session, Path(name))


def ask_for_new_project(session: Session, parent: QWidget) -> None:
    """Let a person choose where to begin a project, as a second one of the same micrographs."""
    name = QFileDialog.getExistingDirectory(parent, "Choose a new, empty folder", str(projects_folder()))
    if name:
        session.guarded(begin_project, session, Path(name))


def begin_project(session: Session, folder: Path) -> None:
    """Begin a project in an empty folder, and put the one before away.

    Raises
    ------
    CryopickError
        If something is in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise CryopickError(f"{folder} is not empty: choose a new folder, or “Open project…”")
    session.open_project(folder)


def ask_for_values(session: Session, parent: QWidget) -> None:
    """Let a person choose a table of what another program found about the micrographs."""
    name, _ = QFileDialog.getOpenFileName(
        parent,
        "Read a table about the micrographs",
        _start(session),
        "Tables (*.star *.csv *.tsv);;All files (*)",
    )
    if name:
        use_values(session, Path(name))


def use_values(session: Session, path: Path) -> None:
    """Read a table beside the window, and show its numbers in the list of micrographs."""
    project, micrographs = session.project, list(session.micrographs)

    def show(values: Values) -> None:
        session.take_values(values)
        titles, known = ", ".join(values.titles), len(values.rows)
        show_info(f"{titles}: known of {known:,} of {len(micrographs):,} micrographs")

    def take(values: Values) -> None:
        if session.project is project:
            session.guarded(show, values)

    job = Job(once(lambda: read_values(path).for_files(micrographs)), "values")
    job.returned.connect(take)
    job.failed.connect(session.say)
    job.start()


def ask_where_to_save(session: Session, parent: QWidget) -> None:
    """Let a person choose a place for the project."""
    name = QFileDialog.getExistingDirectory(
        parent, "Choose a new, empty folder for the project", _start(session)
    )
    if name:
        session.guarded(session.save_project_as, name)


def open_samples(session: Session) -> None:
    """Open the micrographs that come with the package."""
    from cryopick_napari.simulate import samples

    session.open_paths(samples())


def open_project(session: Session, folder: Path) -> None:
    """Open a project.

    Raises
    ------
    CryopickError
        If the folder holds none.
    """
    if not (folder / SETTINGS).is_file():
        raise CryopickError(
            f"{folder} holds no project (there is no {SETTINGS} in it): "
            "for a folder of micrographs use “Open folder…”"
        )
    session.open_project(folder)


def open_dropped(session: Session, paths: Sequence[Path]) -> None:
    """Open what was dropped: a project, or micrographs and folders of them.

    Raises
    ------
    CryopickError
        If there are none, or there are coordinates.
    """
    if any(path.suffix.lower() in ENDING for path in paths):
        raise CryopickError("coordinates are imported on the Export tab; drop micrographs or folders here")
    if len(paths) == 1 and (paths[0] / SETTINGS).is_file():
        session.open_project(paths[0])
    else:
        session.open_paths(paths)


def other_images(session: Session) -> list[Image]:
    """List the image layers that a person opened in napari."""
    ours = [session.canvas.layer(kind) for kind in Kind]
    return [layer for layer in session.viewer.layers if isinstance(layer, Image) and layer not in ours]


def use_layer(session: Session, layer: Image) -> None:
    """Open the image of a layer as a micrograph: its file, or a copy of its pixels.

    Raises
    ------
    CryopickError
        If it is not one grey image, or cannot be written.
    """
    pixels = _plane(layer)
    for name in (layer.metadata.get("path"), layer.source.path):
        if name and Path(name).is_file():
            session.open_paths([name])
            return
    # The same pixels are the same micrograph: opening them again finds their labels.
    name = f"{_file_name(layer.name)}-{hashlib.sha256(pixels.tobytes()).hexdigest()[:8]}"
    if session.project is None:
        session.open_project(projects_folder() / name)
    path = session.opened().folder / "micrographs" / f"{name}.mrc"
    path.parent.mkdir(exist_ok=True)
    write_mrc(path, pixels)
    session.open_paths([path])


def _plane(layer: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Take the pixels (h, w) of a layer."""
    if layer.multiscale:
        kind = "a multiscale image"
    elif layer.rgb:
        kind = "a colour image"
    elif layer.ndim != 2:
        kind = f"a stack of {layer.ndim} dimensions"
    else:
        return np.asarray(layer.data, np.float32)
    raise CryopickError(f"layer {layer.name!r} is {kind}: a micrograph is one grey image of rows and columns")


def _file_name(text: str) -> str:
    return (
        "".join(letter if letter.isalnum() or letter in " -_." else "_" for letter in text).strip(" .")
        or "layer"
    )


def _start(session: Session) -> str:
    """Say where a dialog begins: beside the micrograph that is looked at."""
    return str(Path.home() if session.current is None else session.current.parent)
