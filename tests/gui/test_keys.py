"""The sheet says every key that does something."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QShortcut

from cryopick_napari.gui.hands import press
from cryopick_napari.gui.keys import SHEET, KeySheet
from cryopick_napari.gui.widget import CryopickWidget


def keys_of_the_sheet() -> set[str]:
    words = (key for keys in SHEET.values() for key in keys)
    return {part for word in words for part in word.replace(" + ", "+").replace(",", " , ").split(" or ")} | {
        word.strip() for keys in SHEET.values() for word in keys
    }


def test_every_key_that_was_bound_is_on_it(session, qtbot):
    widget = CryopickWidget(session.viewer)
    session.viewer.window.add_dock_widget(widget, area="right")
    ours = {
        str(key).replace("Control", "Ctrl")
        for key, action in session.viewer.keymap.items()
        if "cryopick" in getattr(action, "__module__", "")
    }
    ours |= {shortcut.key().toString() for shortcut in widget.findChildren(QShortcut)}
    assert len(ours) > 10
    assert ours <= keys_of_the_sheet()


def test_f1_and_the_button_show_it(session, qtbot):
    widget = CryopickWidget(session.viewer)
    session.viewer.window.add_dock_widget(widget, area="right")
    session.viewer.window._qt_window.activateWindow()
    qtbot.wait(100)
    widget.keys.setFocus()
    qtbot.keyClick(widget.keys, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: "keys" in widget.windows, timeout=3000)
    sheet = widget.windows["keys"]
    assert isinstance(sheet, KeySheet)
    qtbot.waitExposed(sheet)
    shown = {label.text() for label in sheet.findChildren(QLabel)}
    assert shown >= {key for keys in SHEET.values() for key in keys}
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    press(widget.keys)
    assert sheet.isVisible()


def test_f1_works_where_there_are_two_widgets(session, qtbot):
    widgets = [CryopickWidget(session.viewer) for _ in range(2)]
    for widget in widgets:
        session.viewer.window.add_dock_widget(widget, area="right")
    session.viewer.window._qt_window.activateWindow()
    qtbot.wait(100)
    widgets[1].keys.setFocus()
    qtbot.keyClick(widgets[1].keys, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: any("keys" in widget.windows for widget in widgets), timeout=3000)
