from __future__ import annotations

import shutil

import numpy as np
import pytest
from napari.utils.progress import progress

from cryopick_napari.coordinates import match, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.judging import near
from cryopick_napari.labels import Labels
from cryopick_napari.models import ModelRecord
from cryopick_napari.picks import Picks
from cryopick_napari.project import key_of
from cryopick_napari.simulate import sample, samples
from tests.gui.trained import trained_picker


@pytest.fixture
def picking(opened, qtbot):
    """Give the service with a model in use, and all micrographs counted."""
    opened.project.models.save(trained_picker(), ModelRecord("model 1"))
    opened.learning.use("model 1")
    qtbot.waitUntil(lambda: opened.learning.model_name == "model 1", timeout=20_000)
    opened.picking.materials.look()
    qtbot.waitUntil(lambda: opened.picking.remaining == 3 and not opened.review.is_running, timeout=20_000)
    return opened.picking


def finish(picking, qtbot):
    qtbot.waitUntil(lambda: not picking.is_running, timeout=60_000)


def test_all_that_remain_are_picked(picking, qtbot):
    session = picking.session
    rows, steps = [], []
    session.row_changed.connect(rows.append)
    picking.progressed.connect(steps.append)
    picking.start()
    assert picking.is_running and len(progress._all_instances) == 1
    with pytest.raises(CryopickError, match="already"):
        picking.start()
    finish(picking, qtbot)
    # the first one is looked at, and was picked for that
    assert set(samples()[1:]) <= set(rows)
    assert [(step.done, step.total) for step in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert not progress._all_instances
    assert all(session.project.picks(path)[1] == "model 1" for path in samples())
    qtbot.waitUntil(lambda: picking.remaining == 0, timeout=5000)


def test_it_stops_and_goes_on_without_doing_again(picking, qtbot):
    session = picking.session
    picking.progressed.connect(lambda step: picking.stop() if step.done == 1 else None)
    picking.start()
    finish(picking, qtbot)
    done = [path for path in samples() if session.project.picks(path) is not None]
    assert 2 <= len(done) < 4
    times = {path: session.project._picks_file(path).stat().st_mtime_ns for path in done}
    picking.progressed.disconnect()
    picking.start()
    finish(picking, qtbot)
    assert all(session.project.picks(path) for path in samples())
    assert times == {path: session.project._picks_file(path).stat().st_mtime_ns for path in done}


def test_bad_micrographs_are_passed_over_and_said_once(picking, qtbot, tmp_path):
    session = picking.session
    cut, gone = tmp_path / "cut.mrc", tmp_path / "gone.mrc"
    for path in (cut, gone):
        shutil.copy(samples()[0], path)
    current = session.current
    session.open_paths([cut, gone])
    session.go(current)
    qtbot.waitUntil(lambda: session.field is not None and not session.review.is_running, timeout=20_000)
    cut.write_bytes(cut.read_bytes()[:5000])
    gone.unlink()
    session.project._picks_file(cut).unlink(missing_ok=True)
    session.said.clear()
    picking.start()
    finish(picking, qtbot)
    assert len(picking.problems) == 2 and "cut.mrc" in picking.problems[0]
    assert len(session.said) == 1 and "and 1 more" in session.said[0]
    assert all(session.project.picks(path) for path in samples())


def test_nothing_is_picked_without_a_model(opened):
    with pytest.raises(CryopickError, match="train one first"):
        opened.picking.start()


def test_another_project_ends_it(picking, qtbot, tmp_path):
    session = picking.session
    picking.start()
    session.open_project(tmp_path / "other")
    assert not picking.is_running and picking.step is None
    assert not progress._all_instances


def test_what_is_written_is_what_is_shown(picking, qtbot, tmp_path):
    session = picking.session
    session.review.set_threshold(0.3)
    shown = session.review.picks.where(session.review.is_shown())
    assert len(shown) > 20
    with qtbot.waitSignal(picking.exported, timeout=10_000) as signal:
        picking.export(tmp_path / "out", "relion", picking.choice("picks"), [session.current])
    assert signal.args[0].summary.particles == len(shown)
    found, _ = match(read_coordinates(tmp_path / "out"), samples())
    np.testing.assert_allclose(found[session.current].picks.yx, shown.yx, atol=0.01)


def test_labels_correct_what_is_written(picking, qtbot):
    session = picking.session
    picks = session.review.picks
    session.review.set_threshold(float(picks.score[40]))
    shown = picks.where(session.review.is_shown())
    missed = picks.yx[~near(picks.yx, shown.yx, session.diameter)][:1]
    session.review.reject([0, 1])
    session.edit(Labels(Picks.of([*missed, shown.yx[5]]), session.labels.negatives))
    qtbot.waitUntil(lambda: picking.materials.is_complete, timeout=5000)
    with qtbot.waitSignal(picking.previewed, timeout=5000) as signal:
        picking.preview(picking.choice("corrected"), [session.current])
    assert signal.args[0].particles == len(shown) - 2 + 1
    with qtbot.waitSignal(picking.previewed, timeout=5000) as signal:
        picking.preview(picking.choice("labels"))
    assert (signal.args[0].particles, signal.args[0].micrographs, signal.args[0].total) == (2, 1, 4)


def test_files_are_not_replaced_unasked(picking, qtbot, tmp_path):
    choice = picking.choice("picks")
    with qtbot.waitSignal(picking.exported, timeout=10_000):
        picking.export(tmp_path / "out", "csv", choice)
    with qtbot.waitSignal(picking.clashed, timeout=10_000) as signal:
        picking.export(tmp_path / "out", "csv", choice)
    assert [file.name for file in signal.args[0].files] == ["sample-0-plain.csv"]
    with qtbot.waitSignal(picking.exported, timeout=10_000):
        picking.export(tmp_path / "out", "csv", choice, overwrite=True)
    assert not picking.is_writing


def test_a_folder_that_cannot_be_written_is_named(picking, qtbot, tmp_path):
    (tmp_path / "file").write_text("")
    picking.export(tmp_path / "file" / "out", "csv", picking.choice("picks"))
    qtbot.waitUntil(lambda: not picking.is_writing, timeout=10_000)
    assert "cannot make the folder" in picking.session.said[-1]


def test_import_is_one_step_and_reaches_all_micrographs(opened, qtbot, tmp_path):
    from cryopick_napari.coordinates import CoordinateSet, write_coordinates

    sets = [CoordinateSet(samples()[n].stem, sample(n)[1], sample(n)[0].shape) for n in range(2)]
    write_coordinates(sets, tmp_path / "picks", "relion", flip_y=True)
    importing = opened.picking.importing
    with qtbot.waitSignal(importing.found, timeout=30_000) as signal:
        importing.read(tmp_path / "picks")
    found = signal.args[0]
    assert found.flip.is_mirrored
    importing.take(found, is_mirrored=True, is_complete=True)
    np.testing.assert_allclose(opened.labels.positives.yx, sample(0)[1].yx, atol=0.01)
    assert len(opened.labels.complete) == 1
    opened.undo()
    assert not len(opened.labels.positives) and not opened.labels.complete
    opened.flush()
    assert len(opened.project.labels(samples()[1]).positives) == len(sample(1)[1])
    assert not importing.is_reading


def test_damaged_labels_of_another_micrograph_do_not_stop_the_picking(opened, qtbot):
    """Labels are read when a row changes, and a window that is drawn must not fail of it."""
    picking, path = opened.picking, opened.micrographs[1]
    damaged = opened.project.folder / "labels" / f"{key_of(path)}.json"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_text("{")
    opened.row_changed.emit(path)
    assert path not in picking.materials.labels
