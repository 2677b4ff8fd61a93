"""The dock widget as a whole."""

from __future__ import annotations

import pytest

from cryopick_napari.gui.hands import click
from cryopick_napari.gui.session import Session
from cryopick_napari.gui.tools import Tool
from cryopick_napari.gui.widget import PANELS, CryopickWidget


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
    assert widget.where.text() == "sample-0-plain.mrc · 1 of 4 · 0 labelled"
    click(widget.session.viewer, (300, 300))
    assert widget.where.text().endswith("1 labelled")


def test_two_widgets_share_a_session(widget, qtbot):
    other = CryopickWidget(widget.session.viewer)
    qtbot.addWidget(other)
    assert other.session is widget.session is Session.of(widget.session.viewer)
    click(widget.session.viewer, (300, 300))
    assert other.where.text() == widget.where.text()
