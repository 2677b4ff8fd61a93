from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.session import Session
from cryopick_napari.gui.widget import CryopickWidget

DOWN = Qt.SortOrder.DescendingOrder


@pytest.fixture
def widget(opened, qtbot) -> CryopickWidget:
    panel = CryopickWidget(opened.viewer)
    qtbot.addWidget(panel)
    return panel


def test_a_project_looks_as_it_did_when_it_was_left(widget, opened, make_napari_viewer, qtbot):
    micrographs, review = widget.panels["Micrographs"], widget.panels["Review"]
    micrographs.list.table.sortByColumn(0, DOWN)
    descending = list(micrographs.list.model.paths)
    assert descending == sorted(opened.micrographs, reverse=True)
    review.gallery._order.setCurrentIndex(1)
    opened.canvas.change_look(Kind.PROBABILITY, visible=True, opacity=0.25)
    opened.canvas.change_look(Kind.PICKS, visible=False)
    order, folder = review.gallery._order.currentText(), opened.project.folder
    opened.close()
    viewer = make_napari_viewer()
    again = CryopickWidget(viewer)
    qtbot.addWidget(again)
    session = Session.of(viewer)
    session.open_project(folder)
    listed = again.panels["Micrographs"].list
    assert listed.model.paths == descending
    assert (listed.header.sortIndicatorSection(), listed.header.sortIndicatorOrder()) == (0, DOWN)
    assert again.panels["Review"].gallery._order.currentText() == order
    assert session.canvas.looks[Kind.PROBABILITY].visible
    assert session.canvas.looks[Kind.PROBABILITY].opacity == 0.25
    assert not session.canvas.looks[Kind.PICKS].visible
    session.close()


def test_a_project_that_was_never_looked_at_changes_nothing(widget, opened, tmp_path):
    listed = widget.panels["Micrographs"].list
    listed.table.sortByColumn(0, DOWN)
    opened.canvas.change_look(Kind.PICKS, visible=False)
    opened.open_project(tmp_path / "new")
    assert listed.header.sortIndicatorSection() == 0
    assert not opened.canvas.looks[Kind.PICKS].visible
