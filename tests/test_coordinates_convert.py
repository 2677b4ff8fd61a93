"""`cryopick convert` as a function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.coordinates import About, Turn, convert, read_coordinates
from cryopick_napari.errors import CryopickError

GOLDEN = Path(__file__).parent / "golden"
SHAPE = (301, 500)
FLIPPED = Turn(flip_y=True)


def known(*paths: Path, shape: tuple[int, int] = SHAPE) -> dict[Path, About]:
    return {path: About(str(path), shape) for path in paths}


@pytest.mark.parametrize(
    "target", ["flipped_31.box", "flipped_31.cbox", "flipped_autopick.star", "flipped.csv"]
)
@pytest.mark.parametrize("source", ["field.csv", "field_autopick.star", "field_30.box", "field_31.cbox"])
def test_one_file_to_another(tmp_path: Path, source: str, target: str) -> None:
    (file,) = convert(GOLDEN / source, tmp_path / target, turn=FLIPPED, height=301, diameter=31).files
    assert file == tmp_path / target
    assert file.read_bytes() == (GOLDEN / target).read_bytes()


def test_cryoppp_to_relion_by_the_micrographs(tmp_path: Path) -> None:
    micrograph = tmp_path / "Movies" / "cryoppp.mrc"
    files = convert(GOLDEN / "cryoppp.csv", tmp_path / "out", "relion", micrographs=known(micrograph)).files
    assert files[0] == tmp_path / "out" / "cryoppp_autopick.star"
    (rows,) = read_coordinates(files[-1])
    assert rows.micrograph == str(micrograph)  # the whole name, for RELION compares it letter for letter
    np.testing.assert_array_equal(rows.picks.yx, [(7, 100), (250.25, 33.5)])


def test_names_a_file_gives_in_full_stay_as_they_are(tmp_path: Path) -> None:
    micrographs = known(tmp_path / "field.mrc") | known(tmp_path / "other.mrc", shape=(10, 10))
    files = convert(
        GOLDEN / "particles.star", tmp_path / "out", "csv", micrographs=micrographs, turn=FLIPPED
    ).files
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "out/MotionCorr/job002/Movies/field.csv",
        "out/MotionCorr/job002/Movies/other.csv",
    ]
    np.testing.assert_array_equal(read_coordinates(files[0])[0].picks.yx, [(293, 100), (49.75, 33.5)])
    np.testing.assert_array_equal(read_coordinates(files[1])[0].picks.yx, [(7, 1)])


def test_many_micrographs_to_one_topaz_file(tmp_path: Path) -> None:
    assert convert(GOLDEN / "many.csv", tmp_path / "all.txt").files == (tmp_path / "all.txt",)
    assert [rows.micrograph for rows in read_coordinates(tmp_path / "all.txt")] == ["field", "other"]


def test_what_cannot_be_converted_is_said(tmp_path: Path) -> None:
    many = GOLDEN / "many.csv"
    with pytest.raises(CryopickError, match=r"all\.cbox has room for one micrograph, not 2; give a folder"):
        convert(many, tmp_path / "all.cbox", diameter=9)
    with pytest.raises(CryopickError, match="give --format"):
        convert(many, tmp_path / "out")
    with pytest.raises(
        CryopickError, match=r"2 names \(Movies/field.mrc, Movies/other.mrc\) mean no single one"
    ):
        convert(many, tmp_path / "out", "csv", micrographs=known(Path("elsewhere.mrc")))
    with pytest.raises(CryopickError, match="needs the height"):
        convert(many, tmp_path / "out", "csv", turn=FLIPPED)
    with pytest.raises(CryopickError, match="give --diameter"):
        convert(many, tmp_path / "out", "box")
    (tmp_path / "none.txt").write_text("image_name\tx_coord\ty_coord\tscore\n")
    with pytest.raises(CryopickError, match="names no micrograph"):
        convert(tmp_path / "none.txt", tmp_path / "out", "csv")
    assert not (tmp_path / "out").exists()


def test_a_foreign_name_cannot_lead_the_conversion_out(tmp_path: Path) -> None:
    (tmp_path / "evil.csv").write_text("micrograph,x,y\n../../evil.mrc,1,2\n")
    with pytest.raises(CryopickError, match=r"'../../evil\.mrc' leads outside"):
        convert(tmp_path / "evil.csv", tmp_path / "a" / "b" / "out", "csv")
    assert not (tmp_path / "a").exists()
