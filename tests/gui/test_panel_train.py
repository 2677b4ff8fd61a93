from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLineEdit, QWidget

from cryopick_napari.config import PRESETS, ParticleSize
from cryopick_napari.files import write_json
from cryopick_napari.gui.panels.train import TrainPanel
from cryopick_napari.gui.panels.train_words import about, course
from cryopick_napari.labels import Labels
from cryopick_napari.models import ModelRecord
from cryopick_napari.simulate import sample
from cryopick_napari.training import Progress

LEFT = Qt.MouseButton.LeftButton
QUICK = {
    "network_diameter": "10",
    "filter_channel": False,
    "initial_epochs": 2,
    "epoch_crops": 16,
    "patch_size": 64,
    "batch_size": 4,
    "device": "cpu",
}


@pytest.fixture
def panel(session, qtbot) -> TrainPanel:
    panel = TrainPanel(session)
    session.viewer.window.add_dock_widget(panel)
    return panel


@pytest.fixture
def ready(panel, opened) -> TrainPanel:
    """Give a panel that can train at once, quickly."""
    opened.edit(Labels.of_whole_field(sample(0)[1], opened.field.micrograph.shape))
    enter(panel, QUICK)
    return panel


def enter(panel: TrainPanel, values: dict[str, object]) -> None:
    rows = {**panel.options.network.rows, **panel.options.training.rows}
    for name, value in values.items():
        rows[name].widget.value = value


def click(qtbot, widget: QWidget) -> None:
    assert widget.isVisibleTo(widget.window())
    qtbot.mouseClick(widget, LEFT)


def train(panel: TrainPanel, qtbot) -> None:
    click(qtbot, panel.train)
    qtbot.waitUntil(lambda: not panel.learning.is_running, timeout=120_000)


def double_click(panel: TrainPanel, qtbot, row: int) -> None:
    table = panel.models.table
    where = table.visualItemRect(table.item(row, 1)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=where)
    qtbot.mouseDClick(table.viewport(), LEFT, pos=where)


def texts(panel: TrainPanel) -> list[list[str]]:
    table = panel.models.table
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_it_says_the_next_step(session, panel, opened):
    session.set_size(None)
    assert panel.state.text() == "Set the particle's diameter first (Label)."
    assert not panel.train.isEnabled()
    assert panel.train.toolTip() == panel.state.text()
    session.set_size(ParticleSize(165))
    assert panel.state.text().startswith("Label some particles first (Label).")
    truth = sample(0)[1]
    session.edit(Labels(truth.where(np.arange(3))))
    assert panel.state.text() == "3 particles on 1 micrograph. Train when you have 10 or more."
    assert panel.train.isEnabled()
    session.edit(Labels(truth.where(np.arange(12))))
    assert panel.state.text() == "12 particles on 1 micrograph: ready to train."
    session.close_project()
    assert panel.state.text() == "Open micrographs to begin."
    assert not panel.train.isEnabled()


def test_every_control_says_what_it_does(panel):
    panel.options.more.click()
    controls = [panel.train, panel.go_on, panel.stop, panel.bar]
    options, models = panel.options, panel.models
    controls += [options.presets, options.self_training, options.rounds, options.more, options.back]
    controls += [models.use, models.edit, models.export, models.bring]
    assert all(control.toolTip() for control in controls)
    assert all(
        row.widget.tooltip for form in (options.network, options.training) for row in form.rows.values()
    )


def test_the_preset_that_suits_the_computer_is_suggested(panel, qtbot):
    options = panel.options
    qtbot.waitUntil(lambda: panel.learning.suggested is not None, timeout=60_000)
    name = panel.learning.suggested
    assert options.presets.currentText() == f"Suggested: {name}"
    assert PRESETS[name].about in options.presets.toolTip()
    assert options.preset() is None
    options.presets.setCurrentText("Full")
    assert options.preset() == "full"
    assert options.presets.toolTip() == PRESETS["full"].about
    assert options.network.rows["base_features"].widget.value == 64
    assert options.training_settings() == {"self_training_iterations": 0}  # nothing differs from the preset


def test_settings_are_changed_and_reset(panel, qtbot):
    options = panel.options
    assert not options.advanced.isVisible()
    click(qtbot, options.more)
    assert options.advanced.isVisible()
    enter(panel, {"initial_epochs": 3, "depth": 2, "learning_rate": "0.01"})
    click(qtbot, options.self_training)
    options.rounds.setValue(2)
    assert options.picker_settings() == {"depth": 2}
    expected = {"initial_epochs": 3, "learning_rate": 0.01, "self_training_iterations": 2}
    assert options.training_settings() == expected
    click(qtbot, options.back)
    assert options.picker_settings() == {}
    assert options.training_settings() == {"self_training_iterations": 2}


def test_attention_and_how_it_learns_are_among_the_settings(panel):
    network = {"gate": "multihead", "heads": 2, "spatial_attention": True}
    training = {"loss": "focal-dice", "attention_supervision": 0.1, "gate_learning_rate": 1e-3}
    enter(panel, network | training | {"attention_supervision": "0.1", "gate_learning_rate": "1e-3"})
    assert panel.options.picker_settings() == network
    assert panel.options.training_settings() == training | {"self_training_iterations": 0}


