from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox

from cryopick_napari.coordinates import FORMATS, CoordinateSet, match, read_coordinates, write_coordinates
from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.gui.panels.import_section import ABOUT
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import read_size
from cryopick_napari.models import ModelRecord
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import sample, samples
from tests.gui.trained import trained_picker

LEFT = Qt.MouseButton.LeftButton


def show(session, qtbot) -> ExportPanel:
    panel = ExportPanel(session)
    qtbot.addWidget(panel)
    panel.resize(400, 700)
    panel.show()
    return panel


@pytest.fixture
def panel(opened, qtbot) -> ExportPanel:
    """Give a panel with a model in use, which has picked the first micrograph."""
    opened.project.models.save(trained_picker(), ModelRecord("model 1"))
    opened.learning.use("model 1")
    qtbot.waitUntil(lambda: opened.learning.model_name == "model 1", timeout=20_000)
    qtbot.waitUntil(lambda: opened.project.picks(samples()[0]) is not None, timeout=20_000)
    panel = show(opened, qtbot)
    qtbot.waitUntil(lambda: "1 of 4" in panel.export.preview.text(), timeout=10_000)
    return panel


def test_an_empty_window_says_how_to_begin(session, qtbot):
    panel = show(session, qtbot)
    assert panel.pick.note.text() == panel.export.preview.text() == "Open micrographs to begin."
    for button in (panel.pick.start, panel.export.button, panel.imports.file, panel.imports.folder):
        assert not button.isEnabled()


def test_labels_can_be_exported_without_a_model(opened, qtbot):
    panel = show(opened, qtbot)
    assert panel.export.preview.text() == "Train a model first, or export your labels."
    assert not panel.pick.start.isEnabled()
    panel.export.source.setCurrentIndex(panel.export.source.findData("labels"))
    qtbot.waitUntil(lambda: panel.export.preview.text() == "Label some particles first.", timeout=5000)
    opened.edit(Labels(Picks.of([(100, 100), (200, 200)])))
    qtbot.waitUntil(
        lambda: panel.export.preview.text().startswith("2 particles from 1 of 4 micrographs"), timeout=5000
    )
    assert panel.export.button.isEnabled()


def test_the_remaining_are_picked_and_counted(panel, qtbot):
    assert panel.pick.start.text() == "Pick the remaining 3 micrographs"
    qtbot.mouseClick(panel.pick.start, LEFT)
    assert panel.pick.stop.isVisible() and not panel.pick.start.isEnabled()
    qtbot.waitUntil(lambda: panel.pick.start.text() == "All micrographs are picked", timeout=60_000)
    assert panel.pick.note.text() == "3 of 3 picked" and not panel.pick.bar.isVisible()
    qtbot.waitUntil(lambda: "from 4 of 4 micrographs" in panel.export.preview.text(), timeout=5000)


def test_stop_is_a_button(panel, qtbot):
    qtbot.mouseClick(panel.pick.start, LEFT)
    qtbot.mouseClick(panel.pick.stop, LEFT)
    assert panel.pick.start.text() == "Stopping..."
    qtbot.waitUntil(lambda: panel.pick.start.text().startswith("Pick the remaining"), timeout=30_000)
    assert panel.pick.start.isEnabled()


def test_the_preview_follows_the_threshold_and_the_border(panel, qtbot):
    session = panel.session
    for count in (200, 50):
        threshold = float(session.review.picks.score[count - 1])
        session.review.set_threshold(threshold)
        text = f"{count:,} particles from 1 of 4 micrographs, at a score of {threshold:.2f} or more"
        qtbot.waitUntil(lambda text=text: text in panel.export.preview.text(), timeout=5000)
    panel.export.border.setValue(200)
    qtbot.waitUntil(lambda: f"{count:,} particles" not in panel.export.preview.text(), timeout=5000)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_what_is_shown(panel, qtbot, tmp_path, format):
    session, section = panel.session, panel.export
    session.review.set_threshold(0.3)
    shown = session.review.picks.above(0.3)
    section.format.setCurrentIndex(section.format.findData(format))
    section.choose_folder = lambda: tmp_path / "out"
    qtbot.waitUntil(lambda: section.preview.text().startswith(f"{len(shown):,} particles"), timeout=5000)
    qtbot.mouseClick(section.button, LEFT)
    qtbot.waitUntil(lambda: "written to" in section.result.text(), timeout=10_000)
    height = read_size(session.current)[0][0]
    found, strangers = match(read_coordinates(tmp_path / "out", height=height), samples())
    assert list(found) == [session.current] and not strangers
    np.testing.assert_allclose(found[session.current].picks.yx, shown.yx, atol=0.01)


