"""A window goes when it goes, not when somebody thinks about it."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from cryopick_napari.gui.closing import Closing


class Window(QWidget):
    """A window that may refuse to close."""

    refuses = False

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        event.setAccepted(not self.refuses)


class AskedClose(QCloseEvent):
    """What a click on the window's X sends."""

    def spontaneous(self) -> bool:
        return True


@pytest.fixture
def window(qtbot) -> Window:
    window = Window()
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def told(window):
    told = []
    watch = Closing(window)
    watch.asked.connect(lambda: told.append("asked"))
    watch.closed.connect(lambda: told.append("closed"))
    told.append(watch)
    yield told
    if watch.parent() is not None:
        watch.stop()


def test_a_program_that_closes_it_asks_nobody(window, told):
    window.close()
    assert told[1:3] == ["asked", "closed"]


def test_a_window_that_is_not_shown_closes_too(window, told):
    window.hide()
    assert told[1:] == []
    window.close()
    assert told[1:] == ["asked", "closed"]


def test_a_refusal_is_not_the_end(window, told):
    watch = told[0]
    window.refuses = True
    watch.eventFilter(window, AskedClose())
    assert told[1:] == ["asked"]
    window.hide()  # after a yes
    assert told[1:] == ["asked", "closed"]


def test_what_watches_no_longer_says_nothing(window, told):
    told[0].stop()
    window.close()
    assert told[1:] == []


def test_other_events_are_none(window, told):
    told[0].eventFilter(window, QEvent(QEvent.Type.Move))
    assert told[1:] == []
