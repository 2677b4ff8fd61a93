from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.config import ParticleSize, PickerConfig
from cryopick_napari.coordinates import CoordinateSet, write_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.importing import find_in_project, find_labels, find_positions, with_found
from cryopick_napari.labels import Labels
from cryopick_napari.metrics import mirrored
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample, samples

SIZE = ParticleSize(SAMPLE_DIAMETER)


def written(folder, flip=False, part=1, names=None):
    sets = []
    for number, path in enumerate(samples()[:2]):
        micrograph, truth = sample(number)
        name = names[number] if names else path.stem
        some = truth.where(np.arange(len(truth)) % part == 0)
        sets.append(CoordinateSet(name, some, micrograph.shape, micrograph.spacing))
    write_coordinates(sets, folder, "relion", flip_y=flip)
    return folder


def test_positions_find_their_micrographs(tmp_path):
    found = find_labels(written(tmp_path / "picks"), samples(), size=SIZE)
    assert list(found.picks) == samples()[:2]
    np.testing.assert_allclose(found.picks[samples()[0]].yx, sample(0)[1].yx, atol=0.01)
    assert found.looks_complete and not found.flip.is_mirrored
    assert not found.strangers and not found.problems


def test_a_flipped_file_is_recognised(tmp_path):
    found = find_labels(written(tmp_path / "picks", flip=True), samples(), size=SIZE)
    assert found.flip.is_mirrored and found.flip.is_clear
    path = samples()[0]
    labels = with_found(Labels(Picks.of([])), found, path, is_mirrored=True, is_complete=False)
    np.testing.assert_allclose(labels.positives.yx, sample(0)[1].yx, atol=0.01)


def test_a_few_clicks_are_not_complete(tmp_path):
    assert not find_labels(written(tmp_path / "picks", part=20), samples(), size=SIZE).looks_complete


def test_strangers_and_bad_micrographs_are_named(tmp_path):
    gone = tmp_path / "gone.mrc"
    folder = written(tmp_path / "picks", names=[samples()[0].stem, "somebody"])
    found = find_labels(folder, [*samples(), gone], size=SIZE)
    assert list(found.picks) == samples()[:1]
    assert found.strangers == ("somebody",)
    assert "gone.mrc" in found.problems[0]
    folder = written(tmp_path / "others", names=["x", "y"])
    with pytest.raises(CryopickError, match="'x', 'y'"):
        find_labels(folder, samples(), size=SIZE)


def test_positions_outside_are_refused_with_a_remedy(tmp_path):
    path = samples()[0]
    rows = CoordinateSet(path.stem, Picks.of([(10, 10), (9000, 10)]))
    write_coordinates([rows], tmp_path / "picks", "csv")
    with pytest.raises(CryopickError, match=r"1 of 2 positions .* binning"):
        find_labels(tmp_path / "picks", samples(), size=SIZE)


def test_labels_are_added_to_those_that_are_there(tmp_path):
    found = find_labels(written(tmp_path / "picks", part=4), samples(), size=SIZE)
    path = samples()[0]
    imported = found.picks[path]
    before = Labels(Picks.of(imported.yx[:1] + 2), Picks.of([imported.yx[1] + 1, (1, 1)]))
    after = with_found(before, found, path, is_mirrored=False, is_complete=True)
    assert len(after.positives) == len(imported)  # the first was labelled already
    assert np.array_equal(after.positives.yx[0], before.positives.yx[0])
    assert after.negatives.yx.tolist() == [[1, 1]]
    assert len(after.complete) == 1
    assert (after.positives.score == 1).all()
    upside_down = with_found(Labels(Picks.of([])), found, path, is_mirrored=True, is_complete=False)
    np.testing.assert_array_equal(upside_down.positives.yx, mirrored(imported, found.shapes[path]).yx)
    assert not upside_down.complete


def test_positions_alone_are_read_as_they_are(tmp_path):
    found = find_positions(written(tmp_path / "picks", part=2), samples())
    assert list(found) == samples()[:2]
    np.testing.assert_allclose(found[samples()[0]].yx, sample(0)[1].yx[::2], atol=0.01)
    with pytest.raises(CryopickError, match="there are no micrographs"):
        find_positions(tmp_path / "picks", [])


def test_positions_outside_the_field_are_no_positions(tmp_path):
    file = tmp_path / "far.csv"
    file.write_text(f"micrograph,x,y\n{samples()[0].name},5000,5000\n")
    with pytest.raises(CryopickError, match="lie outside its 1024 rows"):
        find_positions(file, samples())


@pytest.fixture
def theirs(tmp_path):
    """Give a project of the same micrographs, on another computer."""
    project = Project.opened(tmp_path / "theirs")
    path = Path("/elsewhere") / samples()[0].name
    _, truth = sample(0)
    picks = Picks.of(truth.yx[:50], np.linspace(1, 0.02, 50))
    project.save_settings(Settings(micrographs=(str(path), "/elsewhere/other.mrc"), model="model 1"))
    project.save_labels(path, Labels(truth.where(np.arange(3))))
    project.save_picks(path, picks, "model 1")
    return project


def test_labels_of_another_project_though_its_micrographs_lie_elsewhere(theirs):
    found = find_in_project(theirs.folder, samples())
    assert list(found) == samples()[:1]
    np.testing.assert_allclose(found[samples()[0]].yx, sample(0)[1].yx[:3], atol=0.01)


def test_picks_of_another_project_at_its_threshold(theirs):
    Picker.new(PickerConfig(50.0, threshold=0.5)).save(theirs.models.file("model 1"))
    own = find_in_project(theirs.folder, samples(), labels=False)[samples()[0]]
    assert own.score.min() >= 0.5  # the model's
    theirs.save_settings(replace(theirs.settings(), threshold=0.8))
    chosen = find_in_project(theirs.folder, samples(), labels=False)[samples()[0]]
    assert 0 < len(chosen) < len(own) < 50
    theirs.save_settings(replace(theirs.settings(), model="model 2", threshold=0.8))
    assert not find_in_project(theirs.folder, samples(), labels=False)  # they are of a model before


def test_one_micrograph_of_theirs_is_one_of_ours(theirs, tmp_path):
    ours = [tmp_path / folder / samples()[0].name for folder in ("one", "two")]
    for path in ours:
        path.parent.mkdir()
        path.symlink_to(samples()[0])
    assert not find_in_project(theirs.folder, ours)  # nobody knows which


def test_what_is_no_project_is_said(tmp_path):
    with pytest.raises(CryopickError, match="is no project"):
        find_in_project(tmp_path, samples())
