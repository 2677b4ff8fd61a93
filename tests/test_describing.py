"""`cryopick info`: what a file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import error_of, run

from cryopick_napari.config import PickerConfig
from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings

GOLDEN = Path(__file__).parent / "golden"
NUMBERS = np.random.default_rng(0).random((40, 50), np.float32)


def said(capsys: pytest.CaptureFixture[str], *files: object) -> str:
    assert run("info", *files) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "field_autopick.star",
            ["RELION", "2 picks on 1 micrograph\n", "scores: 0.125 to 0.5", "first of the file"],
        ),
        (
            "particles.star",
            ["3 picks on 2 micrographs", "MotionCorr/job002/Movies/field.mrc: 2", "rlnClassNumber"],
        ),
        ("field_31.cbox", ["crYOLO", "boxes: 31 px", "corners", "x 33.5 to 100, y 7 to 250.25 px"]),
        ("field_30.box", ["EMAN", "boxes: 30 px", "corners"]),
        ("field_picks.txt", ["Topaz", "2 picks"]),
        ("cryoppp.csv", ["CryoPPP", "2 picks", "last of the file", "--height"]),
        ("many.csv", ["3 picks on 2 micrographs", "also: ring"]),
    ],
)
def test_coordinates(capsys: pytest.CaptureFixture[str], file: str, words: list[str]) -> None:
    told = said(capsys, GOLDEN / file)
    assert all(word in told for word in words), told


def test_micrographs_and_stacks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import mrcfile

    write_mrc(tmp_path / "a.mrc", NUMBERS, 1.5)
    mrcfile.write(tmp_path / "b.mrcs", np.stack([NUMBERS] * 3))
    told = said(capsys, tmp_path / "a.mrc", tmp_path / "b.mrcs", tmp_path)
    assert "MRC, a micrograph of 40 rows and 50 columns\n  pixel size: 1.5 Å" in told
    assert "MRC, a stack of 3 frames of 40 rows and 50 columns\n  pixel size: unknown" in told
    assert f"{tmp_path}: a folder of 2 micrographs" in told


def test_every_file_of_other_programs_is_told_or_refused_by_name(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    refused = []
    for file in sorted((data / "formats").iterdir()):
        if "corrupt" in file.name or file.suffix == ".md":
            refused.append(file.name)
            assert str(file) in error_of(capsys, "info", file)
        else:
            assert said(capsys, file).startswith(f"{file}: ")
    assert len(refused) == 3


def test_nothing_is_said_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no such file" in error_of(capsys, "info", tmp_path / "gone.star")
    assert "no coordinate files" in error_of(capsys, "info", tmp_path)


def test_one_that_is_damaged_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.star").touch()
    assert run("info", tmp_path / "empty.star", GOLDEN / "field_picks.txt", tmp_path / "no.star") == 1
    said = capsys.readouterr()
    assert "field_picks.txt: Topaz" in said.out
    assert [line.partition(": ")[0] for line in said.err.splitlines()] == ["cryopick info"] * 2
    assert "empty.star" in said.err and "no.star" in said.err


def test_folders_of_our_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = Project.opened(tmp_path / "project")
    project.save_settings(Settings(("a.mrc", "b.mrc"), model="model 3"))
    project.save_labels(Path("a.mrc"), Labels(Picks.of([(1, 2)])))
    text = said(capsys, tmp_path / "project")
    assert "a project of the window, 2 micrographs" in text
    assert "1 with labels; model in use: model 3" in text
    Picker.new(PickerConfig(diameter=55, base_features=2, depth=1)).save(tmp_path / "model.safetensors")
    assert "a model for dark particles of 55 px" in said(capsys, tmp_path)
