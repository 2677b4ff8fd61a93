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
    from cryopick_napari.gui.contributions import LayerData


def open_window(paths: Sequence[Path]) -> None:
    """Show micrographs with their coordinates until the window is closed.

    Parameters
    ----------
    paths : sequence of Path
        Micrographs, folders of them, and coordinate files (.star, .box, .cbox, .csv); none at all
        opens the samples.

    Raises
    ------
    CryopickError
        If napari or a screen is missing, a file cannot be read, or coordinates belong to none of the
        micrographs.
    """
    _check_display()
    _check_napari()
    # What cannot be read is said before a window opens.
    fields = _fields(paths) if paths else _samples()

    import napari
    from napari.layers import Layer

    _keep_quiet_about_pyqt5()
    viewer = napari.Viewer(title="cryopick")
    for number, field in enumerate(fields):
        for data, kwargs, kind in field:
            # Micrographs lie on top of each other: one at a time is shown.
            viewer.add_layer(Layer.create(data, {**kwargs, "visible": number == 0}, kind))
    viewer.layers.selection = set(viewer.layers[:1])
    viewer.reset_view()
    napari.run()


def _fields(paths: Sequence[Path]) -> list[list[LayerData]]:
    """Read the layers of each micrograph: its image, and its picks if there are some."""
    from cryopick_napari.coordinates import match, read_coordinates
    from cryopick_napari.coordinates.formats import ENDING
    from cryopick_napari.gui.contributions import image_layer, points_layer
    from cryopick_napari.micrograph import find_micrographs, read_micrograph

    coordinates = [path for path in paths if path.suffix.lower() in ENDING]
    micrographs = find_micrographs(path for path in paths if path not in coordinates)
    picks, strangers = match([rows for path in coordinates for rows in read_coordinates(path)], micrographs)
    if strangers and not picks:
        raise CryopickError(
            f"the picks of {strangers[0]!r} belong to none of the micrographs: give that one too"
        )
    return [
        [image_layer(read_micrograph(path)), *([points_layer(picks[path])] if path in picks else [])]
        for path in micrographs
    ]


def _samples() -> list[list[LayerData]]:
    from cryopick_napari.gui.contributions import sample_layers
    from cryopick_napari.simulate import SAMPLES

    return [sample_layers(number) for number in range(len(SAMPLES))]


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
