"""Micrographs are put aside by hand and by number, and taken back."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QFileDialog

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import wait_until
from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.gui.panels.export_section import ExportSection
from cryopick_napari.gui.panels.micrographs import MicrographsPanel
from cryopick_napari.gui.panels.train import TrainPanel
from cryopick_napari.gui.reject_dialog import RejectDialog
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph_values import Values
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

LEFT = Qt.MouseButton.LeftButton
NAME, STATE = 0, -1


@pytest.fixture
def panel(session, opened, qtbot) -> MicrographsPanel:
    panel = MicrographsPanel(opened)
    opened.viewer.window.add_dock_widget(panel, area="right", name="cryopick")
    qtbot.waitExposed(panel)
    return panel


def texts(panel, column: int) -> list[str]:
    model = panel.list.model
    column %= model.columnCount()
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def select(panel, *rows: int) -> None:
    flags = QItemSelectionModel.SelectionFlag
    panel.list.chosen.clearSelection()
    for row in rows:
        panel.list.chosen.select(panel.list.model.index(row, 0), flags.Select | flags.Rows)


def test_a_selection_is_rejected_and_taken_back(panel, session, qtbot):
    select(panel, 1, 2)
    assert panel.list.reject.text() == "Reject 2"
    qtbot.mouseClick(panel.list.reject, LEFT)
    assert texts(panel, STATE) == ["", "rejected", "rejected", ""]
    font = panel.list.model.data(panel.list.model.index(1, NAME), Qt.ItemDataRole.FontRole)
    assert font.strikeOut()
    assert session.accepted == [session.micrographs[0], session.micrographs[3]]
    assert panel.list.reject.text() == "Accept 2"
    qtbot.mouseClick(panel.list.reject, LEFT)
    assert session.accepted == session.micrographs
    assert texts(panel, STATE) == [""] * 4


def test_a_key_rejects_the_one_that_is_looked_at(panel, session, qtbot):
    canvas = session.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Slash)
    assert texts(panel, STATE)[0] == "rejected"
    qtbot.keyClick(canvas, Qt.Key.Key_Slash)
    assert texts(panel, STATE)[0] == ""


def test_rejected_ones_can_be_hidden(panel, session, qtbot):
    assert not panel.list.hide_rejected.isVisible()
    session.reject(session.micrographs[:1])
    assert panel.list.hide_rejected.text() == "Hide 1 rejected"
    panel.list.hide_rejected.click()
    assert panel.list.model.paths == session.micrographs[1:]
    session.reject(session.micrographs[1:2])
    assert panel.list.model.paths == session.micrographs[2:]
    panel.list.hide_rejected.click()
    assert panel.list.model.paths == session.micrographs


def test_they_are_remembered_and_forgotten_with_the_micrograph(panel, session):
    first, second, *_ = session.micrographs
    session.reject([first, second])
    session.flush()
    assert Project.opened(session.project.folder).settings().rejected == (str(first), str(second))
    folder = session.project.folder
    session.close_project()
    session.open_project(folder)
    assert session.rejected == {first, second}
    session.remove([first])
    assert session.rejected == {second}


def test_they_are_neither_learned_from_nor_picked_nor_exported(panel, session, qtbot):
    first, second, *others = session.micrographs
    for path in (first, second):
        session.put_labels(path, Labels(Picks.of(np.float32([(100, 100), (200, 200)]))))
    train, export = TrainPanel(session), ExportPanel(session)
    for widget in (train, export):
        qtbot.addWidget(widget)
    session.reject([first, others[0]])
    assert "2 particles on 1 micrograph" in train.state.text()
    session.picking.materials.look()
    wait_until(lambda: session.picking.materials.is_complete, 10, "counting")
    assert session.picking.remaining == 2
    section = export.findChild(ExportSection)
    assert section.paths() == [second, others[1]]
    section.scope.setCurrentIndex(1)
    assert section.paths() == []
    assert "rejected" in section.preview.text()
    session.reject([second])
    with pytest.raises(CryopickError, match="label some particles"):
        session.learning.start(None, {}, {})


def test_numbers_of_other_programs_become_columns(panel, session, qtbot, tmp_path, monkeypatch):
    table = tmp_path / "micrographs_ctf.star"
    rows = "".join(
        f"Movies/{path.name} {10_000 * (row + 1)} {10_000 * (row + 1)} {9 - row}\n"
        for row, path in enumerate(session.micrographs[:3])
    )
    labels = "rlnMicrographName", "rlnDefocusU", "rlnDefocusV", "rlnCtfMaxResolution"
    table.write_text("data_micrographs\n\nloop_\n" + "".join(f"_{label}\n" for label in labels) + rows)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(table), ""))
    panel.values.trigger()
    wait_until(lambda: panel.list.model.columnCount() == 7, 10, "the columns")
    titles = [panel.list.model.headerData(column, Qt.Orientation.Horizontal) for column in range(7)]
    assert titles[4:] == ["Defocus µm", "CTF Å", "State"]
    assert texts(panel, 4) == ["1", "2", "3", ""]
    panel.list.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert panel.list.model.paths == [session.micrographs[number] for number in (3, 2, 1, 0)]
    folder = session.project.folder
    session.close_project()
    assert panel.list.model.columnCount() == 5
    session.open_project(folder)
    assert texts(panel, 4) == ["", "3", "2", "1"]  # sorted as it was left


def test_a_table_of_other_micrographs_is_said(panel, session, tmp_path, monkeypatch):
    table = tmp_path / "others.csv"
    table.write_text("micrograph,ice\nelsewhere.mrc,3\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(table), ""))
    panel.values.trigger()
    wait_until(lambda: bool(session.said), 10, "the notification")
    assert "no micrograph of this project" in session.said[-1]
    assert panel.list.model.columnCount() == 5
    assert session.canvas.layer(Kind.MICROGRAPH) is not None


def test_all_beyond_a_limit_are_rejected_after_they_are_counted(panel, session, qtbot):
    first, second, third, _ = session.micrographs
    numbers = {str(first): (3.0,), str(second): (4.5,), str(third): (12.0,)}
    session.take_values(Values(("CTF Å",), numbers))
    session.reject([first])
    qtbot.mouseClick(panel.list.reject_by, LEFT)
    dialog = panel.list.findChild(RejectDialog)
    assert "not known of any" in dialog.note.text()  # of picks
    dialog.column.setCurrentText("CTF Å")
    dialog.limit.setValue(6)
    assert dialog.note.text().startswith("1 of 3 micrographs would be rejected.")
    assert "4.5 to 12" in dialog.note.text()
    dialog.side.setCurrentText("below")
    assert dialog.beyond() == [second]
    dialog.limit.setValue(4)
    assert not dialog.reject_them.isEnabled()
    dialog.side.setCurrentText("above")
    qtbot.mouseClick(dialog.reject_them, LEFT)
    assert session.rejected == {first, second, third}
