"""The Label panel, by mouse and keyboard."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from cryopick_napari.config import ParticleSize
from cryopick_napari.curriculum import training_fields
from cryopick_napari.gui.hands import click, wait_until
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.gui.panels.size import SizeForm
from cryopick_napari.gui.tools import Tool
from cryopick_napari.mrc import write_mrc

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(opened, qtbot):
    panel = LabelPanel(opened)
    opened.viewer.window.add_dock_widget(panel, area="right", tabify=False)
    qtbot.wait(100)
    return panel


def size_of(panel) -> SizeForm:
    return panel.findChild(SizeForm)


def test_an_empty_window_says_what_to_do(session, qtbot):
    panel = LabelPanel(session)
    qtbot.addWidget(panel)
    assert "Open a micrograph" in size_of(panel).size_note.text()
    assert not any(button.isEnabled() for button in panel.buttons.values())
    assert not panel.undo.isEnabled()


def test_a_diameter_is_suggested_and_taken_only_when_asked(session, tmp_path, qtbot):
    stream = training_fields(77, shape=(512, 512), diameter=(18.0, 45.0))
    field = next(field for field in stream if field.snr > 0.3 and len(field.centres) >= 15)
    write_mrc(tmp_path / "unseen.mrc", field.image, 6.0)
    session.open_paths([tmp_path / "unseen.mrc"])
    panel = LabelPanel(session)
    session.viewer.window.add_dock_widget(panel, area="right", tabify=False)
    size = size_of(panel)
    wait_until(size.use.isVisible, 30, "a suggestion")
    assert session.settings.size is None
    assert size.use.text().removeprefix("Use ") in size.size_note.text()
    qtbot.mouseClick(size.use, LEFT)
    assert session.settings.size is not None
    assert 0.75 <= session.settings.size.diameter / (6.0 * field.diameter) <= 1.33
    assert not size.use.isVisible()
    assert "px" in size.size_note.text()


def test_a_typed_diameter_sizes_the_circles(panel, qtbot):
    size = size_of(panel)
    size.diameter.selectAll()
    qtbot.keyClicks(size.diameter, "120")
    qtbot.keyClick(size.diameter, Qt.Key.Key_Return)
    assert panel.session.settings.size == ParticleSize(120)
    assert panel.session.known_diameter == 40
    assert size.size_note.text() == "40 px"


def test_another_unit_keeps_the_size(panel, qtbot):
    size = size_of(panel)
    size.unit.setCurrentText("px")
    size.unit.activated.emit(1)
    assert panel.session.settings.size == ParticleSize(55.0, in_angstrom=False)
    assert panel.session.known_diameter == 55
    assert size.size_note.text() == "165 Å at 3 Å/px"


def test_the_measured_size_is_shown(panel, qtbot):
    size = size_of(panel)
    qtbot.mouseClick(size.measure, LEFT)
    assert panel.session.tools.tool is Tool.MEASURE
    panel.session.tools.measured.emit(50.0)
    assert size.diameter.value() == 150
    qtbot.mouseClick(size.measure, LEFT)
    assert panel.session.tools.tool is Tool.ADD


def test_buttons_take_tools_and_show_the_one_in_hand(panel, qtbot):
    for tool, button in panel.buttons.items():
        qtbot.mouseClick(button, LEFT)
        assert panel.session.tools.tool is tool
        assert [own for own, other in panel.buttons.items() if other.isChecked()] == [tool]
    assert not panel.session.said


def test_counts_undo_redo_and_clear(panel, qtbot):
    click(panel.session.viewer, (200, 200))
    click(panel.session.viewer, (300, 300))
    assert "<b>2</b> particles" in panel.counts.text()
    qtbot.mouseClick(panel.undo, LEFT)
    assert "<b>1</b> particle on" in panel.counts.text()
    qtbot.mouseClick(panel.redo, LEFT)
    assert not panel.redo.isEnabled()
    qtbot.mouseClick(panel.clear, LEFT)
    assert "Click the middle" in panel.counts.text()
    qtbot.mouseClick(panel.undo, LEFT)
    assert len(panel.session.labels.positives) == 2


def test_the_whole_field_can_be_called_labelled(panel, qtbot):
    click(panel.session.viewer, (200, 200))
    qtbot.mouseClick(panel.whole, LEFT)
    assert len(panel.session.labels.complete) == 1
    assert "fully labelled areas: 1" in panel.areas_note.text()
    qtbot.mouseClick(panel.undo, LEFT)
    assert not panel.whole.isChecked()


def test_without_a_pixel_size_there_are_only_pixels(panel, qtbot, tmp_path):
    import numpy as np

    from cryopick_napari.micrograph import write_mrc

    write_mrc(tmp_path / "bare.mrc", np.random.default_rng(0).normal(size=(64, 80)).astype(np.float32))
    session = panel.session
    session.open_paths([tmp_path / "bare.mrc"])
    qtbot.waitUntil(lambda: session.field is not None and session.field.path.stem == "bare")
    size = size_of(panel)
    assert size.unit.currentText() == "px"
    assert not size.unit.model().item(0).isEnabled()
    assert "need the pixel size" in size.size_note.text()
