from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton

from cryopick_napari.display import DisplayFilter
from cryopick_napari.gui.panels.micrographs import MicrographsPanel
from cryopick_napari.gui.places import projects_folder
from cryopick_napari.labels import Labels
from cryopick_napari.mrc import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import samples

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(session, qtbot) -> MicrographsPanel:
    panel = MicrographsPanel(session)
    session.viewer.window.add_dock_widget(panel, area="right", name="cryopick")
    qtbot.waitExposed(panel)
    return panel


@pytest.fixture
def full(panel, opened) -> MicrographsPanel:
    return panel


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def written(path: Path, seed: int = 0, spacing: float | None = None, side: int = 128) -> Path:
    write_mrc(path, noise((side, side), seed), spacing)
    return path


def is_shown(session, path: Path):
    return lambda: session.current == path and session.field is not None and session.field.path == path


def click_row(qtbot, panel, row: int) -> None:
    table = panel.list.table
    place = table.visualRect(panel.list.model.index(row, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=place)


def click_action(qtbot, menu: QMenu, text: str) -> None:
    menu.popup(QPoint(10, 10))
    qtbot.waitExposed(menu)
    action = next(action for action in menu.actions() if action.text() == text)
    qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
    menu.close()


def type_in(qtbot, entry, text: str) -> None:
    entry.setFocus()
    entry.selectAll()
    qtbot.keyClicks(entry, text)
    qtbot.keyClick(entry, Qt.Key.Key_Return)


def drop(panel, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    how = (Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(20, 20), *how)
    QApplication.sendEvent(panel, enter)
    assert enter.isAccepted()
    position = QPoint(20, 20) if hasattr(enter, "posF") else enter.position()
    QApplication.sendEvent(panel, QDropEvent(position, *how))


# Opening


def test_the_samples_are_a_project_like_any_other(panel, session, qtbot) -> None:
    assert panel.pages.currentWidget() is panel.start
    qtbot.mouseClick(panel.start.samples, LEFT)
    qtbot.waitUntil(is_shown(session, samples()[0]), timeout=10_000)
    assert panel.pages.currentWidget() is not panel.start
    assert session.project.folder.parent == projects_folder()
    assert panel.list.place.text() == "1 of 4"
    assert "Saved automatically in " in panel.project.where.full
    assert panel.project.name.full == "Project: samples"


def test_files_folders_and_nothing_are_chosen(panel, session, qtbot, tmp_path, monkeypatch) -> None:
    one, two = (written(tmp_path / f"{name}.mrc") for name in ("one", "two"))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    qtbot.mouseClick(panel.start.files, LEFT)
    assert session.project is None
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(two)], ""))
    qtbot.mouseClick(panel.start.files, LEFT)
    assert session.micrographs == [two]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click_action(qtbot, panel.open.menu(), "Open folder…")
    assert session.micrographs == [two, one]
    click_action(qtbot, panel.open.menu(), "Close project")
    assert panel.pages.currentWidget() is panel.start


def test_a_folder_without_micrographs_is_said(panel, session, qtbot, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    qtbot.mouseClick(panel.start.folder, LEFT)
    qtbot.mouseClick(panel.start.project, LEFT)
    assert "no micrographs in this folder" in session.said[0]
    assert "holds no project" in session.said[1]
    assert not (tmp_path / "labels").exists()


def test_recent_projects(full, session, qtbot, tmp_path, monkeypatch) -> None:
    session.edit(Labels(Picks.of([(9, 9), (90, 90)])))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "mine"))
    qtbot.mouseClick(full.project.save_as, LEFT)
    assert full.project.name.full == "Project: mine"
    session.close_project()

    def buttons():
        return [button for button in full.start.findChildren(QPushButton) if "mine\n" in button.text()]

    qtbot.waitUntil(lambda: bool(buttons()))
    assert buttons()[0].text() == "mine\n4 micrographs, 2 labels"
    qtbot.mouseClick(buttons()[0], LEFT)
    assert session.project.folder == tmp_path / "mine"
    qtbot.waitUntil(is_shown(session, samples()[0]), timeout=10_000)
    assert len(session.labels.positives) == 2


def test_dropping(panel, session, qtbot, tmp_path) -> None:
    (tmp_path / "more").mkdir()
    one, two = written(tmp_path / "one.mrc"), written(tmp_path / "more" / "two.mrc")
    drop(panel, one, tmp_path / "more")
    assert session.micrographs == [one, two]
    drop(panel, tmp_path / "picks.star")
    assert "Export" in session.said[-1]
    folder = session.project.folder
    session.close_project()
    drop(panel, folder)
    assert session.micrographs == [one, two]


