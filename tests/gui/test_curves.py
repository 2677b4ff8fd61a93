"""The curves of a training."""

from __future__ import annotations

from math import nan

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtGui import QColor

from cryopick_napari.gui.curves import Curves
from cryopick_napari.gui.plots import BLUE, GREEN, ORANGE

WHOLE = [
    {"epoch": 1.0, "loss": 0.6, "validation_loss": 0.5, "f1": 0.2, "recall": 0.9},
    {"epoch": 2.0, "loss": 0.3, "validation_loss": nan, "f1": 0.7, "recall": 0.9},
    {"epoch": 3.0, "loss": 0.2, "validation_loss": 0.3, "f1": 0.8, "recall": 0.9},
]
CLICKS = [{**row, "f1": nan} for row in WHOLE]
ALONE = [{"epoch": 1.0, "loss": 0.6}]


@pytest.fixture
def curves(qtbot) -> Curves:
    widget = Curves()
    qtbot.addWidget(widget)
    widget.resize(400, 160)
    widget.show()
    return widget


def painted(widget: Curves, pair: tuple[str, str]) -> bool:
    """Whether a pixel of exactly the colour is on the plot."""
    image = widget.grab().toImage()
    colour = widget.colour(pair).rgb()
    return any(image.pixel(x, y) == colour for x in range(image.width()) for y in range(image.height()))


def test_without_epochs_it_says_so(curves):
    blank = curves.grab().toImage()
    curves.set_rows(WHOLE)
    assert curves.grab().toImage() != blank
    curves.set_rows([])
    assert curves.grab().toImage() == blank
    assert "after the first epoch" in curves.accessibleDescription()


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (WHOLE, ["training loss", "held-out loss", "F1"]),
        (CLICKS, ["training loss", "held-out loss", "recall"]),
        (ALONE, ["training loss"]),
        ([{"epoch": 1.0, "loss": nan}], []),
    ],
)
def test_what_is_missing_or_nan_is_left_out(curves, rows, names):
    curves.set_rows(rows)
    assert [curve.name for curve in curves.curves()] == names
    assert painted(curves, BLUE) == ("training loss" in names)
    assert painted(curves, ORANGE) == ("held-out loss" in names)
    assert painted(curves, GREEN) == (len(names) == 3)


def test_the_planned_epochs_make_room(curves):
    def rightmost() -> int:
        image = curves.grab().toImage()
        blue = QColor(curves.colour(BLUE)).rgb()
        low = range(image.height() // 3, image.height())  # below the legend
        return max(x for x in range(image.width()) if any(image.pixel(x, y) == blue for y in low))

    curves.set_rows(WHOLE)
    full = rightmost()
    curves.set_epochs(30)
    assert rightmost() < full / 2


def test_the_mouse_reads_an_epoch(curves, qtbot):
    curves.set_rows(WHOLE)
    plain = curves.grab().toImage()
    qtbot.mouseMove(curves, QPoint(5, 80))
    qtbot.mouseMove(curves, QPoint(240, 80))
    qtbot.waitUntil(lambda: curves.grab().toImage() != plain)


def test_an_epoch_in_words(curves):
    curves.set_rows(WHOLE)
    assert curves.readout(1) == "epoch 1: training loss 0.6, held-out loss 0.5, F1 0.20"
    assert curves.readout(2) == "epoch 2: training loss 0.3, held-out loss none, F1 0.70"
    assert curves.accessibleDescription() == curves.readout(3)
