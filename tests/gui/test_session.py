"""What a window works on, through real files and real layers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtTest import QTest

from cryopick_napari.config import ParticleSize
from cryopick_napari.display import DisplayFilter
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import canvas_of, click, drag
from cryopick_napari.gui.places import project_folder
from cryopick_napari.gui.session import Session
from cryopick_napari.gui.worker import Job
from cryopick_napari.labelling import same
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project
from cryopick_napari.simulate import samples

YX = [(100.0, 120.0), (300.0, 420.0), (520.0, 80.0)]
AREA = np.array([[20, 20], [20, 200], [200, 200]], np.float32)
FULL = Labels(Picks.of(YX), Picks.of([(50, 50)]), (AREA,), (AREA + 60,))
NOTHING = Labels(Picks.of([]))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Micrographs without a pixel size, of two sizes."""
    folder = tmp_path / "micrographs"
    folder.mkdir()
    paths = []
    for number, side in enumerate((64, 64, 96)):
        paths.append(folder / f"field {number}.mrc")
        write_mrc(paths[-1], np.random.default_rng(number).normal(size=(side, 64)).astype(np.float32))
    return paths


@pytest.fixture
def read(qtbot):
    """Wait until the current micrograph is on the canvas."""
    return lambda session: qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)


def saved(paths: list[Path], path: Path) -> Labels:
    """Read labels as a window of tomorrow would."""
    return Project.opened(project_folder(paths[0].parent)).labels(path)


def test_a_viewer_has_one_session(session):
    assert Session.of(session.viewer) is session


def test_labels_come_back_with_their_folder(session, paths, read):
    session.open_paths(paths)
    read(session)
    session.edit(FULL)
    session.go(paths[1])
    session.close_project()
    assert session.project is None
    assert session.micrographs == []
    assert list(session.viewer.layers) == []
    session.open_paths([paths[1].parent])
    assert session.micrographs == paths
    assert session.current == paths[1]  # where it was left
    session.go(paths[0])
    read(session)
    assert same(session.labels, FULL)
    assert same(session.canvas.labels(), FULL)


def test_a_step_is_undone_and_redone(opened):
    for labels in (Labels(Picks.of(YX)), FULL):
        opened.edit(labels)
    for action, expected in (
        (opened.undo, Labels(Picks.of(YX))),
        (opened.undo, NOTHING),
        (opened.undo, NOTHING),
        (opened.redo, Labels(Picks.of(YX))),
        (opened.redo, FULL),
        (opened.redo, FULL),
    ):
        action()
        assert same(opened.labels, expected)
        assert same(opened.canvas.labels(), expected)
    opened.flush()
    assert same(opened.project.labels(opened.current), FULL)


def test_each_of_napari_s_own_tools_is_one_step(opened, qtbot):
    """A point added, dragged and deleted, and an area: four steps, saved by themselves."""
    viewer, canvas = opened.viewer, canvas_of(opened.viewer)
    layer = opened.canvas.layer(Kind.POSITIVES)
    canvas.setFocus()
    layer.mode = "add"
    click(viewer, YX[0])
    layer.mode = "select"
    drag(viewer, YX[0], YX[1])
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    opened.canvas.draw(Kind.EXCLUDED)
    for yx in YX:
        click(viewer, yx)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(opened.labels.excluded) == 1)
    assert len(opened.history(opened.current).past) == 4
    qtbot.waitUntil(lambda: len(opened.project.labels(opened.current).excluded) == 1, timeout=1000)
    opened.undo()
    assert same(opened.labels, NOTHING)
    opened.undo()
    np.testing.assert_allclose(opened.labels.positives.yx, YX[1:2], atol=4)
    opened.undo()
    np.testing.assert_allclose(opened.labels.positives.yx, YX[:1], atol=4)


def test_an_edit_of_the_last_moment_belongs_to_its_micrograph(opened, read):
    first, second = opened.micrographs[:2]
    opened.canvas.layer(Kind.POSITIVES).add([[10, 20]])
    opened.step(1)
    read(opened)
    assert opened.current == second
    assert same(opened.labels, NOTHING)
    np.testing.assert_array_equal(opened.labels_of(first).positives.yx, [[10, 20]])
    opened.canvas.layer(Kind.POSITIVES).add([[30, 40]])
    opened.undo()
    assert same(opened.labels, NOTHING)
    assert len(opened.history(second).future) == 1


