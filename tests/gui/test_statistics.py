"""The statistics window, on a project with picks, numbers and models."""

from __future__ import annotations

import csv
import threading

import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from cryopick_napari.gui.hands import press, wait, wait_until
from cryopick_napari.gui.statistics import (
    AGREEMENT,
    APART,
    CURVES,
    FILE,
    MINE,
    PER_FIELD,
    SCATTER,
    SCORES,
    THEIR_LABELS,
    StatisticsWindow,
)
from cryopick_napari.gui.widget import CryopickWidget
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph_values import Values
from cryopick_napari.models import ModelRecord
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project
from cryopick_napari.simulate import sample

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(opened, qtbot) -> StatisticsWindow:
    """Give the window over four micrographs, of which three are picked: 30, 20 and 10 of their particles."""
    widget = CryopickWidget(opened.viewer)
    opened.viewer.window.add_dock_widget(widget, area="right")
    opened.change(model="model 1", threshold=0.3)
    for number, path in enumerate(opened.micrographs[:3]):
        _, truth = sample(number)
        chosen = truth.where(np.arange(30 - 10 * number))
        opened.project.save_picks(path, Picks.of(chosen.yx, np.linspace(0.9, 0.31, len(chosen))), "model 1")
        opened.row_changed.emit(path)
    wait_until(
        lambda: sum(opened.tallies.of(p).picks(0.3) or 0 for p in opened.micrographs) == 60, 10, "tallies"
    )
    qtbot.wait(100)
    press(widget.statistics)
    window = widget.windows["statistics"]
    qtbot.waitExposed(window)
    return window


def show(window: StatisticsWindow, title: str) -> None:
    window.kind.setCurrentText(title)
    wait_until(lambda: not window.words.text().startswith("Reading"), 10, title)
    wait(0.1)


def test_scores_and_numbers_follow_the_threshold_and_the_rejected(window, qtbot):
    session = window.session
    assert window.kind.currentText() == SCORES
    assert window.words.text().startswith("60 picks on 3 micrographs score at least 0.30")
    assert window.chart.series[0].y.sum() == 60
    session.review.set_threshold(0.6)
    wait_until(lambda: "at least 0.60" in window.words.text(), 5, "the new threshold")
    assert window.chart.series[0].y.sum() < 40
    session.review.set_threshold(0.3)
    show(window, PER_FIELD)
    assert window.words.text() == "3 of 4 micrographs are picked: 60 picks, median 20, 10 to 30."
    session.reject(session.micrographs[:1])
    wait_until(lambda: window.words.text().startswith("2 of 3 micrographs"), 5, "the rejection")


def test_distances_are_measured_beside_the_window(window):
    show(window, APART)
    assert window.chart.x.endswith("Å")
    assert window.words.text().startswith("60 picks on 3 micrographs; median")
    assert window.chart.series[0].y.sum() >= 59


def test_a_dot_of_the_scatter_leads_to_its_micrograph(window, qtbot):
    session = window.session
    defocus = {str(path): (1.0 + number,) for number, path in enumerate(session.micrographs)}
    session.take_values(Values(("Defocus µm",), defocus))
    show(window, SCATTER)
    window.across.setCurrentText("Defocus µm")
    window.up.setCurrentText("Picks")
    wait_until(lambda: window.chart.x == "Defocus µm" and window.chart.y == "Picks", 5, "the columns")
    (dots,) = window.chart.series
    assert dots.x.tolist() == [1, 2, 3]
    assert dots.y.tolist() == [30, 20, 10]
    window.canvas.draw()
    x, y = window.figure.axes[0].transData.transform((3.0, 10.0))
    ratio = window.canvas.device_pixel_ratio
    place = QPoint(round(x / ratio), round(window.canvas.height() - y / ratio))
    qtbot.mouseClick(window.canvas, LEFT, pos=place)
    assert session.current == session.micrographs[2]


def test_the_curves_of_the_models(window):
    session = window.session
    assert "train one" in (show(window, CURVES) or window.words.text())
    from tests.gui.trained import trained_picker

    rows = [{"epoch": float(n), "loss": 1 / n, "recall": n / 5} for n in range(1, 5)]
    for name in ("first", "second"):
        session.project.models.save(trained_picker(), ModelRecord(name, rows=rows))
    session.learning.changed.emit()
    # F1 comes first, but of clicks alone none is known.
    wait_until(lambda: len(window.chart.series) == 2, 5, "the curves")
    assert window.chart.y == "recall on held-out labels"
    assert len(window.figure.axes[0].lines) == 2


