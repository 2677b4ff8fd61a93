from __future__ import annotations

import math
from pathlib import Path

import pytest

from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph_values import FILE, Values, load_values, read_values, save_values

CTF_3_1 = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
opticsGroup1 1 1.770000

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfImage #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnCtfAstigmatism #6
_rlnDefocusAngle #7
_rlnCtfFigureOfMerit #8
_rlnCtfMaxResolution #9
MotionCorr/job002/Movies/a_1.mrc 1 CtfFind/a_1.ctf:mrc 20000.0 22000.0 2000.0 55.0 0.12 4.50
MotionCorr/job002/Movies/a_2.mrc 1 CtfFind/a_2.ctf:mrc 15000.0 15000.0 0.0 10.0 0.09 25.0
"""
CTF_3_0 = """
data_

loop_
_rlnMicrographName #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnCtfMaxResolution #4
Micrographs/a_1.mrc 20000.0 22000.0 4.50
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_relion_says_how_good_the_ctf_is(tmp_path):
    values = read_values(written(tmp_path, "micrographs_ctf.star", CTF_3_1))
    assert values.titles == ("Defocus µm", "CTF Å", "CTF merit", "Astig. µm")
    assert values.rows["MotionCorr/job002/Movies/a_1.mrc"] == pytest.approx((2.1, 4.5, 0.12, 0.2))
    old = read_values(written(tmp_path, "old.star", CTF_3_0))
    assert old.rows == {"Micrographs/a_1.mrc": pytest.approx((2.1, 4.5))}


@pytest.mark.parametrize("mark", [",", "\t"])
def test_a_table_gives_its_numbers(tmp_path, mark):
    text = mark.join(["File", "session", "ice thickness", "ctf_fit_A"]) + "\n"
    text += (
        mark.join(["a_1.mrc", "monday", "35.5", "4.1"])
        + "\n"
        + mark.join(["a_2.mrc", "monday", "", "5"])
        + "\n"
    )
    values = read_values(written(tmp_path, "values.csv", text))
    assert values.titles == ("ice thickness", "ctf_fit_A")
    assert values.of("a_1.mrc", "ice thickness") == 35.5
    assert math.isnan(values.of("a_2.mrc", "ice thickness"))
    assert math.isnan(values.of("b.mrc", "ctf_fit_A"))


def test_names_find_the_files_they_mean(tmp_path):
    values = read_values(written(tmp_path, "micrographs_ctf.star", CTF_3_1))
    files = [Path("/data/a_1.mrc"), Path("/data/a_2_patch_aligned_doseweighted.mrc"), Path("/data/b_1.mrc")]
    known = values.for_files(files)
    assert set(known.rows) == {str(files[0]), str(files[1])}
    assert known.of(str(files[1]), "CTF Å") == 25


def test_a_second_table_adds_to_the_first():
    first = Values(("CTF Å", "Ice"), {"a": (4.0, 1.0), "b": (5.0, 2.0)})
    second = Values(("Ice", "Motion Å"), {"b": (math.nan, 9.0), "c": (3.0, 8.0)})
    both = first.joined(second)
    assert both.titles == ("CTF Å", "Ice", "Motion Å")
    assert both.rows["b"] == (5.0, 2.0, 9.0)
    assert both.of("c", "Ice") == 3
    assert math.isnan(both.of("c", "CTF Å"))


def test_a_project_keeps_them(tmp_path):
    values = Values(("CTF Å", "Ice"), {"/data/a.mrc": (4.0, math.nan)})
    save_values(tmp_path, values)
    again = load_values(tmp_path)
    assert again.titles == values.titles
    assert again.of("/data/a.mrc", "CTF Å") == 4
    assert math.isnan(again.of("/data/a.mrc", "Ice"))
    assert load_values(tmp_path / "none").rows == {}
    for damaged in (
        "{",
        "[]",
        '{"titles": 3}',
        '{"titles": ["a"], "rows": {"x": ["word"]}}',
        '{"titles": [], "rows": []}',
    ):
        (tmp_path / FILE).write_text(damaged)
        assert load_values(tmp_path).rows == {}


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n1.0\n", "_rlnMicrographName"),
        ("a.star", "data_\n\nloop_\n_rlnMicrographName #1\na.mrc\n", "micrographs_ctf.star"),
        (
            "a.star",
            "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCtfMaxResolution #2\na.mrc nonsense\n",
            "line 6",
        ),
        ("a.csv", "x,y\n1,2\n", "no column named 'micrograph'"),
        ("a.csv", "micrograph,ice\na.mrc\n", "row 2"),
        ("a.csv", "micrograph,note\na.mrc,good\n", "nothing of micrographs in numbers"),
        ("a.csv", "", "no column named 'micrograph'"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, name, text, remedy):
    path = written(tmp_path, name, text)
    with pytest.raises(CryopickError) as error:
        read_values(path)
    assert str(path) in str(error.value)
    assert remedy in str(error.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(CryopickError, match=r"nothing\.star"):
        read_values(tmp_path / "nothing.star")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(CryopickError, match="binary"):
        read_values(tmp_path / "binary.csv")
