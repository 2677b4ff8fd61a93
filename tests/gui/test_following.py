"""Micrographs arrive in a folder while the window looks on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from cryopick_napari import watching
from cryopick_napari.config import ParticleSize
from cryopick_napari.gui.hands import press, wait, wait_until
from cryopick_napari.gui.panels.micrographs import MicrographsPanel
from cryopick_napari.gui.places import project_folder
from cryopick_napari.gui.worker import Job
from cryopick_napari.holding import hold
from cryopick_napari.models import ModelRecord
from cryopick_napari.project import Project
from cryopick_napari.simulate import SAMPLE_DIAMETER, samples
from tests.gui.trained import trained_picker


@pytest.fixture
def panel(session, qtbot, monkeypatch) -> MicrographsPanel:
    monkeypatch.setattr(watching, "POLL", 0.1)
    panel = MicrographsPanel(session)
    session.viewer.window.add_dock_widget(panel, area="right")
    qtbot.waitExposed(panel)
    return panel


def follow(panel: MicrographsPanel, folder: Path, monkeypatch) -> None:
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    press(panel.start.follow) if panel.start.isVisible() else panel.follow.trigger()


def names(panel: MicrographsPanel) -> list[str]:
    return [path.name for path in panel.session.micrographs]


def test_an_empty_folder_fills_and_the_first_is_shown(panel, session, tmp_path, monkeypatch):
    follow(panel, tmp_path / "set", monkeypatch)
    assert session.following.folder == tmp_path / "set"
    for number, path in enumerate(samples()[:2]):
        shutil.copy(path, tmp_path / "set")
        wait_until(lambda number=number: len(session.micrographs) == number + 1, 10, "an arrival")
    wait_until(lambda: session.field is not None, 10, "the first field")
    assert session.current.name == samples()[0].name
    assert panel.following.isVisible()
    assert panel.following.words.full.endswith("2 new")
    press(panel.following.stop)
    assert not panel.following.isVisible()
    shutil.copy(samples()[2], tmp_path / "set")
    wait(0.6)
    assert len(session.micrographs) == 2
    wait_until(lambda: not Job.running, 5, "the end of the thread")


def test_arrivals_are_listed_without_moving_what_is_looked_at_and_picked(
    panel, session, tmp_path, monkeypatch
):
    first, second, third, _ = samples()
    folder = tmp_path / "set"
    folder.mkdir()
    shutil.copy(first, folder)
    session.open_paths([folder])
    wait_until(lambda: session.field is not None, 10, "opening")
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    follow(panel, folder, monkeypatch)
    shutil.copy(second, folder)
    wait_until(lambda: len(session.micrographs) == 2, 10, "an arrival")
    assert session.current.name == first.name
    assert panel.following.picks.text().endswith("once there is a model")
    session.project.models.save(trained_picker(), ModelRecord("model 1"))
    session.learning.use("model 1")
    wait_until(lambda: session.project.picks(session.micrographs[1]) is not None, 60, "picking")
    shutil.copy(third, folder)
    wait_until(lambda: len(session.micrographs) == 3, 10, "another arrival")
    wait_until(lambda: session.project.picks(session.micrographs[2]) is not None, 60, "picking it")
    wait_until(lambda: session.tallies.of(session.micrographs[2]).scores is not None, 10, "the table")
    assert session.said == []
    session.close_project()
    assert session.following.folder is None


def test_what_is_being_written_waits(panel, session, tmp_path, monkeypatch):
    follow(panel, tmp_path / "set", monkeypatch)
    content = samples()[0].read_bytes()
    growing = tmp_path / "set" / "growing.mrc"
    with growing.open("wb") as file:
        for start in range(0, len(content), len(content) // 6):
            file.write(content[start : start + len(content) // 6])
            file.flush()
            wait(0.08)
            assert names(panel) == []
    wait_until(lambda: names(panel) == ["growing.mrc"], 10, "the whole file")


def test_a_folder_that_is_gone_is_said(panel, session, tmp_path):
    session.guarded(session.following.start, tmp_path / "nowhere")
    assert "is no folder" in session.said[-1]
    assert session.following.folder is None


def test_a_person_who_stops_the_picking_is_obeyed_and_nothing_is_forgotten(
    panel, session, tmp_path, monkeypatch
):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(6):
        shutil.copy(samples()[number % 4], folder / f"field {number}.mrc")
    session.open_paths([folder])
    wait_until(lambda: session.field is not None, 10, "opening")
    session.project.models.save(trained_picker(), ModelRecord("model 1"))
    session.project.models.save(trained_picker(), ModelRecord("model 2"))
    session.learning.use("model 1")
    wait_until(lambda: session.settings.model == "model 1", 20, "the model")
    follow(panel, folder, monkeypatch)
    wait_until(lambda: session.picking.is_running and session.picking.step is not None, 20, "picking")
    session.picking.stop()
    wait_until(lambda: not session.picking.is_running, 30, "its end")
    wait(0.5)
    assert not session.picking.is_running
    assert not panel.following.picks.isChecked()
    missing = [path for path in session.micrographs if session.project.picks(path) is None]
    assert missing
    panel.following.picks.click()
    wait_until(lambda: session.picking.is_running and session.picking.step is not None, 20, "picking again")
    session.learning.use("model 2")  # all are picked anew
    wait_until(
        lambda: (
            all(
                (session.project.picks(path) or (None, ""))[1] == "model 2"
                for path in session.following._waiting
            )
            and not session.following._waiting
            and not session.picking.is_running
        ),
        120,
        "the rest",
    )
    assert all(session.project.picks(path) is not None for path in session.micrographs)


def test_a_project_that_turns_out_to_be_open_elsewhere_takes_nothing_along(
    panel, session, tmp_path, monkeypatch
):
    folder = tmp_path / "set"
    folder.mkdir()
    held = hold(Project.opened(project_folder(folder)).folder)
    try:
        follow(panel, folder, monkeypatch)
        shutil.copy(samples()[0], folder)
        wait_until(lambda: session.holder is not None, 10, "the first arrival")
    finally:
        held.release()
    assert session.following.folder is None
    other = tmp_path / "another project"
    session.open_project(other)
    session.project.models.save(trained_picker(), ModelRecord("model 1"))
    session.learning.use("model 1")
    wait_until(lambda: session.settings.model == "model 1", 20, "the model")
    wait(0.5)
    assert not session.picking.is_running
    assert not list((other / "picks").iterdir())


def test_a_file_that_changes_after_all_is_picked_anew(panel, session, tmp_path, monkeypatch):
    folder = tmp_path / "set"
    folder.mkdir()
    growing = folder / "field.mrc"
    shutil.copy(samples()[0], growing)
    follow(panel, folder, monkeypatch)
    wait_until(lambda: session.field is not None, 10, "opening")
    session.project.models.save(trained_picker(), ModelRecord("model 1"))
    session.learning.use("model 1")
    wait_until(lambda: session.project.picks(growing) is not None, 60, "picking")
    before = session.project.picks(growing)[0]
    wait_until(lambda: not session.picking.is_running, 20, "its end")
    shutil.copy(samples()[2], growing)
    wait_until(
        lambda: (
            session.project.picks(growing) is not None
            and not np.array_equal(session.project.picks(growing)[0].yx, before.yx)
        ),
        60,
        "picking it anew",
    )


def test_a_picking_that_fails_is_said_once_and_not_tried_for_ever(panel, session, tmp_path, monkeypatch):
    folder = tmp_path / "set"
    folder.mkdir()
    shutil.copy(samples()[0], folder)
    session.open_paths([folder])
    wait_until(lambda: session.field is not None, 10, "opening")
    session.project.models.save(trained_picker(), ModelRecord("model 1"))
    session.learning.use("model 1")
    wait_until(lambda: session.settings.model == "model 1", 20, "the model")
    follow(panel, folder, monkeypatch)
    wait_until(lambda: session.project.picks(session.micrographs[0]) is not None, 60, "picking")
    (saved,) = (session.project.folder / "models").glob("*.safetensors")
    saved.unlink()
    shutil.copy(samples()[1], folder)
    wait_until(lambda: session.said, 20, "what is wrong")
    wait(1.0)
    assert len(session.said) == 1
    assert session.following.folder == folder
    assert not session.following.picks