def test_agreement_with_labels_a_file_and_another_project(window, tmp_path, monkeypatch):
    session = window.session
    path = session.micrographs[0]
    _, truth = sample(0)
    session.put_labels(path, Labels(truth.where(np.arange(10))))
    show(window, AGREEMENT)
    wait_until(lambda: "10 by my labels" in window.words.text(), 5, "the labels")
    assert "33% of these are among theirs, 100% of theirs among these: F1 0.50" in window.words.text()

    other = Project.opened(tmp_path / "hers")
    other.save_settings(session.settings)
    other.save_labels(path, Labels(truth.where(np.arange(20, 40))))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(other.folder))
    window.theirs.setCurrentText(THEIR_LABELS)
    window.theirs.activated.emit(window.theirs.currentIndex())
    wait_until(lambda: "20 by hers" in window.words.text(), 5, "the project")
    assert "33% of these are among theirs, 50% of theirs" in window.words.text()

    table = tmp_path / "theirs.csv"
    rows = "".join(f"{path.name},{x},{y}\n" for y, x in truth.yx[:30])
    table.write_text(f"micrograph,x,y\n{rows}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(table), ""))
    window.theirs.setCurrentText(FILE)
    window.theirs.activated.emit(window.theirs.currentIndex())
    wait_until(lambda: "30 by theirs.csv" in window.words.text(), 5, "the file")
    assert "F1 1.00" in window.words.text()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    window.theirs.activated.emit(window.theirs.currentIndex())
    assert window.theirs.currentText() == MINE


def test_agreement_with_another_model_of_the_project(window, qtbot):
    session = window.session
    from tests.gui.trained import trained_picker

    session.project.models.save(trained_picker(), ModelRecord("model 2"))
    session.learning.changed.emit()
    show(window, AGREEMENT)
    window.theirs.setCurrentText("the model “model 2”")
    window.theirs.activated.emit(window.theirs.currentIndex())
    wait_until(lambda: "by model 2" in window.words.text(), 60, "the other model's picks")
    assert window.words.text().startswith("3 micrographs: 60 particles here")
    assert len(window.chart.series[0].labels) == 3
    show(window, SCORES)
    show(window, AGREEMENT)  # the choice stays
    wait_until(lambda: "by model 2" in window.words.text(), 60, "them again")


def test_a_damaged_file_is_said_in_the_window(window, tmp_path, monkeypatch):
    bad = tmp_path / "bad.star"
    bad.write_text("nothing of the kind")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(bad), ""))
    show(window, AGREEMENT)
    window.theirs.setCurrentText(FILE)
    window.theirs.activated.emit(window.theirs.currentIndex())
    wait_until(lambda: "bad.star" in window.words.text(), 5, "the error")
    assert not window.picture.isEnabled()


def test_pictures_and_numbers_are_saved(window, tmp_path, monkeypatch):
    for name, button in (
        ("chart.svg", window.picture),
        ("chart", window.picture),
        ("scores", window.numbers),
    ):
        target = str(tmp_path / name)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, target=target: (target, ""))
        press(button)
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {
        "chart.svg",
        "chart.png",
        "scores.csv",
    }
    with (tmp_path / "scores.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["score: from", "to", "picks"]
    assert sum(float(row[2]) for row in rows) == 60


def test_the_wheel_over_a_dot_changes_nothing(window, qtbot):
    session = window.session
    show(window, SCATTER)
    window.across.setCurrentText("Picks")
    window.up.setCurrentText("Picks")
    wait_until(lambda: window.chart.x == window.chart.y == "Picks", 5, "the columns")
    window.canvas.draw()
    before = session.current
    for name, button, value in (
        ("scroll_event", "up", 30.0),
        ("button_press_event", 3, 30.0),
        ("button_press_event", 1, 10.0),
    ):
        x, y = window.figure.axes[0].transData.transform((value, value))
        event = MouseEvent(name, window.canvas, x, y, button)
        window.canvas.callbacks.process(name, event)
        if button == 1:
            assert session.current == session.micrographs[2]
        else:
            assert session.current == before


def test_one_reading_at_a_time_and_the_last_word_counts(window, qtbot):
    session = window.session
    show(window, APART)
    for _ in range(20):
        window.refresh()
    threads = [thread for thread in threading.enumerate() if thread.name == "cryopick statistics"]
    assert len(threads) <= 1
    session.reject(session.micrographs[:2])
    wait_until(lambda: window.words.text().startswith("10 picks on 1 micrograph;"), 10, "the last word")


def test_picks_of_a_model_that_is_not_in_use_do_not_count(window):
    session = window.session
    session.change(model="model 2")
    window.refresh()
    assert "No micrograph is picked yet" in window.words.text()


def test_a_window_that_is_closed_while_it_reads(opened, qtbot):
    widget = CryopickWidget(opened.viewer)
    dock = opened.viewer.window.add_dock_widget(widget, area="right")
    press(widget.statistics)
    window = widget.windows["statistics"]
    window.kind.setCurrentText(APART)
    opened.viewer.window.remove_dock_widget(dock)
    wait(1.0)
    assert not opened.said


def test_a_name_without_an_ending_replaces_nothing(window, tmp_path, monkeypatch):
    (tmp_path / "chart.png").write_bytes(b"mine")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "chart"), ""))
    press(window.picture)
    assert "is there already" in window.session.said[-1]
    assert (tmp_path / "chart.png").read_bytes() == b"mine"


def test_an_empty_window_says_what_to_do(session, qtbot):
    widget = CryopickWidget(session.viewer)
    qtbot.addWidget(widget)
    widget.show_statistics()
    window = widget.windows["statistics"]
    for title in (SCORES, PER_FIELD, APART, SCATTER, CURVES, AGREEMENT):
        show(window, title)
        assert window.words.text().endswith(".")
        assert not window.numbers.isEnabled()
