"""Projects on the disk, and what strangers and accidents make of them."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryopick_napari import project_files
from cryopick_napari.display import DisplayFilter
from cryopick_napari.errors import CryopickError
from cryopick_napari.labelling import same
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph_values import load_values
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings, View, key_of

FIELD = Path("/data/field 1.mrc")
AREA = np.array([[0, 0], [0, 9.5], [9, 9]], np.float32)
LABELS = Labels(Picks.of([(1.25, 2), (3, 4)]), Picks.of([(5, 6)]), (AREA,), (AREA + 1, AREA + 2))
SETTINGS = Settings(("/data/field 1.mrc", "/data/b.mrc"), 1.5, 160.0, True, "model 1", 0.4, 0.5)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.opened(tmp_path / "a project")


def labels_file(project: Project) -> Path:
    return project.folder / "labels" / f"{key_of(FIELD)}.json"


def picks_file(project: Project) -> Path:
    return project.folder / "picks" / f"{key_of(FIELD)}.npz"


def test_a_new_project_is_empty(project):
    assert project.settings() == Settings()
    assert same(project.labels(FIELD), Labels(Picks.of([])))
    assert not project.has_labels(FIELD)
    assert project.picks(FIELD) is None
    assert list(project.models) == []


def test_everything_is_there_again(project):
    project.save_settings(SETTINGS)
    project.save_labels(FIELD, LABELS)
    project.save_picks(FIELD, Picks.of([(1, 2)], [0.5]), "model 1")
    again = Project.opened(project.folder)
    assert again.settings() == SETTINGS
    assert same(again.labels(FIELD), LABELS)
    assert again.has_labels(FIELD)
    picks, model = again.picks(FIELD)
    np.testing.assert_array_equal(picks.yx, [[1, 2]])
    assert (picks.score.tolist(), model) == ([0.5], "model 1")


def test_files_of_micrographs_have_names_that_fit_and_differ(project):
    names = ["/a/f.mrc", "/b/f.mrc", "/a/" + "x" * 60 + "1.mrc", "/a/" + "x" * 60 + "2.mrc"]
    assert len({key_of(Path(name)) for name in names}) == len(names)
    for name in ("/a/" + "\N{SNOWMAN}" * 80 + ".mrc", "/a/\udcff.mrc", "/a/f"):
        project.save_labels(Path(name), LABELS)
        assert same(project.labels(Path(name)), LABELS)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"a": 1}',
        '{"positives": 5}',
        '{"positives": {"a": 1}}',
        '{"positives": [[1, 2, 3]]}',
        '{"positives": [[1, 2], [3]]}',
        '{"positives": [["a", "b"]]}',
        '{"positives": [[NaN, 1]]}',
        '{"positives": [[1e39, 1]]}',
        '{"positives": [[1e400, 1]]}',
        '{"positives": [[' + "9" * 400 + ", 1]]}",
        '{"positives": [], "negatives": [[1]]}',
        '{"positives": [], "complete": 5}',
        '{"positives": [], "complete": "abc"}',
        '{"positives": [], "excluded": [5]}',
    ],
)
def test_damaged_labels_are_said_and_never_lost(project, content):
    labels_file(project).write_text(content)
    with pytest.raises(CryopickError, match=r"field 1.*json"):
        project.labels(FIELD)
    project.save_labels(FIELD, LABELS)
    assert same(project.labels(FIELD), LABELS)
    assert labels_file(project).with_suffix(".json.damaged").read_text() == content


def test_each_damaged_file_is_kept(project):
    for text in ("{1", "{2"):
        labels_file(project).write_text(text)
        project.save_labels(FIELD, LABELS)
    kept = sorted(labels_file(project).parent.glob("*.damaged*"))
    assert [path.read_text() for path in kept] == ["{1", "{2"]


def test_areas_without_an_area_are_none(project):
    labels_file(project).write_text('{"positives": [], "complete": [[], [[1, 2]], [[1, 2], [3, 4]]]}')
    assert project.labels(FIELD).complete == ()


@pytest.mark.parametrize(
    "values",
    [
        {"micrographs": "abc"},
        {"micrographs": None},
        {"micrographs": [1]},
        {"micrographs": [""]},
        {"micrographs": {"a": 1}},
        {"spacing": "1.5"},
        {"spacing": -1},
        {"spacing": 0},
        {"spacing": float("nan")},
        {"spacing": True},
        {"spacing": 10**400},
        {"diameter": 0},
        {"diameter": [1]},
        {"in_angstrom": "no"},
        {"model": 5},
        {"model": ["a"]},
        {"threshold": float("inf")},
        {"min_distance": {}},
    ],
)
def test_damaged_settings_are_refused_in_words(project, values):
    (project.folder / "project.json").write_text(json.dumps({"version": 1, **values}))
    with pytest.raises(CryopickError, match=r"project\.json is damaged .*the labels are kept"):
        project.settings()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "damaged"),
        ("{}", "not a project's"),
        ('{"version": "1"}', "not a project's"),
        ('{"version": 2}', "upgrade"),
        ("[]", "not a file of a project"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, content, words):
    (tmp_path / "project.json").write_text(content)
    with pytest.raises(CryopickError, match=words):
        Project.opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["project.json"]


def test_a_micrograph_is_listed_once(project):
    project.save_settings(replace(SETTINGS, micrographs=("/a", "/b", "/a")))
    assert project.settings().micrographs == ("/a", "/b")


def test_a_project_needs_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CryopickError, match="choose another folder"):
        Project.opened(tmp_path / "file" / "project")


def write_npz(path: Path, **arrays: object) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"yx": np.zeros((2, 3)), "score": np.zeros(2), "model": "m"},
        {"yx": np.zeros((2, 2)), "score": np.zeros(3), "model": "m"},
        {"yx": np.full((2, 2), np.nan), "score": np.zeros(2), "model": "m"},
        {"yx": np.zeros((2, 2)), "score": np.full(2, np.inf), "model": "m"},
        {"yx": np.zeros((2, 2)), "score": np.zeros(2)},
        {"yx": np.zeros((2, 2)), "score": np.zeros(2), "model": 5},
        {"yx": np.zeros((2, 2)), "score": np.zeros(2), "model": ["m", "n"]},
        {"yx": np.zeros((2, 2), complex), "score": np.zeros(2), "model": "m"},
        {"yx": np.array([["1", "2"]]), "score": np.zeros(1), "model": "m"},
        {"yx": np.array([[1, None]], object), "score": np.zeros(1), "model": "m"},
    ],
)
def test_damaged_picks_are_none(project, arrays):
    write_npz(picks_file(project), **arrays)
    assert project.picks(FIELD) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing", b"\x93NUMPY\x01\x00"])
def test_what_are_no_picks_are_none(project, content):
    picks_file(project).write_bytes(content)
    assert project.picks(FIELD) is None


def test_a_cut_archive_is_none(project):
    project.save_picks(FIELD, Picks.of(np.zeros((99, 2))), "m")
    whole = picks_file(project).read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        picks_file(project).write_bytes(whole[:size])
        assert project.picks(FIELD) is None


def test_a_bomb_is_not_unpacked(project, monkeypatch):
    monkeypatch.setattr(project_files, "LARGEST_PICKS", 10_000)
    with zipfile.ZipFile(picks_file(project), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("yx.npy", bytes(1_000_000))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    assert project.picks(FIELD) is None


def test_a_moved_project_is_found_from_every_place_it_had(tmp_path, project):
    project.save_settings(SETTINGS)
    project.save_labels(FIELD, LABELS)
    second = project.moved(tmp_path / "second")
    third = second.moved(tmp_path / "third")
    for folder in (project.folder, second.folder, third.folder):
        found = Project.opened(folder)
        assert found == third
        assert found.settings() == SETTINGS
        assert same(found.labels(FIELD), LABELS)


def test_where_the_new_place_is_gone_the_old_one_serves(tmp_path, project):
    project.save_settings(SETTINGS)
    new = project.moved(tmp_path / "new")
    (new.folder / "project.json").unlink()
    assert Project.opened(project.folder) == project
    assert project.settings() == SETTINGS


@pytest.mark.parametrize("place", [5, "", "\0", "relative", "/nowhere"])
def test_a_place_that_is_none_is_not_followed(project, place):
    (project.folder / "project.json").write_text(json.dumps({"version": 1, "moved_to": place}))
    assert Project.opened(project.folder) == project


def test_going_round_in_circles_ends(tmp_path, project):
    other = Project.opened(tmp_path / "other")
    for here, there in ((project, other), (other, project)):
        (here.folder / "project.json").write_text(json.dumps({"version": 1, "moved_to": str(there.folder)}))
    assert Project.opened(project.folder) == other


def test_a_project_is_moved_to_an_empty_place_only(tmp_path, project):
    project.save_settings(SETTINGS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    for target, words in (
        (tmp_path / "full", "not empty"),
        (tmp_path / "full" / "letter", "not empty"),
        (project.folder / "labels" / "new", "inside the project"),
        (tmp_path / "full" / "letter" / "new", "cannot copy"),
    ):
        with pytest.raises(CryopickError, match=words):
            project.moved(target)
    assert project.settings() == SETTINGS
    assert Project.opened(project.folder) == project


def test_a_project_of_an_earlier_version_opens(tmp_path):
    folder = shutil.copytree(Path(__file__).parent / "golden" / "project-1", tmp_path / "project")
    project = Project.existing(folder)
    first, second = Path("/data/set/a.mrc"), Path("/data/set/b.mrc")
    paths = (str(first), str(second))
    expected = Settings(paths, 1.77, 190.0, True, "model 1", 0.4, 0.5, False, paths[1:])
    assert project.settings() == expected
    labels = project.labels(first)
    assert labels.positives.yx.tolist() == [[12.25, 34.5], [56, 78]]
    assert labels.negatives.yx.tolist() == [[90, 12]]
    assert labels.complete[0].tolist() == [[0, 0], [0, 90.5], [90, 90]]
    assert labels.excluded[0].tolist() == [[100, 100], [100, 190.5], [190, 190]]
    picks, model = project.picks(first)
    assert (picks.yx.tolist(), picks.score.tolist(), model) == ([[12, 34]], [0.75], "model 1")
    record = project.models.record("model 1")
    assert (record.labels, record.validation, list(record.rows)) == (
        2,
        {"f1": 0.5},
        [{"epoch": 1, "loss": 0.25}],
    )
    assert load_values(folder).of(str(first), "CTF Å") == 3.25
    assert project.view() == View(str(first), "Review", DisplayFilter(20.0, 1.0, True))
    assert len(project.labels(second).positives) == 0


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"border": "wide", "format": 1}',
        '{"border": -3}',
        '{"current": 3, "panel": [], "display": {"low_pass": -1}}',
        '{"display": "none"}',
        '{"overlays": {"probability": [true, 7], "picks": [1, 1], "attention": true}, "gallery": 3}',
        '{"overlays": [], "sorting": ["Picks"]}',
        '{"sorting": [3, true]}',
    ],
)
def test_a_damaged_view_is_none(project, content):
    (project.folder / "window.json").write_text(content)
    assert project.view() == View()


def test_a_view_is_read_as_it_was_written(project):
    view = View("a.mrc", "Label", None, 3, "topaz", {"picks": (False, 0.5)}, ("CTF Å", True), "Score")
    project.save_view(view)
    assert project.view() == view
    assert View(border=2).before(view) == replace(view, border=2)
