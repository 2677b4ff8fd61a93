"""A project that two windows open: one works on it, the other only shows it."""

from __future__ import annotations

import pytest

from cryopick_napari.gui.panels.place import ProjectLine
from cryopick_napari.gui.session import Session
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

SOME = Labels(Picks.of([[40.0, 50.0], [60.0, 90.0]]))


@pytest.fixture
def second(opened, make_napari_viewer, qtbot):
    """A second window on the project of the first."""
    opened.edit(SOME)
    opened.flush()
    session = Session.of(make_napari_viewer())
    said: list[str] = []
    session.failed.connect(said.append)
    session.said = said
    session.open_project(opened.project.folder)
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)
    yield session
    session.close()


def line_of(session, qtbot):
    line = ProjectLine(session)
    qtbot.addWidget(line)
    line.resize(600, 60)
    return line


def test_the_second_only_shows_it_and_says_so(opened, second, qtbot):
    assert "only shown here" in second.said[0]
    line = line_of(second, qtbot)
    assert line.where.full.startswith("Only shown: in use on ")
    assert not line.try_again.isHidden()
    assert line_of(opened, qtbot).try_again.isHidden()
    assert len(second.labels.positives) == 2

    second.edit(Labels(Picks.of([[1.0, 1.0]])))
    assert len(second.labels.positives) == 2
    second.change(threshold=0.9)
    second.flush()
    assert "open elsewhere" in second.said[1]
    project = Project.existing(opened.project.folder)
    assert len(project.labels(opened.current).positives) == 2
    assert project.settings().threshold is None


@pytest.mark.parametrize(
    "action",
    [
        lambda session: session.picking.start(),
        lambda session: session.learning.start(None, {}, {}),
        lambda session: session.learning.rename("a", "b"),
        lambda session: session.learning.import_model("a.safetensors"),
        lambda session: session.put_labels(session.micrographs[-1], SOME),
    ],
)
def test_nothing_else_changes_it(second, action):
    second.change(model="model 1")
    assert not second.guarded(action, second)
    assert "open elsewhere" in second.said[-1]


def test_it_can_be_worked_on_once_the_first_is_closed(opened, second, qtbot):
    line, current = line_of(second, qtbot), second.micrographs[1]
    second.go(current)
    line.try_again.click()
    assert "only shown here" in second.said[-1]
    assert second.current == current
    opened.close_project()
    line.try_again.click()
    assert line.try_again.isHidden()
    assert line.where.full.startswith("Saved automatically in")
    qtbot.waitUntil(lambda: second.field is not None, timeout=10_000)
    second.edit(SOME)
    second.flush()
    assert len(second.project.labels(current).positives) == 2


def test_a_copy_of_it_can_be_worked_on(opened, second, tmp_path):
    second.save_project_as(tmp_path / "copy")
    second.edit(Labels(Picks.of([[1.0, 1.0]])))
    second.flush()
    assert len(Project.existing(tmp_path / "copy").labels(second.current).positives) == 1
    assert len(Project.existing(opened.project.folder).labels(second.current).positives) == 2
    assert Project.existing(opened.project.folder).folder == opened.project.folder


def test_one_that_lost_it_while_asleep_writes_no_more(opened, qtbot, monkeypatch):
    from cryopick_napari import holding

    folder = opened.project.folder
    monkeypatch.setattr(holding, "BEAT", 0.05)
    opened.close_project()
    opened.open_project(folder)
    holder = (folder / holding.FILE).read_text()
    (folder / holding.FILE).write_text(holder.replace(holding.socket.gethostname(), "elsewhere"))
    qtbot.waitUntil(lambda: opened.holder is not None, timeout=5000)
    qtbot.waitUntil(lambda: opened.field is not None, timeout=10_000)
    opened.edit(SOME)
    assert not len(opened.labels.positives)
    assert (folder / holding.FILE).exists()
