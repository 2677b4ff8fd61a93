"""The tutorial on EMPIAR-10017, done in the real window by clicks: its pictures and its figures.

Needs the labelled micrographs, as `benchmarks.real` does. Run it where a screen is:
``xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.tutorial``. Its pictures are those of the docs.
"""

from __future__ import annotations

import os
import tempfile
import time
import tomllib
from collections.abc import Iterator

import numpy as np

from benchmarks.real import HERE, load
from cryopick_napari.config import ParticleSize
from cryopick_napari.gui.app import make_window
from cryopick_napari.gui.hands import click, press, wait, wait_until
from cryopick_napari.gui.statistics import APART, SCORES
from cryopick_napari.gui.tour import SIZE, photograph, pick_the_others, show_statistics
from cryopick_napari.gui.widget import CryopickWidget
from cryopick_napari.labels import Example
from cryopick_napari.metrics import STRICT, Score, score
from cryopick_napari.picks import Picks

NAME, CLICKS = "empiar-10017", 30
PICTURES = HERE.parent / "docs" / "images" / "tutorial"
Row = tuple[str, str]


def main() -> None:
    split = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))[NAME]
    fields = load(NAME, split, "train")[:1] + load(NAME, split, "test")
    PICTURES.mkdir(exist_ok=True, parents=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = home
        widget = make_window()
        widget.session.viewer.window.resize(*SIZE)
        rows = list(steps(widget, fields, split["diameter"], split["spacing"]))
        widget.session.viewer.close()
    from benchmarks.machine import save  # imports torch

    lines = ["| step | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)]
    save("tutorial", "xvfb-run python -m benchmarks.tutorial", "\n".join(lines))


def steps(widget: CryopickWidget, fields: list[Example], diameter: float, spacing: float) -> Iterator[Row]:
    """Do what the tutorial says; labels are used for the clicks on the first field, and for the scores."""
    session = widget.session
    first, *others = fields
    session.open_paths([field.micrograph.path for field in fields])
    wait_until(lambda: session.field is not None, 30, "opening")
    session.set_spacing(spacing)
    wait_until(lambda: session.field is not None, 30, "reading")
    widget.show_panel("Label")
    start = time.perf_counter()
    session.set_size(ParticleSize(diameter))
    wait_until(lambda: len(session.review.picks) > 0, 120, "the general model")
    yield "first circles of the general model after", f"{time.perf_counter() - start:.1f} s"
    photograph(widget, PICTURES / "general.png")
    yield "F1 of that micrograph then", f"{f1(widget, first):.2f}"
    inside = first.labels.positives.within(first.micrograph.shape, 200)
    for yx in inside.yx[np.random.default_rng(0).permutation(len(inside))[:CLICKS]]:
        click(session.viewer, yx)
    wait_until(lambda: session.learning.untrained == "first look", 60, "the first look")
    wait_until(lambda: not session.review.is_running, 60, "the first look")
    photograph(widget, PICTURES / "clicks.png")
    yield f"F1 of the first look, {CLICKS} clicks", f"{f1(widget, first):.2f}"
    start = time.perf_counter()
    widget.show_panel("Train")
    press(widget.panels["Train"].train)
    wait_until(lambda: session.learning.is_running, 20, "starting")
    wait_until(lambda: not session.learning.is_running, 900, "training")
    yield "training to its end", f"{time.perf_counter() - start:.0f} s"
    wait_until(lambda: not session.review.is_running, 60, "picking")
    photograph(widget, PICTURES / "train.png")
    start = time.perf_counter()
    pick_the_others(widget)
    yield f"picking the other {len(others)}", f"{time.perf_counter() - start:.0f} s"
    total = Score(0, 0, 0)
    for field in others:
        assert field.micrograph.path is not None and session.project is not None
        picks = session.project.picks(field.micrograph.path.absolute())
        assert picks is not None
        total += agreed(picks[0].above(session.review.threshold), field, session.diameter)
    yield "F1 of those, at the threshold that was chosen", f"{total.f1:.2f}"
    session.step(1)
    widget.show_panel("Review")
    wait_until(lambda: session.field is not None and not session.review.is_running, 60, "the next field")
    wait(1.5)
    photograph(widget, PICTURES / "review.png")
    show_statistics(widget, SCORES, PICTURES / "scores.png")
    show_statistics(widget, APART, PICTURES / "distances.png")


def f1(widget: CryopickWidget, field: Example) -> float:
    review = widget.session.review
    return agreed(review.picks.above(review.threshold), field, widget.session.diameter).f1


def agreed(picks: Picks, field: Example, diameter: float) -> Score:
    return score(picks, field.labels.positives, STRICT * diameter)


if __name__ == "__main__":
    main()
