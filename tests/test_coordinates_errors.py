"""What is wrong with a coordinate file is said in one line: which file, which line, what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.coordinates import CoordinateSet, read_coordinates, write_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

STAR = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
INDEX = "data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
CBOX = "data_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n_Width #3\n"
BAD = {
    "letters.star": (STAR + "1 2\n3 x\n", "line 7: rlnCoordinateY is 'x', not a number; correct"),
    "short.star": (STAR + "1 2\n3\n", "line 7: 1 values for 2 columns; correct"),
    "nan.star": (
        STAR + "1 nan\n",
        "line 6: rlnCoordinateX or rlnCoordinateY is not a finite number; correct",
    ),
    "inf.csv": ("x,y\n1,2\n\n3,-inf\n", "line 4: x or y is not a finite number"),
    "missing.csv": ("x,y\n1,\n", "line 2: x or y is not a finite number"),
    "no_x.star": (
        "data_\n\nloop_\n_rlnCoordinateY #1\n1\n",
        "no table with _rlnCoordinateX and _rlnCoordinateY",
    ),
    "no_x.csv": ("a,y\n1,2\n", "line 1: no column x among a, y; name the columns x,y"),
    "no_y.csv": ("x,b\n1,2\n", "line 1: no column y among x, b; name the columns x,y"),
    "no_header.csv": ("1,2\n3,4\n", "no column x among 1, 2; name the columns x,y"),
    "letters.csv": ("x,y\n1,2\nten,4\n", "line 3: x is 'ten', not a number"),
    "ragged.csv": ("x,y\n1,2,3\n", "line 2: 3 values for 2 columns"),
    "quote.csv": ('x,y\n1,"2\n', "line 3: unexpected end of data; correct"),
    "far.csv": ("x,y\n1,1e300\n", "line 2: x or y is not a finite number"),
    "score.csv": ("x,y,score\n1,2,good\n", "line 2: score is 'good', not a number"),
    "letters.txt": ("image_name\tx_coord\ty_coord\tscore\na\t1\t?\t1\n", "line 2: y_coord is"),
    "short.box": ("1 2 3\n", "line 1: 3 columns where 4 are expected"),
    "first.box": ("x 2 3 4\n", "line 1: x is 'x', not a number"),
    "nan.box": ("1 nan 3 4\n", "line 1: x or y is not a finite number"),
    "no_height.cbox": (CBOX + "1 2 3\n", "data_cryolo has no _Height"),
    "other.cbox": ("data_\n\n_a b\n", "data_cryolo has no _CoordinateX"),
    "empty.csv": ("", "nothing in it"),
    "empty.star": ("\n", "nothing in it"),
    "empty.cbox": ("", "nothing in it"),
    "empty.txt": ("", "nothing in it"),
    "prose.txt": ("Dear reader\n", "not recognised .* known are relion .* cbox .* box .* topaz .* csv"),
    "unnamed.star": (
        "data_coordinate_files\n\nloop_\n_rlnMicrographCoordinates #1\na.star\n",
        "no column _rlnMicrographName",
    ),
    "gone.star": (
        INDEX + "a.mrc gone.box\n",
        "line 6: no file 'gone.box' below .* run the command in the RELION project folder",
    ),
    "ouroboros.star": (INDEX + "a ouroboros.star\n", "no table with _rlnCoordinateX"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(CryopickError, match=message) as caught:
        read_coordinates(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe\xfd", b"x,y\n1,2\x00\n"])
@pytest.mark.parametrize("ending", [".star", ".box", ".csv", ".txt"])
def test_binary_files_are_refused(tmp_path: Path, content: bytes, ending: str) -> None:
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(CryopickError, match="not recognised"):
        read_coordinates(tmp_path / f"a{ending}")


def test_a_real_micrograph_is_not_coordinates(data: Path) -> None:
    with pytest.raises(CryopickError, match="not recognised"):
        read_coordinates(data / "formats" / "boxmanager_2d.mrc")


def test_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("10 20 4 4\n")
    (tmp_path / "b.box").write_text(STAR + "12 22\n")
    (tmp_path / "c.star").write_text("y,x\n22,12\n")
    for name in ("a.dat", "b.box", "c.star"):
        np.testing.assert_array_equal(read_coordinates(tmp_path / name)[0].picks.yx, [(22, 12)])


def test_windows_line_ends_and_marks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfX;Y\r\n12;22\r\n")
    (tmp_path / "a.star").write_bytes((STAR + "12 22\n").replace("\n", "\r\n").encode())
    for name in ("a.csv", "a.star"):
        np.testing.assert_array_equal(read_coordinates(tmp_path / name)[0].picks.yx, [(22, 12)])


def test_no_file_and_no_format(tmp_path: Path) -> None:
    with pytest.raises(CryopickError, match=r"cannot read .*gone\.star: No such file"):
        read_coordinates(tmp_path / "gone.star")
    with pytest.raises(CryopickError, match="no coordinate format 'xml'; known are relion"):
        read_coordinates(tmp_path, format="xml")
    with pytest.raises(CryopickError, match="no coordinate files; known are"):
        read_coordinates(tmp_path)


def test_a_folder_with_two_formats_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("10 20 4 4\n")
    (tmp_path / "a.csv").write_text("x,y\n12,22\n")
    (tmp_path / "history.csv").write_text("step,loss\n1,2\n")  # of a training; passed over
    (tmp_path / "README.txt").write_text("Dear reader\n")
    (tmp_path / ".hidden.box").write_text("nonsense\n")
    with pytest.raises(CryopickError, match="holds coordinates as box and csv; say which format"):
        read_coordinates(tmp_path)
    assert [rows.micrograph for rows in read_coordinates(tmp_path, format="box")] == ["a"]


def test_a_broken_box_in_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("10 20 4 4\n")
    (tmp_path / "b.box").write_text("ten 20 4 4\n")
    with pytest.raises(CryopickError, match=r"b\.box, line 1: x is 'ten'"):
        read_coordinates(tmp_path)


def test_two_indexes_are_not_guessed_at(tmp_path: Path) -> None:
    write_coordinates([CoordinateSet("a.mrc", Picks.of([(1, 2)]))], tmp_path, "relion")
    (tmp_path / "manualpick.star").write_bytes((tmp_path / "autopick.star").read_bytes())
    with pytest.raises(
        CryopickError, match=r"holds autopick\.star and manualpick\.star; give the file you mean"
    ):
        read_coordinates(tmp_path)


def test_flipping_needs_a_height(tmp_path: Path) -> None:
    with pytest.raises(CryopickError, match=r"a\.mrc: flipping y needs the height .*--micrographs"):
        write_coordinates([CoordinateSet("a.mrc", Picks.of([(1, 2)]))], tmp_path, "csv", flip_y=True)
    (tmp_path / "c.csv").write_text("X-Coordinate,Y-Coordinate,Diameter\n1,2,3\n")
    with pytest.raises(CryopickError, match="c: flipping y needs the height"):
        read_coordinates(tmp_path / "c.csv")


@pytest.mark.parametrize("format", ["box", "cbox"])
def test_boxes_need_a_size(tmp_path: Path, format: str) -> None:
    with pytest.raises(CryopickError, match=r"a\.mrc: a box needs a size; give --diameter"):
        write_coordinates([CoordinateSet("a.mrc", Picks.of([(1, 2)]))], tmp_path, format)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CryopickError, match="cannot make the folder"):
        write_coordinates([CoordinateSet("a.mrc", Picks.of([(1, 2)]))], tmp_path / "out", "csv")