# Layers of napari


def use(qtbot, panel, name: str) -> None:
    click_action(qtbot, panel.start.layer.menu(), name)


def test_a_layer_with_a_file(panel, session, qtbot, tmp_path) -> None:
    path = written(tmp_path / "a.mrc")
    session.viewer.add_image(noise((128, 128)), name="a", metadata={"path": str(path)})
    use(qtbot, panel, "a")
    assert session.micrographs == [path]


def test_a_layer_of_pixels(panel, session, qtbot) -> None:
    pixels = noise((128, 100))
    session.viewer.add_image(pixels, name="my/image")
    use(qtbot, panel, "my/image")
    qtbot.waitUntil(lambda: session.field is not None)
    assert session.current.parent == session.project.folder / "micrographs"
    assert np.array_equal(session.field.micrograph.image, pixels)
    session.close_project()
    use(qtbot, panel, "my/image")
    assert len(session.micrographs) == 1  # the same pixels are the same micrograph


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((3, 64, 64), {}, "stack"),
        ((64, 64, 3), {"rgb": True}, "colour"),
        ((64, 64), {"multi": True}, "multiscale"),
    ],
)
def test_layers_that_are_no_micrographs(panel, session, qtbot, shape, options, said) -> None:
    image = np.abs(noise(shape)) / 9
    if options.pop("multi", False):
        session.viewer.add_image([image, image[::2, ::2]], name="it", multiscale=True)
    else:
        session.viewer.add_image(image, name="it", **options)
    use(qtbot, panel, "it")
    assert said in session.said[-1]
    assert session.project is None


def test_our_own_layers_are_not_offered(full, session) -> None:
    menu = full.layers
    menu.aboutToShow.emit()
    assert [action.isEnabled() for action in menu.actions()] == [False]


# Going about


def test_clicks_enter_and_buttons_go_there(full, session, qtbot) -> None:
    click_row(qtbot, full, 2)
    assert session.current == samples()[2]
    qtbot.keyClick(full.list.table, Qt.Key.Key_Down)
    assert session.current == samples()[2]
    qtbot.keyClick(full.list.table, Qt.Key.Key_Return)
    assert session.current == samples()[3]
    assert full.list.place.text() == "4 of 4"
    assert not full.list.next.isEnabled()
    qtbot.mouseClick(full.list.previous, LEFT)
    assert session.current == samples()[2]
    assert [index.row() for index in full.list.table.selectionModel().selectedRows()] == [2]


def test_the_table_follows(full, session) -> None:
    session.go(samples()[3])
    assert [index.row() for index in full.list.table.selectionModel().selectedRows()] == [3]


def test_keys_step_until_the_window_goes(full, session, qtbot) -> None:
    canvas = session.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Period)
    qtbot.keyClick(canvas, Qt.Key.Key_Period)
    assert session.current == samples()[2]
    qtbot.keyClick(canvas, Qt.Key.Key_Comma)
    assert session.current == samples()[1]
    session.close()
    assert not {",", "."} & {str(key) for key in session.viewer.keymap}