def test_what_the_program_shows_is_no_step(opened, read, qtbot):
    opened.put_labels(opened.micrographs[1], FULL)
    opened.step(1)
    read(opened)
    opened.set_size(ParticleSize(100))
    opened.set_display(DisplayFilter(8.0))
    opened.step(-1)
    read(opened)
    qtbot.wait(100)
    assert opened.history(opened.micrographs[0]).past == ()
    assert len(opened.history(opened.micrographs[1]).past) == 1


@pytest.mark.parametrize("kind", [None, Kind.POSITIVES, Kind.COMPLETE, Kind.MICROGRAPH])
def test_layers_that_a_person_deletes_come_back(opened, qtbot, kind):
    opened.edit(FULL)
    layers = opened.viewer.layers
    if kind is None:
        layers.clear()
    else:
        layers.remove(opened.canvas.layer(kind))
    qtbot.waitUntil(lambda: opened.canvas.layer(kind or Kind.MICROGRAPH) is not None)
    assert same(opened.canvas.labels(), FULL)
    assert same(opened.labels, FULL)
    assert layers[0] is opened.canvas.layer(Kind.MICROGRAPH)
    assert layers.selection.active is opened.canvas.layer(Kind.POSITIVES)
    assert len(opened.history(opened.current).past) == 1


def test_stepping_keeps_the_view_and_ends_at_the_ends(session, paths, read):
    session.open_paths(paths)
    read(session)
    camera = session.viewer.scene.camera
    session.canvas.look_at((20, 30))
    camera.zoom = 50.0
    session.step(-1)
    assert session.current == paths[0]
    session.step(1)
    read(session)
    assert (camera.zoom, *camera.center[-2:]) == pytest.approx((50.0, 20, 30))
    session.step(1)  # to a larger one
    read(session)
    assert camera.center[-2:] == pytest.approx((47.5, 31.5), abs=3)
    assert camera.zoom < 50
    session.step(1)
    assert session.current == paths[2]


def test_a_micrograph_that_is_not_open_is_not_gone_to(opened, tmp_path):
    before = opened.current
    with pytest.raises(CryopickError, match="open it first"):
        opened.go(tmp_path / "other.mrc")
    assert opened.current == before


def test_a_bad_file_is_said_once_and_stepped_over(session, paths, read, qtbot):
    good = paths[1].read_bytes()
    paths[1].write_bytes(b"no micrograph")
    session.open_paths(paths)
    read(session)
    session.step(1)
    qtbot.waitUntil(lambda: bool(session.said))
    assert list(session.problems) == [paths[1]]
    assert list(session.viewer.layers) == []
    session.set_size(ParticleSize(20, in_angstrom=False))
    session.set_display(DisplayFilter(4.0))
    session.edit(FULL)
    qtbot.wait(50)
    assert len(session.said) == 1
    session.step(1)
    read(session)
    qtbot.waitUntil(lambda: not Job.running)  # its neighbour was tried again, too
    paths[1].write_bytes(good)
    session.go(paths[1])
    read(session)
    assert session.problems == {}
    assert same(session.labels, NOTHING)


def test_sizes_need_a_pixel_size_or_pixels(session, paths, read):
    session.open_paths(paths)
    read(session)
    session.set_size(ParticleSize(100))
    assert session.known_diameter is None
    assert session.diameter == 50
    session.set_spacing(4.0)
    read(session)
    assert session.known_diameter == 25
    assert session.canvas.layer(Kind.POSITIVES).current_size == 25
    session.set_spacing(None)
    read(session)
    assert session.known_diameter is None
    session.set_size(ParticleSize(30, in_angstrom=False))
    assert session.diameter == 30


