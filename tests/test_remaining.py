from __future__ import annotations

import shutil

import numpy as np
import pytest

from cryopick_napari import remaining
from cryopick_napari.config import PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project
from cryopick_napari.remaining import pick_remaining
from cryopick_napari.simulate import samples

PICKER = Picker.new(PickerConfig(diameter=55, spacing=3.0, averaging=False, base_features=4, depth=2))


@pytest.fixture
def project(tmp_path):
    return Project.opened(tmp_path / "project")


def finish(job):
    steps = []
    while True:
        try:
            steps.append(next(job))
        except StopIteration as end:
            return steps, end.value


def test_all_peaks_are_saved_under_the_models_name(project):
    steps, last = finish(pick_remaining(project, samples()[:2], PICKER, "model 1"))
    assert [(step.done, step.total) for step in steps] == [(0, 2), (1, 2), (2, 2)]
    assert steps[-1] is last and last.path == samples()[1]
    saved, model = project.picks(samples()[0])
    assert model == "model 1"
    from cryopick_napari.micrograph import read_micrograph

    again = PICKER.pick(read_micrograph(samples()[0]), threshold=0)
    np.testing.assert_array_equal(saved.yx, again.yx)


def test_what_is_picked_is_not_picked_again(project):
    job = pick_remaining(project, samples()[:3], PICKER, "model 1")
    next(job), next(job)
    with pytest.raises(StopIteration) as end:
        job.send(True)
    assert end.value.value.done == 1
    mark = Picks.of([(1, 2)])
    project.save_picks(samples()[0], mark, "model 1")
    _, last = finish(pick_remaining(project, samples()[:3], PICKER, "model 1"))
    assert (last.done, last.total) == (2, 2)
    assert np.array_equal(project.picks(samples()[0])[0].yx, mark.yx)
    # another model has picked none of them
    steps, _ = finish(pick_remaining(project, samples()[:1], PICKER, "model 2"))
    assert steps[0].total == 1


def test_bad_micrographs_are_passed_over(project, tmp_path):
    good, cut, gone = tmp_path / "good.mrc", tmp_path / "cut.mrc", tmp_path / "gone.mrc"
    shutil.copy(samples()[0], good)
    cut.write_bytes(good.read_bytes()[:5000])
    steps, last = finish(pick_remaining(project, [gone, cut, good], PICKER, "model 1"))
    assert "no such file" in steps[1].problem and "cut short" in steps[2].problem
    assert not last.problem and last.done == 3
    assert project.picks(good) is not None and project.picks(gone) is None


def test_a_project_that_cannot_be_written_ends_it(project):
    (project.folder / "picks").rmdir()
    with pytest.raises(CryopickError, match="cannot write"):
        finish(pick_remaining(project, samples()[:2], PICKER, "model 1"))


def test_a_person_can_stop_before_all_are_looked_at(project, monkeypatch):
    monkeypatch.setattr(remaining, "AT_ONCE", 2)
    job = pick_remaining(project, samples(), PICKER, "model 1")
    assert next(job).total == 4
    with pytest.raises(StopIteration) as end:
        job.send(True)
    assert end.value.value.done == 0
    steps, last = finish(pick_remaining(project, samples()[:3], PICKER, "model 1"))
    assert [(step.done, step.total) for step in steps] == [(0, 3), (0, 3), (1, 3), (2, 3), (3, 3)]
    assert last.done == 3
