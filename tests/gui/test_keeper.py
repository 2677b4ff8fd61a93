"""Labels reach the disk soon, in order, and are not forgotten where they cannot."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cryopick_napari.gui.keeper import SAVE_AFTER, Keeper
from cryopick_napari.labelling import History, same
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings

FIELD, OTHER = Path("/data/a.mrc"), Path("/data/b.mrc")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.opened(tmp_path / "project")


@pytest.fixture
def keeper(qtbot, project):
    keeper = Keeper()
    keeper.said = []
    keeper.failed.connect(keeper.said.append)
    keeper.take(project)
    yield keeper
    keeper.close()


def labels(count: int) -> Labels:
    return Labels(Picks.of([(row, 5) for row in range(count)]))


def put(keeper: Keeper, path: Path, count: int) -> None:
    keeper.put(path, keeper.history(path).changed(labels(count)))


def block(project: Project) -> None:
    """Let nothing be written, as in a folder that is read only (which nothing is for root)."""
    (project.folder / "labels").rename(project.folder / "labels away")
    (project.folder / "labels").touch()


def unblock(project: Project) -> None:
    (project.folder / "labels").unlink()
    (project.folder / "labels away").rename(project.folder / "labels")


def test_a_change_is_saved_by_itself(keeper, project, qtbot):
    put(keeper, FIELD, 3)
    assert not project.has_labels(FIELD)
    qtbot.waitUntil(lambda: project.has_labels(FIELD), timeout=1000)
    assert same(project.labels(FIELD), labels(3))


def test_a_person_who_never_pauses_is_saved(keeper, project, qtbot):
    start = time.monotonic()
    count = 0
    while not project.has_labels(FIELD):
        count += 1
        put(keeper, FIELD, count)
        qtbot.wait(SAVE_AFTER // 10)
        assert time.monotonic() - start < 1


def test_the_last_change_is_what_stays(keeper, project):
    for count in range(30):
        put(keeper, FIELD, count)
        keeper.save_now()
    keeper.flush()
    assert same(project.labels(FIELD), labels(29))
    assert keeper.is_saved


def test_settings_are_saved_at_once(keeper, project):
    keeper.put_settings(Settings(("/a",), 1.5))
    keeper.put_settings(Settings(("/a",), 2.5))
    keeper.flush()
    assert project.settings() == Settings(("/a",), 2.5)


def test_what_cannot_be_written_is_said_once_and_stays(keeper, project, qtbot):
    block(project)
    for count in (1, 2, 3):
        put(keeper, FIELD, count)
        put(keeper, OTHER, count)
        keeper.flush()
    (said,) = keeper.said
    assert "not saved" in str(said)
    assert str(project.folder) in str(said)
    assert not keeper.is_saved
    unblock(project)
    keeper.flush()
    assert keeper.is_saved
    assert same(project.labels(FIELD), labels(3))
    block(project)
    put(keeper, FIELD, 4)
    keeper.flush()
    assert len(keeper.said) == 2
    unblock(project)


def test_a_failure_beside_the_window_is_heard_of(keeper, project, qtbot):
    block(project)
    put(keeper, FIELD, 1)
    qtbot.waitUntil(lambda: len(keeper.said) == 1, timeout=2000)
    unblock(project)


def test_what_failed_does_not_replace_what_is_newer(keeper, project):
    block(project)
    put(keeper, FIELD, 1)
    keeper.save_now()
    put(keeper, FIELD, 2)
    keeper.flush()
    unblock(project)
    keeper.flush()
    assert same(project.labels(FIELD), labels(2))


def test_labels_that_could_not_be_saved_go_with_a_copy(keeper, project, tmp_path):
    keeper.put_settings(Settings())
    keeper.flush()
    block(project)
    put(keeper, FIELD, 3)
    keeper.flush()
    unblock(project)
    copy = project.moved(tmp_path / "copy")
    keeper.move(copy)
    assert keeper.is_saved
    assert same(copy.labels(FIELD), labels(3))
    assert not project.has_labels(FIELD)


def test_damaged_labels_are_said_once_and_kept(keeper, project):
    project.save_labels(FIELD, labels(9))
    (path,) = (project.folder / "labels").iterdir()
    path.write_text(path.read_text()[:-30])
    assert same(keeper.history(FIELD).labels, labels(0))
    put(keeper, FIELD, 1)
    keeper.flush()
    assert len(keeper.said) == 1
    assert same(project.labels(FIELD), labels(1))
    assert len(list(path.parent.glob("*.damaged"))) == 1


def test_another_project_is_another_story(keeper, project, tmp_path):
    put(keeper, FIELD, 3)
    keeper.flush()
    keeper.take(Project.opened(tmp_path / "other"))
    assert isinstance(keeper.history(FIELD), History)
    assert same(keeper.labels_of(FIELD), labels(0))
    keeper.take(None)
    assert same(keeper.labels_of(FIELD), labels(0))
