"""Configurations as forms."""

from __future__ import annotations

import dataclasses

import pytest
from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel

from cryopick_napari.config import PRESETS, PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.forms import Form, form_of, number_text

KINDS = (PickerConfig, TrainingConfig)
MEASURED = {"pair_correlation"}  # nobody types it


def whole_form(qtbot, kind: type, values: dict[str, object] | None = None) -> Form:
    names = [field.name for field in dataclasses.fields(kind) if field.name not in MEASURED]
    form = form_of(kind, names, values or {})
    qtbot.addWidget(form.native)
    return form


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_no_change(qtbot, kind):
    form = whole_form(qtbot, kind)
    assert form.changed() == {}
    default = dataclasses.asdict(kind()).items()
    assert form.rows.keys() | MEASURED == dict(default).keys() | MEASURED
    assert {name: row.read() for name, row in form.rows.items()}.items() <= default


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_are_shown_whole(qtbot, preset):
    form = whole_form(qtbot, TrainingConfig)
    form.reset(preset.training)
    assert form.changed() == {}
    read = {name: row.read() for name, row in form.rows.items()}
    assert TrainingConfig(**read) == TrainingConfig(**preset.training)


def test_each_type_has_its_widget(qtbot):
    rows = whole_form(qtbot, PickerConfig).rows
    kinds = {
        "gate": ComboBox,
        "averaging": CheckBox,
        "depth": SpinBox,
        "spacing": LineEdit,
        "threshold": LineEdit,
    }
    assert {name: type(rows[name].widget) for name in kinds} == kinds
    assert rows["gate"].widget.choices == ("additive", "multihead", "none")


def test_labels_and_tooltips_tell_unit_and_range(qtbot):
    form = form_of(TrainingConfig, ["patch_size", "learning_rate"], {})
    qtbot.addWidget(form.native)
    assert [label.text() for label in form.native.findChildren(QLabel)] == [
        "Patch size (network px)",
        "Learning rate",
    ]
    help_text = form.rows["learning_rate"].widget.tooltip
    assert "AdamW" in help_text
    assert "Usual: 1e-4" in help_text


def test_only_what_was_changed_comes_back(qtbot):
    form = whole_form(qtbot, TrainingConfig, PRESETS["full"].training)
    form.rows["learning_rate"].widget.value = "3e-5"
    form.rows["precision"].widget.value = "float32"
    form.rows["weight_decay"].widget.value = "1e-2"  # as it was
    form.rows["seed"].widget.value = 2**32 - 1
    assert form.changed() == {"learning_rate": 3e-5, "precision": "float32", "seed": 2**32 - 1}
    assert TrainingConfig(**{**PRESETS["full"].training, **form.changed()}).batch_size == 16


def test_what_was_not_touched_keeps_its_digits(qtbot):
    form = whole_form(qtbot, PickerConfig, {"threshold": 0.42715384615})
    assert form.rows["threshold"].widget.value == "0.427154"
    assert form.changed() == {}


def test_reset_starts_anew_without_a_signal(qtbot):
    form = whole_form(qtbot, TrainingConfig)
    told: list[object] = []
    form.container.changed.connect(told.append)
    form.reset({"batch_size": 64})
    assert told == []
    assert form.rows["batch_size"].widget.value == 64
    assert form.changed() == {}
    form.rows["batch_size"].widget.value = 32
    assert len(told) == 1
    form.reset({})
    assert form.rows["batch_size"].widget.value == TrainingConfig().batch_size


def test_empty_means_none_only_where_none_can_be(qtbot):
    form = whole_form(qtbot, PickerConfig)
    form.rows["network_diameter"].widget.value = " "
    assert form.changed() == {"network_diameter": None}
    form.rows["diameter"].widget.value = ""
    with pytest.raises(CryopickError, match="diameter"):
        form.changed()


def test_no_number(qtbot):
    form = whole_form(qtbot, TrainingConfig)
    form.rows["learning_rate"].widget.value = "0,003"
    with pytest.raises(CryopickError, match="learning rate: '0,003' is not a number"):
        form.changed()


def test_what_cannot_be_is_left_to_the_configuration(qtbot):
    form = whole_form(qtbot, TrainingConfig)
    form.rows["held_out"].widget.value = "1.5"
    with pytest.raises(CryopickError, match="held-out"):
        TrainingConfig(**form.changed())


@pytest.mark.parametrize(
    ("value", "text"),
    [(3e-3, "0.003"), (1e-5, "1e-5"), (13.5, "13.5"), (84.0, "84"), (1e-12, "1e-12"), (None, "")],
)
def test_numbers_as_a_person_writes_them(value, text):
    assert number_text(value) == text


def test_the_wheel_scrolls_past_a_form(qtbot):
    form = whole_form(qtbot, TrainingConfig)
    form.native.show()
    form.native.setFocus()
    spin = form.rows["batch_size"].widget.native
    at = QPointF(spin.rect().center())
    event = QWheelEvent(
        at,
        QPointF(spin.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(spin, event)
    assert form.changed() == {}


def test_the_rows_are_aligned(qtbot):
    form = form_of(TrainingConfig, ["target_radius", "seed", "device"], {})
    qtbot.addWidget(form.native)
    form.native.setStyleSheet("* { font-size: 15pt }")
    form.native.show()
    qtbot.waitExposed(form.native)
    natives = [row.widget.native for row in form.rows.values()]
    qtbot.waitUntil(lambda: len({native.mapTo(form.native, QPoint(0, 0)).x() for native in natives}) == 1)