def test_files_are_replaced_when_a_person_says_so(panel, qtbot, tmp_path):
    section, asked = panel.export, []
    section.choose_folder = lambda: tmp_path / "out"
    section.may_replace = lambda error: asked.append(error.files) or len(asked) == 2
    qtbot.mouseClick(section.button, LEFT)
    qtbot.waitUntil(lambda: "written to" in section.result.text(), timeout=10_000)
    star = next((tmp_path / "out").glob("*_autopick.star"))
    star.write_text("mine")
    section.result.clear()
    for number in (1, 2):
        qtbot.mouseClick(section.button, LEFT)
        qtbot.waitUntil(lambda number=number: len(asked) == number, timeout=10_000)
        if number == 1:
            assert star.read_text() == "mine"
    qtbot.waitUntil(lambda: "written to" in section.result.text(), timeout=10_000)
    assert star.read_text() != "mine"


def test_a_project_is_exported_as_it_was_before(panel, qtbot):
    session, section = panel.session, panel.export
    section.border.setValue(54)
    section.format.setCurrentIndex(section.format.findData("cbox"))
    session.flush()
    folder = session.project.folder
    session.close_project()
    assert (section.border.value(), section.format.currentData()) == (0, "relion")
    session.open_project(folder)
    assert (section.border.value(), section.format.currentData()) == (54, "cbox")


def test_no_folder_writes_nothing(panel, qtbot):
    panel.export.choose_folder = lambda: None
    qtbot.mouseClick(panel.export.button, LEFT)
    assert not panel.session.picking.is_writing


def test_a_flipped_file_is_imported_the_right_way_up(opened, qtbot, tmp_path):
    micrograph, truth = sample(0)
    rows = CoordinateSet(samples()[0].stem, truth, micrograph.shape)
    other = CoordinateSet("somebody-else", truth, micrograph.shape)
    write_coordinates([rows, other], tmp_path / "picks", "relion", flip_y=True)
    panel = show(opened, qtbot)
    panel.imports.choose_folder = lambda: tmp_path / "picks"
    qtbot.mouseClick(panel.imports.folder, LEFT)
    assert not panel.imports.folder.isEnabled()
    qtbot.waitUntil(lambda: panel.imports.dialog is not None, timeout=30_000)
    dialog = panel.imports.dialog
    assert dialog.mirrored.isChecked() and dialog.all_particles.isChecked()
    assert not dialog.as_read.isChecked()
    texts = " ".join(label.text() for label in dialog.findChildren(type(panel.imports.note)))
    assert "119 particles on 1 of 4 micrographs" in texts and "somebody-else" in texts
    qtbot.mouseClick(dialog.import_button, LEFT)
    qtbot.waitUntil(lambda: len(opened.labels.positives) == len(truth), timeout=5000)
    np.testing.assert_allclose(opened.labels.positives.yx, truth.yx, atol=0.01)
    assert "labels now" in panel.imports.note.text() and panel.imports.folder.isEnabled()
    opened.undo()
    assert not len(opened.labels.positives)


def test_an_import_can_be_given_up(opened, qtbot):
    panel = show(opened, qtbot)
    panel.imports.choose_file = lambda: samples()[1].with_suffix(".csv")
    qtbot.mouseClick(panel.imports.file, LEFT)
    qtbot.waitUntil(lambda: panel.imports.dialog is not None, timeout=30_000)
    assert panel.imports.dialog.as_read.isChecked()
    qtbot.mouseClick(panel.imports.dialog.findChild(QDialogButtonBox).buttons()[-1], LEFT)
    assert not len(opened.labels_of(samples()[1]).positives)


def test_what_cannot_be_imported_is_said(opened, qtbot, tmp_path):
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    panel = show(opened, qtbot)
    panel.imports.choose_file = lambda: tmp_path / "other.csv"
    qtbot.mouseClick(panel.imports.file, LEFT)
    qtbot.waitUntil(lambda: bool(opened.said), timeout=30_000)
    assert "'other'" in opened.said[0] and "rename the file" in opened.said[0]
    qtbot.waitUntil(lambda: panel.imports.file.isEnabled(), timeout=5000)


def test_what_an_import_says_follows_what_is_open(session, qtbot):
    panel = ExportPanel(session)
    qtbot.addWidget(panel)
    assert panel.imports.note.text().startswith("Open the micrographs first")
    session.open_paths(samples())
    assert panel.imports.note.text() == ABOUT
    session.close_project()
    assert panel.imports.note.text().startswith("Open the micrographs first")