def test_a_training_from_the_button_to_the_model_in_use(session, ready, qtbot):
    click(qtbot, ready.train)
    assert ready.state.text().startswith("Preparing")
    assert not ready.train.isVisible()
    assert not ready.options.isEnabled()
    assert ready.bar.isVisible()
    qtbot.waitUntil(lambda: len(session.learning.rows) == 1, timeout=120_000)
    assert ready.state.text().startswith("Training: epoch 2 of 2")
    assert ready.bar.maximum() == 8
    assert ready.curves.has_data()
    qtbot.waitUntil(lambda: not session.learning.is_running, timeout=120_000)
    assert ready.state.text().startswith("model 1: F1 0.")
    assert ready.train.isVisible()
    assert ready.options.isEnabled()
    assert not ready.bar.isVisible()
    assert not ready.stop.isVisible()
    [row] = texts(ready)
    assert row[:2] == ["●", "model 1"]
    assert row[3] == str(len(sample(0)[1]))
    assert "0." in row[5]
    assert not ready.models.use.isEnabled()


def test_stop_and_continue(session, ready, qtbot):
    enter(ready, {"initial_epochs": 5})
    click(qtbot, ready.train)
    qtbot.waitUntil(lambda: len(session.learning.rows) == 1, timeout=120_000)
    click(qtbot, ready.stop)
    assert ready.state.text() == "Stopping: the best model so far is being kept."
    assert not ready.stop.isEnabled()
    qtbot.waitUntil(lambda: not session.learning.is_running, timeout=120_000)
    assert [row[1] for row in texts(ready)] == ["model 1"]
    click(qtbot, ready.go_on)
    qtbot.waitUntil(lambda: not session.learning.is_running, timeout=120_000)
    assert [row[1] for row in texts(ready)] == ["model 1", "model 2"]
    assert not ready.go_on.isVisible()


def test_an_error_is_said_and_the_next_training_goes_well(session, ready, qtbot):
    enter(ready, {"device": "cuda:9"})
    train(ready, qtbot)
    assert ready.note.text().startswith("The training failed: no device 'cuda:9'")
    assert ready.note.isVisible()
    assert ready.train.isVisible()
    assert ready.train.isEnabled()
    enter(ready, {"device": "cpu", "learning_rate": "fast"})
    click(qtbot, ready.train)
    assert not session.learning.is_running
    assert "'fast' is not a number" in session.said[-1]
    enter(ready, {"learning_rate": "0.003"})
    train(ready, qtbot)
    assert session.learning.model_name == "model 1"
    assert not ready.note.isVisible(), ready.note.text()


def test_models_are_compared_chosen_and_renamed(session, ready, qtbot, monkeypatch, tmp_path):
    train(ready, qtbot)
    enter(ready, {"initial_epochs": 1})
    train(ready, qtbot)
    assert [row[:2] for row in texts(ready)] == [["", "model 1"], ["●", "model 2"]]
    double_click(ready, qtbot, 0)
    qtbot.waitUntil(lambda: session.learning.model_name == "model 1", timeout=20_000)
    assert [row[0] for row in texts(ready)] == ["●", ""]
    assert "model 1" in ready.curves_name.text()
    ready.models.table.selectRow(1)
    assert "model 2" in ready.curves_name.text()  # its curves can be seen without using it
    click(qtbot, ready.models.use)
    qtbot.waitUntil(lambda: session.learning.model_name == "model 2", timeout=20_000)

    click(qtbot, ready.models.edit)
    editor = ready.models.table.viewport().findChild(QLineEdit)
    session.learning.changed.emit()  # as at each epoch: the editor stays
    qtbot.keyClicks(editor, "ribosomes")  # what was there is selected
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.learning.model_name == "ribosomes", timeout=5_000)
    assert [row[1] for row in texts(ready)] == ["model 1", "ribosomes"]
    ready.models.table.item(1, 1).setText("model 1")
    assert "already" in session.said[-1]
    assert texts(ready)[1][1] == "ribosomes"

    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    click(qtbot, ready.models.export)
    qtbot.waitUntil(target.exists, timeout=20_000)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), ""))
    click(qtbot, ready.models.bring)
    qtbot.waitUntil(lambda: session.learning.model_name == "out", timeout=20_000)
    assert texts(ready)[2][:2] == ["●", "out"]
    assert texts(ready)[2][3] == "–"


def test_models_without_figures_have_dashes(panel, opened):
    nan = float("nan")
    models = opened.project.models
    for name, validation in (("clicks", {"f1": nan, "recall": 0.5}), ("bare", {})):
        models.file(name).write_bytes(b"")
        record = asdict(ModelRecord(name, 1.0, 7, 1, validation))
        write_json(models.file(name).with_suffix(".json"), record)
    panel.models.refresh()
    assert sorted(row[4:] for row in texts(panel)) == [["–", "0.50"], ["–", "–"]]
    assert "only clicks" in panel.models.table.item(0, 4).toolTip()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 5 s"), (21, "about 25 s"), (100, "about 2 min"), (5000, "about 1.4 h")],
)
def test_times_are_said_roughly(seconds, words):
    assert about(seconds) == words


def test_the_course_is_said_in_words():
    training = Progress("training", 12, 40, 3, 18)
    assert course(training, 20, False) == "Training: epoch 4 of 18, about 20 s left"
    rounds = Progress("self-training", 12, 40, 18, 24, round=1, rounds=3)
    assert course(rounds, None, False) == "Self-training: round 1 of 3, epoch 19 of 24"
    assert "threshold" in course(Progress("calibrating"), None, False)
    assert "read" in course(Progress("preparing"), None, False)
