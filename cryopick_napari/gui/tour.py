"""A tour of the window by a person's clicks: the pictures of the demo's report and of the docs.

``python -m cryopick_napari.gui.tour FOLDER`` takes them; it needs a screen, which Xvfb can be.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import click, press, wait, wait_until
from cryopick_napari.gui.statistics import APART
from cryopick_napari.gui.widget import CryopickWidget
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

CLICKS = 15
CARBON = 2  # the sample with the edge of the film
SIZE = 1500, 950  # px of the screen
ENOUGH = 4  # epochs, half a minute: a person who likes what the overlay shows stops there


def take_tour(widget: CryopickWidget, folder: Path, seed: int = 0) -> float:
    """Label, train and review the first sample by clicks; pictures go to a folder.

    Parameters
    ----------
    widget : CryopickWidget
        In an empty window.
    folder : Path
        A picture of each panel, of the empty window, and of two maps is written there.
    seed : int
        Chooses the particles that are clicked.

    Returns
    -------
    float
        F1 of the picks on that sample, which the person has seen only in part.
    """
    window = widget.session.viewer.window
    window.resize(*SIZE)
    folder.mkdir(parents=True, exist_ok=True)
    photograph(widget, folder / "start.png")
    _open_samples(widget)
    photograph(widget, folder / "micrographs.png")
    _, truth = sample(0)
    _label(widget, truth.where(np.random.default_rng(seed).permutation(len(truth))[:CLICKS]))
    photograph(widget, folder / "label.png")
    _train(widget, folder / "train.png")
    session = widget.session
    widget.show_panel("Review")
    wait_until(lambda: not session.review.is_running and len(session.review.picks) > 0, 60, "picking")
    wait(1.5)
    photograph(widget, folder / "review.png")
    widget.show_panel("Export")
    photograph(widget, folder / "export.png")
    picks = session.review.picks.above(session.review.threshold)
    found = score(picks, truth, STRICT * session.diameter).f1
    pick_the_others(widget)
    show_statistics(widget, APART, folder / "statistics.png")
    _show_maps(widget, folder)
    return found


def _open_samples(widget: CryopickWidget) -> None:
    """Open the samples by the button of the empty window."""
    panel, session = widget.panels["Micrographs"], widget.session
    press(panel.start.samples)
    wait_until(lambda: session.field is not None, 30, "opening the samples")


def _label(widget: CryopickWidget, particles: Picks) -> None:
    """Type the diameter and click particles."""
    widget.show_panel("Label")
    wait(0.2)
    size = widget.panels["Label"].size_form
    size.diameter.setValue(SAMPLE_DIAMETER)
    wait(0.5)
    for yx in particles.yx:
        click(widget.session.viewer, yx)


def _train(widget: CryopickWidget, picture: Path) -> None:
    """Press Train, wait until the curve is flat, and press Stop."""
    session, panel = widget.session, widget.panels["Train"]
    widget.show_panel("Train")
    wait(0.2)
    press(panel.train)
    wait_until(lambda: session.learning.is_running, 10, "starting")
    wait_until(lambda: len(session.learning.rows) >= ENOUGH, 300, "training")
    photograph(widget, picture)
    press(panel.stop)
    wait_until(lambda: not session.learning.is_running, 60, "stopping")


def pick_the_others(widget: CryopickWidget) -> None:
    """Press the button that picks the other micrographs, and wait until they are."""
    session, panel = widget.session, widget.panels["Export"]
    widget.show_panel("Export")
    wait_until(lambda: bool(session.picking.remaining), 30, "counting")
    press(panel.pick.start)
    wait_until(lambda: session.picking.remaining == 0 and not session.picking.is_running, 300, "picking")


def show_statistics(widget: CryopickWidget, title: str, picture: Path) -> None:
    """Open the statistics, choose a chart, and take a picture of it."""
    press(widget.statistics)
    window = widget.windows["statistics"]
    window.kind.setCurrentText(title)
    wait_until(lambda: window.chart.has_data, 30, "the chart")
    wait(0.8)
    window.grab().save(str(picture))
    window.reject()


def _show_maps(widget: CryopickWidget, folder: Path) -> None:
    """Look at the maps of the sample with the carbon film, one after the other."""
    session = widget.session
    session.go(session.micrographs[CARBON])
    wait_until(lambda: session.field is not None and session.field.path == session.current, 30, "reading")
    wait_until(lambda: not session.review.is_running and session.review.overlays.has_maps, 60, "picking")
    session.canvas.change_look(Kind.PICKS, visible=False)
    for kind, other in ((Kind.PROBABILITY, Kind.ATTENTION), (Kind.ATTENTION, Kind.PROBABILITY)):
        session.review.show_overlay(other, False)
        session.review.show_overlay(kind, True)
        wait(0.8)
        session.viewer.screenshot(str(folder / f"{kind.value}.png"), flash=False)


def photograph(widget: CryopickWidget, path: Path) -> None:
    """Take a picture of the whole window, once it is at rest."""
    wait(0.8)
    widget.session.viewer.window.screenshot(str(path), flash=False)


def main(folder: Path) -> int:
    """Take the tour in a window of its own; return the exit code."""
    from cryopick_napari.gui.app import make_window

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_DATA_HOME"] = home  # a guest leaves nothing behind
        widget = make_window()
        try:
            found = take_tour(widget, folder)
        finally:
            widget.session.viewer.close()
    print(f"window: {CLICKS} clicks, F1 {found:.2f} on that field; pictures in {folder}")
    print(f"the tour took {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
