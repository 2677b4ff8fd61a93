"""The window of `cryopick gui`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.gui.widget import CryopickWidget


def open_window(paths: Sequence[Path]) -> None:
    """Open the window with micrographs until it is closed.

    Parameters
    ----------
    paths : sequence of Path
        Micrographs, folders of them, and a coordinate file (.star, .box, .cbox, .csv), which the window
        offers to take as labels; or the folder of a project. With none the window says how to begin.

    Raises
    ------
    CryopickError
        If napari or a screen is missing, a file cannot be read, or coordinates belong to none of the
        micrographs.
    """
    _check_display()
    _check_napari()
    # What cannot be read is said before a window opens.
    micrographs, coordinates, project = _sorted(paths)

    import napari

    widget = make_window()
    session = widget.session
    if project is not None:
        session.guarded(session.open_project, project)
    if micrographs:
        session.guarded(session.open_paths, micrographs)
        widget.show_panel("Label")
    if coordinates is not None:
        session.guarded(session.picking.importing.read, coordinates)
    napari.run()


def make_window() -> CryopickWidget:
    """Make a napari window with the widget docked, nothing open."""
    import napari

    from cryopick_napari.gui.widget import CryopickWidget

    _keep_quiet_about_pyqt5()
    viewer = napari.Viewer(title="cryopick")
    widget = CryopickWidget(viewer)
    viewer.window.add_dock_widget(widget, name="cryopick", area="right")
    return widget


def _sorted(paths: Sequence[Path]) -> tuple[list[Path], Path | None, Path | None]:
    """Tell micrographs, a coordinate file and a project apart."""
    from cryopick_napari.coordinates import match, read_coordinates
    from cryopick_napari.coordinates.formats import ENDING
    from cryopick_napari.micrograph import find_micrographs
    from cryopick_napari.project import SETTINGS

    project = next((path for path in paths if (path / SETTINGS).is_file()), None)
    rest = [path for path in paths if path != project]
    coordinates = [path for path in rest if path.suffix.lower() in ENDING]
    micrographs = find_micrographs(path for path in rest if path not in coordinates)
    picks, strangers = match([rows for path in coordinates for rows in read_coordinates(path)], micrographs)
    if strangers and not picks:
        raise CryopickError(
            f"the picks of {strangers[0]!r} belong to none of the micrographs: give that one too"
        )
    if len(coordinates) > 1:
        raise CryopickError("give one file of coordinates; the window imports others under Export")
    return micrographs, coordinates[0] if coordinates else None, project


def _check_display() -> None:
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise CryopickError(
            "there is no screen for a window: log in with ssh -X, or use cryopick train and cryopick pick"
        )


def _check_napari() -> None:
    try:
        import napari  # noqa: F401
        from qtpy import QtWidgets  # noqa: F401
    except ImportError as error:
        # Qt is there but not what it needs of the system: its own words name the library.
        if "cannot open shared object file" in str(error):
            raise CryopickError(f"Qt cannot start: {error}; install that system library") from error
        raise CryopickError("the window needs napari and Qt: pip install 'cryopick-napari[gui]'") from error


def _keep_quiet_about_pyqt5() -> None:
    """Spare the user what napari 0.9 says about PyQt5 at every start, in the window and in the terminal."""
    from napari._qt import qt_main_window

    warnings.filterwarnings("ignore", "System theme detection requires a Qt6 backend", UserWarning)
    if hasattr(qt_main_window, "SHOW_QT_WARNING"):
        qt_main_window.SHOW_QT_WARNING = False
