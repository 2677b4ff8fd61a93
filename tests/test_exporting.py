from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.config import ParticleSize
from cryopick_napari.coordinates import FORMATS, match, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.exporting import FilesExistError, Summary, export, relion_project, summary
from cryopick_napari.labels import Labels
from cryopick_napari.material import Choice, Material
from cryopick_napari.picks import Picks

CHOICE = Choice("picks", 0.5, size=ParticleSize(20, in_angstrom=False))
SHAPE = 200, 300
PICKS = Picks.of([(50.25, 60.5), (120, 130.75), (10, 20)], [0.9, 0.8, 0.2])


def materials(folder: Path, names=("a", "b")) -> list[Material]:
    return [Material(folder / f"{name}.mrc", Labels(Picks.of([])), PICKS, SHAPE, 2.0) for name in names]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("flip_y", [False, True])
def test_what_is_written_is_what_is_read(tmp_path, format, flip_y):
    known = materials(tmp_path / "micrographs")
    written = export(known, CHOICE, tmp_path / "out", format, flip_y)
    assert written.summary == Summary(4, 2, 2)
    sets = read_coordinates(tmp_path / "out", {str(item.path): SHAPE for item in known})
    found, strangers = match(sets, [item.path for item in known])
    assert not strangers and list(found) == [item.path for item in known]
    for rows in found.values():
        rows = rows.flipped_y(SHAPE[0]) if flip_y else rows
        np.testing.assert_allclose(rows.picks.yx, PICKS.yx[:2], atol=0.01)
        np.testing.assert_allclose(rows.picks.score, PICKS.score[:2], atol=1e-3)


def test_names_are_those_of_the_relion_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "relion"
    folder = project / "MotionCorr" / "job002"
    folder.mkdir(parents=True)
    assert relion_project(folder) == tmp_path
    (project / "default_pipeline.star").write_text("")
    assert relion_project(folder) == project
    written = export(materials(folder), CHOICE, project / "picked", "relion")
    index = (project / "picked" / "autopick.star").read_text().split()
    assert "MotionCorr/job002/a.mrc" in index
    (star,) = [word for word in index if word.endswith("a_autopick.star")]
    assert (project / star).is_file()
    assert written.advice.endswith("autopick.star")


def test_relion_is_told_of_whole_paths(tmp_path):
    assert "whole paths" in export(materials(tmp_path / "far"), CHOICE, tmp_path / "out", "relion").advice


def test_files_are_not_replaced_unasked(tmp_path):
    known = materials(tmp_path)
    export(known, CHOICE, tmp_path / "out", "box")
    before = (tmp_path / "out" / "a.box").read_bytes()
    lower = Choice("picks", 0.1, size=CHOICE.size)
    with pytest.raises(FilesExistError) as error:
        export(known, lower, tmp_path / "out", "box")
    assert len(error.value.files) == 2
    assert (tmp_path / "out" / "a.box").read_bytes() == before
    export(known, lower, tmp_path / "out", "box", overwrite=True)
    assert (tmp_path / "out" / "a.box").read_bytes() != before


def test_what_an_earlier_export_left_is_told(tmp_path):
    known = materials(tmp_path)
    assert export(known, CHOICE, tmp_path / "out", "relion").older == ()
    again = export(known[1:], CHOICE, tmp_path / "out", "relion", overwrite=True)
    assert [file.name for file in again.older] == ["a_autopick.star"]
    (tmp_path / "out" / "notes.csv").write_text("nothing of ours")
    assert export(known, CHOICE, tmp_path / "out", "csv").older == ()


def test_same_names_in_two_folders_stay_apart(tmp_path):
    known = [*materials(tmp_path / "one", "a"), *materials(tmp_path / "two", "a")]
    written = export(known, CHOICE, tmp_path / "out", "csv")
    assert sorted(file.relative_to(tmp_path / "out").as_posix() for file in written.files) == [
        "one/a.csv",
        "two/a.csv",
    ]


def test_nothing_leaves_the_folder(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "two").symlink_to(tmp_path / "elsewhere")
    known = [*materials(tmp_path / "one", "a"), *materials(tmp_path / "two", "a")]
    with pytest.raises(CryopickError, match="link"):
        export(known, CHOICE, out, "csv")
    assert not (tmp_path / "elsewhere").exists()


def test_a_bad_micrograph_is_left_out_and_said(tmp_path):
    bad = Material(tmp_path / "c.mrc", Labels(Picks.of([])), PICKS, problem="c.mrc: there is no such file")
    unpicked = Material(tmp_path / "d.mrc", Labels(Picks.of([])), None, SHAPE)
    known = [*materials(tmp_path), bad, unpicked]
    assert summary(known, CHOICE) == Summary(4, 2, 4, ("c.mrc: there is no such file",))
    assert export(known, CHOICE, tmp_path / "out", "relion").summary.problems
    with pytest.raises(CryopickError, match="no such file"):
        export([bad, unpicked], CHOICE, tmp_path / "other", "relion")
    assert not (tmp_path / "other").exists()


def test_summaries_add_up(tmp_path):
    one, two = materials(tmp_path)
    assert summary([one], CHOICE) + summary([two], CHOICE) == summary([one, two], CHOICE)