@pytest.mark.parametrize("spacing", [4.0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_pixel_size_that_cannot_be_changes_nothing(opened, spacing):
    with pytest.raises(CryopickError):
        opened.set_spacing(spacing)
    assert opened.spacing == pytest.approx(3.0)
    assert opened.settings.spacing is None
    assert opened.field is not None


def test_an_impossible_pixel_size_is_refused_before_anything_is_open(session):
    with pytest.raises(CryopickError, match="above 0"):
        session.set_spacing(-1.0)


def test_sizes_said_before_there_is_a_project_hold_for_it(session, paths, read):
    session.set_size(ParticleSize(20, in_angstrom=False))
    session.open_paths(paths)
    read(session)
    assert session.diameter == 20
    session.flush()
    assert Project.opened(project_folder(paths[0].parent)).settings().diameter == 20


def test_a_damaged_project_is_refused_and_left_alone(session, paths):
    project = Project.opened(project_folder(paths[0].parent))
    content = json.dumps({"version": 1, "spacing": "two"})
    (project.folder / "project.json").write_text(content)
    with pytest.raises(CryopickError, match="damaged"):
        session.open_paths(paths)
    assert session.project is None
    session.set_size(ParticleSize(20))
    session.flush()
    assert (project.folder / "project.json").read_text() == content


def test_a_project_moves_while_micrographs_are_read(session, paths, tmp_path, read):
    session.open_paths(paths)
    session.save_project_as(tmp_path / "mine")
    read(session)
    session.edit(FULL)
    session.open_project(tmp_path / "mine")
    read(session)
    assert session.project.folder == tmp_path / "mine"
    assert same(session.labels, FULL)
    assert session.micrographs == paths
    session.close_project()
    session.open_paths(paths)  # its old place leads to the new one
    assert session.project.folder == tmp_path / "mine"
    session.close_project()
    assert session.current is None


def test_what_was_asked_for_before_closing_does_not_come(session, paths, qtbot):
    session.open_paths(paths)
    session.close_project()
    qtbot.wait(300)
    assert session.field is None
    assert list(session.viewer.layers) == []


def test_labels_that_cannot_be_saved_are_not_thrown_away(session, paths, tmp_path, read):
    session.open_paths(paths)
    read(session)
    folder = session.project.folder / "labels"
    folder.rmdir()
    folder.touch()  # nothing can be written into it, even by root
    session.edit(Labels(Picks.of(YX[:1])))
    session.flush()
    session.edit(FULL)
    session.flush()
    assert len(session.said) == 1
    with pytest.raises(CryopickError, match="another folder"):
        session.close_project()
    assert same(session.labels, FULL)
    folder.unlink()
    folder.mkdir()
    session.save_project_as(tmp_path / "mine")
    session.close_project()
    assert same(Project.opened(tmp_path / "mine").labels(paths[0]), FULL)


def test_micrographs_are_taken_off_the_list(session, paths, read):
    session.open_paths(paths)
    session.remove([paths[0]])
    read(session)
    assert (session.current, session.micrographs) == (paths[1], paths[1:])
    session.remove(paths[1:])
    assert session.project is None
    assert session.current is None


def test_the_last_labels_are_saved_when_the_window_goes(session, paths, read):
    session.open_paths(paths)
    read(session)
    session.canvas.layer(Kind.POSITIVES).add([[10, 20]])
    session._window.eventFilter(session.viewer.window._qt_window, QCloseEvent())
    np.testing.assert_array_equal(saved(paths, paths[0]).positives.yx, [[10, 20]])


KILLED = """
import sys
import napari
from cryopick_napari.gui.hands import click, wait, wait_until
from cryopick_napari.gui.session import Session
from cryopick_napari.simulate import samples
session = Session.of(napari.Viewer())
session.open_paths(samples())
wait_until(lambda: session.field is not None, 60, "reading")
wait(0.3)
for yx in ((100.0, 120.0), (300.0, 420.0)):
    click(session.viewer, yx)
print(session.labels.positives.yx.tolist(), flush=True)
wait(60)
"""


def test_labels_outlast_a_kill(data_home, session, read):
    """A window is killed 0.9 s after the last click; another finds both particles."""
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    # Qt may have words of its own.
    clicked = json.loads(next(line for line in process.stdout if line.startswith("[[")))
    time.sleep(0.9)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(clicked) == 2
    session.open_paths(samples())
    read(session)
    np.testing.assert_allclose(session.labels.positives.yx, clicked)
