"""Masks are read into the window as areas, and written out of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.hands import press, wait, wait_until
from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.masks import read_mask
from cryopick_napari.models import ModelRecord
from cryopick_napari.project import key_of
from tests.gui.trained import trained_picker, use


@pytest.fixture
def panel(opened, qtbot) -> ExportPanel:
    panel = ExportPanel(opened)
    opened.viewer.window.add_dock_widget(panel, area="right")
    qtbot.waitExposed(panel)
    return panel


def choose(monkeypatch, folder) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))


def test_masks_become_areas_that_can_be_undone_and_are_saved(panel, opened, tmp_path, monkeypatch):
    ring = np.zeros((256, 256), np.uint8)
    cv2.circle(ring, (128, 128), 90, 255, 40)
    cv2.imwrite(str(tmp_path / f"{opened.micrographs[0].stem}.png"), ring)
    (tmp_path / f"{opened.micrographs[1].stem}.png").write_bytes(b"no picture")
    choose(monkeypatch, tmp_path)
    press(panel.masks.read)
    wait_until(lambda: not opened.masking.is_running and opened.masking.step is not None, 10, "reading")
    assert len(opened.labels.excluded) == 1
    assert panel.masks.note.text().startswith("1 of 2 masks are excluded areas now")
    assert "a mask is left out" in opened.said[-1]
    wait(0.5)
    layer = opened.canvas.layer(Kind.EXCLUDED)
    assert len(layer.data) == 1
    pixels = opened.viewer.screenshot(canvas_only=True, flash=False)
    assert pixels.std() > 0
    opened.flush()
    assert len(opened.project.labels(opened.micrographs[0]).excluded) == 1
    opened.undo()
    assert not opened.labels.excluded


def test_masks_are_written_with_areas_and_contamination(panel, opened, tmp_path, monkeypatch):
    use(opened, trained_picker())
    square = np.array([(10, 10), (10, 90), (90, 90), (90, 10)], np.float32)
    opened.edit(replace(opened.labels, excluded=(square,)))
    opened.reject(opened.micrographs[3:])
    choose(monkeypatch, tmp_path)
    press(panel.masks.write)
    wait_until(lambda: not opened.masking.is_running and opened.masking.step is not None, 60, "writing")
    assert panel.masks.note.text() == f"3 of 3 masks written to {tmp_path}."
    names = {file.name for file in tmp_path.glob("*.png")}
    assert names == {f"{path.stem}.png" for path in opened.micrographs[:3]}
    first = read_mask(tmp_path / f"{opened.micrographs[0].stem}.png", (1024, 1024))
    assert first[20:80, 20:80].all()
    carbon = read_mask(tmp_path / f"{opened.micrographs[2].stem}.png", (1024, 1024))
    assert carbon.mean() > 0.05


def test_a_folder_without_masks_is_said(panel, opened, tmp_path, monkeypatch):
    choose(monkeypatch, tmp_path)
    press(panel.masks.read)
    wait_until(lambda: bool(opened.said), 10, "the notification")
    assert "holds no mask" in opened.said[-1]
    assert panel.masks.read.isEnabled()


def test_without_a_model_only_areas_are_written_and_that_is_said(panel, opened, tmp_path, monkeypatch):
    use(opened, None, None)
    opened.set_size(None)
    opened.learning.picker = None
    choose(monkeypatch, tmp_path)
    press(panel.masks.write)
    wait_until(lambda: not opened.masking.is_running and opened.masking.step is not None, 60, "writing")
    assert "and nothing else" in panel.masks.note.text()
    assert not read_mask(tmp_path / f"{opened.micrographs[2].stem}.png", (1024, 1024)).any()


def test_a_model_that_is_not_read_yet_finds_the_contamination(panel, opened, tmp_path, monkeypatch):
    opened.project.models.save(trained_picker(), ModelRecord("model 1"))
    opened.change(model="model 1")
    opened.learning.picker = None
    choose(monkeypatch, tmp_path)
    press(panel.masks.write)
    wait_until(lambda: not opened.masking.is_running and opened.masking.step is not None, 60, "writing")
    carbon = read_mask(tmp_path / f"{opened.micrographs[2].stem}.png", (1024, 1024))
    assert carbon.mean() > 0.05


def test_damaged_labels_are_said_and_the_rest_goes_on(panel, opened, tmp_path, monkeypatch):
    for path in opened.micrographs[1:3]:
        square = np.zeros((128, 128), np.uint8)
        square[20:60, 20:60] = 255
        cv2.imwrite(str(tmp_path / f"{path.stem}.png"), square)
    opened.flush()
    damaged = opened.project.folder / "labels" / f"{key_of(opened.micrographs[1])}.json"
    damaged.write_text("{")
    choose(monkeypatch, tmp_path)
    press(panel.masks.read)
    wait_until(lambda: not opened.masking.is_running and opened.masking.step is not None, 10, "reading")
    assert panel.masks.note.text().startswith("1 of 2 masks are excluded areas now")
    assert any("damaged" in told for told in opened.said)
    assert len(opened.labels_of(opened.micrographs[2]).excluded) == 1
