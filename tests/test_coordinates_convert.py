"""`cryopick convert` as a function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_napari.coordinates import (
    FORMATS,
    About,
    CoordinateSet,
    Turn,
    convert,
    read_coordinates,
    write_coordinates,
)
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

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


def test_a_list_says_what_micrographs_are_called(tmp_path: Path) -> None:
    name = "MotionCorr/job002/Movies/field.mrc"
    about = About(name, SHAPE, 1.77, {"rlnVoltage": 300.0, "rlnDefocusU": 12000.5}, is_listed=True)
    micrographs = {tmp_path / name: about}
    (file,) = convert(GOLDEN / "many.csv", tmp_path / "particles.star", micrographs=micrographs).files
    tables = starfile.read(file)
    assert tables["particles"]["rlnMicrographName"].tolist() == [name, name]
    assert tables["particles"]["rlnDefocusU"].tolist() == [12000.5, 12000.5]
    optics = tables["optics"].iloc[0]
    assert (optics["rlnMicrographPixelSize"], optics["rlnVoltage"]) == (1.77, 300)


def test_what_has_no_micrograph_is_listed_and_left_out(tmp_path: Path) -> None:
    micrographs = known(tmp_path / "field.mrc")
    converted = convert(GOLDEN / "many.csv", tmp_path / "out", "csv", micrographs=micrographs)
    assert converted.unmatched == ("Movies/other.mrc",)
    assert [path.relative_to(tmp_path).as_posix() for path in converted.files] == ["out/Movies/field.csv"]


def test_x_and_y_are_exchanged_before_anything_is_mirrored(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n7,100\n")  # row 7, column 100, the wrong way round
    turn = Turn(swap_xy=True, flip_y=True, flip_x=True)
    (file,) = convert(
        tmp_path / "a.csv", tmp_path / "b.csv", turn=turn, micrographs=known(tmp_path / "a.mrc")
    ).files
    np.testing.assert_array_equal(read_coordinates(file)[0].picks.yx, [(300 - 7, 499 - 100)])


def test_one_star_of_many_micrographs_is_a_particle_star(tmp_path: Path) -> None:
    (file,) = convert(GOLDEN / "many.csv", tmp_path / "all.star").files
    assert list(starfile.read(file)) == ["optics", "particles"]
    (table,) = convert(file, tmp_path / "all.csv").files
    assert table.read_text().splitlines()[:2] == ["micrograph,x,y,score", "Movies/field.mrc,100,7,0.5"]


@settings(max_examples=70, deadline=None)
@given(
    pair=st.tuples(st.sampled_from(list(FORMATS)), st.sampled_from(list(FORMATS))),
    shape=st.sampled_from([(301, 500), (512, 301), (4092, 5760), (7676, 7420), (33, 8191)]),
    places=st.lists(
        st.tuples(*[st.floats(0, 1, width=32)] * 2, st.integers(0, 1000)), min_size=1, max_size=4
    ),
    turn=st.builds(Turn, st.just(False), st.booleans(), st.booleans()),
)
def test_every_format_to_every_other_and_back(
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[str, str],
    shape: tuple[int, int],
    places: list[tuple[float, float, int]],
    turn: Turn,
) -> None:
    folder, (first, second) = tmp_path_factory.mktemp("trip"), pair
    table = np.array(places)
    picks = Picks.of(table[:, :2] * np.subtract(shape, 1), table[:, 2] / 1000)
    classes = {"rlnClassNumber": np.arange(1.0, len(picks) + 1)}
    rows = CoordinateSet("m/a b.mrc", picks, shape, 1.5, 31.0, classes)
    write_coordinates([rows], folder / "in", first)
    micrographs = known(Path("m/a b.mrc"), shape=shape)
    for start, end, kind in (("in", "there", second), ("there", "back", first)):
        convert(folder / start, folder / end, kind, turn=turn, micrographs=micrographs, diameter=31)
    (again,) = read_coordinates(folder / "back", {"m/a b.mrc": shape})
    np.testing.assert_allclose(again.picks.yx, picks.yx, atol=3e-3)  # float32 of thousands, turned twice
    np.testing.assert_allclose(again.picks.score, picks.score, atol=1e-5)
    if {first, second} <= {"relion", "particles", "csv"}:
        np.testing.assert_array_equal(again.extra["rlnClassNumber"], classes["rlnClassNumber"])
    if first in ("box", "cbox", "csv", "cryoppp"):
        assert again.diameter == 31


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
