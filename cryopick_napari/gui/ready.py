"""Have at hand what napari's first layers need, before somebody waits for a micrograph."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from cryopick_napari.gui.worker import Job, once

SOON = 1000  # ms: by then the window was painted


def get_ready() -> None:
    """Import pandas beside the window, and make the units: else the first layer takes more than a second."""
    QTimer.singleShot(SOON, _get_ready)


def _get_ready() -> None:
    Job(once(_import_pandas), "pandas").start()
    # On the window's thread: a registry of units that two threads make at once is broken.
    import pint

    _ = pint.get_application_registry().pixel  # type: ignore[no-untyped-call]


def _import_pandas() -> None:
    import pandas  # noqa: F401, napari's points have a table each