def test_filter_and_order_say_what_is_next(full, session, qtbot) -> None:
    qtbot.keyClicks(full.list.search, "-C")  # crowded, carbon
    assert full.list.place.text() == "– of 2 shown"
    qtbot.mouseClick(full.list.next, LEFT)
    assert session.current == samples()[1]
    header = full.list.header
    for _ in range(2):
        place = QPoint(header.sectionPosition(0) + 20, header.height() // 2)
        qtbot.mouseClick(header.viewport(), LEFT, pos=place)
    qtbot.waitUntil(lambda: full.list.model.paths == [samples()[2], samples()[1]])
    qtbot.mouseClick(full.list.previous, LEFT)
    assert session.current == samples()[2]


def test_removing_keeps_labels_on_the_disk(full, session, qtbot) -> None:
    session.edit(Labels(Picks.of([(9, 9)])))
    click_row(qtbot, full, 0)
    full.list.remove.trigger()
    assert session.micrographs == samples()[1:]
    assert session.current == samples()[1]
    full.list.table.selectAll()
    full.list.remove.trigger()
    assert panel_is_empty(full)
    session.open_paths(samples()[:1])
    assert len(session.labels.positives) == 1


def panel_is_empty(panel: MicrographsPanel) -> bool:
    return panel.pages.currentWidget() is panel.start and panel.session.project is None


def test_a_bad_file_is_said_and_the_next_one_shown(panel, session, qtbot, tmp_path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"")
    good = written(tmp_path / "b.mrc")
    session.open_paths([tmp_path])
    qtbot.waitUntil(panel.list.problem.isVisible)
    assert panel.list.problem.text() == "This micrograph was not read: is empty: copy it again"
    qtbot.mouseClick(panel.list.next, LEFT)
    qtbot.waitUntil(is_shown(session, good))
    assert not panel.list.problem.isVisible()


# How it is shown


def test_the_display_changes_what_is_seen_alone(full, session, qtbot) -> None:
    display, before = full.display, session.field
    assert display.automatic.isChecked()
    assert display.low_pass.suffix() == " Å"
    assert display.low_pass.value() == pytest.approx(session.filter().low_pass * 3, abs=0.1)
    qtbot.mouseClick(display.invert, LEFT, pos=QPoint(8, display.invert.height() // 2))
    display.low_pass.selectAll()
    qtbot.keyClicks(display.low_pass, "60")
    display.contrast.setFocus()
    qtbot.keyClick(display.contrast, Qt.Key.Key_Right)
    assert not display.automatic.isChecked()
    qtbot.waitUntil(lambda: session.view.display == DisplayFilter(20, 0.6, True))
    qtbot.waitUntil(lambda: session.field is not before)
    assert session.field.micrograph is before.micrograph
    assert session.field.shown.image.shape < before.shown.image.shape
    qtbot.mouseClick(display.automatic, LEFT, pos=QPoint(8, display.automatic.height() // 2))
    assert session.view.display is None
    assert display.low_pass.value() == pytest.approx(session.filter().low_pass * 3, abs=0.1)
    assert not display.invert.isChecked()


def test_the_pixel_size_of_the_file(full, session, qtbot) -> None:
    line = full.pixel_size
    assert (line.entry.text(), line.note.text()) == ("3", "(from the file)")
    type_in(qtbot, line.entry, "4")
    assert "says itself that its pixels are 3 Å, not 4" in session.said[-1]
    assert (line.entry.text(), session.settings.spacing) == ("3", None)


def test_an_unknown_pixel_size_is_asked_for(panel, session, qtbot, tmp_path) -> None:
    session.open_paths([written(tmp_path / "a.mrc")])
    line = panel.pixel_size
    qtbot.waitUntil(line.unknown.isVisible)
    assert panel.display.low_pass.suffix() == " px"
    type_in(qtbot, line.entry, "nought")
    assert "'nought' is not a number above 0" in session.said[-1]
    assert line.entry.text() == ""
    type_in(qtbot, line.entry, "1,77")
    qtbot.waitUntil(lambda: session.field is not None and session.spacing == 1.77)
    assert not line.unknown.isVisible()
    assert (line.entry.text(), line.note.text()) == ("1.77", "(typed)")
    assert panel.display.low_pass.suffix() == " Å"


# Speed and memory


def test_a_large_field_is_shown_at_once(panel, session, qtbot, tmp_path, record_property) -> None:
    image = noise((4096, 4096))
    for name in "abc":
        write_mrc(tmp_path / f"{name}.mrc", image, 1.77)
    session.open_paths([tmp_path])
    qtbot.waitUntil(is_shown(session, tmp_path / "a.mrc"), timeout=20_000)
    qtbot.waitUntil(lambda: session._reader._job is None, timeout=20_000)
    with qtbot.waitSignal(session.field_shown, timeout=5000):
        began = time.monotonic()
        qtbot.mouseClick(panel.list.next, LEFT)
    took = time.monotonic() - began
    record_property("seconds to the next field of 4096 x 4096", took)
    print(f"next field of 4096 x 4096 shown after {took:.3f} s")
    assert took < 1


def test_memory_stays_flat(panel, session, qtbot, tmp_path) -> None:
    side = 1024  # 4 MB each: 240 MB if all were kept
    for number in range(60):
        written(tmp_path / f"{number:02}.mrc", number, side=side)
    session.open_paths([tmp_path])
    grown = []
    for number in range(60):
        qtbot.waitUntil(is_shown(session, tmp_path / f"{number:02}.mrc"), timeout=10_000)
        grown.append(resident())
        qtbot.mouseClick(panel.list.next, LEFT)
    assert grown[-1] - grown[9] < 60e6


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
