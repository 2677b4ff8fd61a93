"""The dock widget as a whole."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog

from cryopick_napari.display import DisplayFilter
from cryopick_napari.gui.hands import click
from cryopick_napari.gui.session import Session
from cryopick_napari.gui.tools import Tool
from cryopick_napari.gui.widget import PANELS, CryopickWidget
from cryopick_napari.simulate import samples


@pytest.fixture
def widget(opened, qtbot):
    widget = CryopickWidget(opened.viewer)
    opened.viewer.window.add_dock_widget(widget, area="right")
    qtbot.wait(100)
    return widget


def test_clicks_label_everywhere_but_in_review(widget):
    session = widget.session
    for name in PANELS:
        widget.show_panel(name)
        before = len(session.labels.positives)
        click(session.viewer, (100 + 80 * list(PANELS).index(name), 200))
        assert len(session.labels.positives) - before == (name != "Review")


def test_another_tool_stays_in_hand(widget):
    widget.session.tools.take(Tool.NEGATIVE)
    for name in PANELS:
        widget.show_panel(name)
        assert widget.session.tools.tool is Tool.NEGATIVE


def test_it_says_what_is_looked_at(widget):
    assert widget.where.full == "sample-0-plain"
    assert widget.counts.text() == "1 of 4 · 0 labelled"
    click(widget.session.viewer, (300, 300))
    assert widget.counts.text().endswith("1 labelled")


def test_two_widgets_share_a_session(widget, qtbot):
    other = CryopickWidget(widget.session.viewer)
    qtbot.addWidget(other)
    assert other.session is widget.session is Session.of(widget.session.viewer)
    click(widget.session.viewer, (300, 300))
    assert other.counts.text() == widget.counts.text()


def test_a_project_opens_where_it_was_left(widget, qtbot):
    session = widget.session
    folder = session.project.folder
    session.go(session.micrographs[2])
    widget.show_panel("Review")
    session.set_display(DisplayFilter(12.0, 2.0, True))
    session.close_project()
    widget.show_panel("Micrographs")
    assert session.view.display is None
    session.open_project(folder)
    assert session.current == session.micrographs[2]
    assert session.view.display == DisplayFilter(12.0, 2.0, True)
    assert widget.tabs.tabText(widget.tabs.currentIndex()) == "Review"
    session.close_project()
    session.open_paths([samples()[0].parent])  # the folder, as a person does the next day
    assert session.current.name == samples()[2].name
    session.close_project()
    session.open_paths(samples()[:1])
    assert session.current.name == samples()[0].name


def test_a_second_project_of_the_same_micrographs(widget, tmp_path, monkeypatch):
    session = widget.session
    click(session.viewer, (300, 300))
    first = session.project.folder
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "hers"))
    widget.panels["Micrographs"].new.trigger()
    assert session.project.folder == tmp_path / "hers"
    assert not session.micrographs
    session.open_paths(samples())
    assert len(session.labels.positives) == 0
    session.flush()
    session.open_project(first)
    assert len(session.labels.positives) == 1
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(first))
    widget.panels["Micrographs"].new.trigger()
    assert "is not empty" in session.said[-1]
    assert session.project.folder == first
