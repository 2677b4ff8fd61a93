"""Every coordinate format against files worked out by hand, and there and back again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_napari.coordinates import (
    FORMATS,
    CoordinateSet,
    read_coordinates,
    write_coordinates,
    write_index,
    write_one,
)
from cryopick_napari.coordinates.star import parse_star, quoted, star_text
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks

GOLDEN = Path(__file__).parent / "golden"
SHAPE = (301, 500)
YX = [(7, 100), (250.25, 33.5)]
FLIPPED = [(293, 100), (49.75, 33.5)]
SCORE = [0.5, 0.125]
FIELD = CoordinateSet("Movies/field.mrc", Picks.of(YX, SCORE), shape=SHAPE, diameter=31)

# format, side of a box, golden file, golden file of the flipped field
CASES = [
    ("relion", 31, "field_autopick.star", "flipped_autopick.star"),
    ("box", 31, "field_31.box", "flipped_31.box"),
    ("box", 30, "field_30.box", "flipped_30.box"),
    ("cbox", 31, "field_31.cbox", "flipped_31.cbox"),
    ("cbox", 30, "field_30.cbox", None),
    ("csv", 31, "field.csv", "flipped.csv"),
    ("topaz", 31, "field_picks.txt", "flipped_picks.txt"),
    ("particles", 31, "field_particles.star", None),
    ("cryoppp", 31, "field_cryoppp.csv", None),
]


def sized(side: float) -> CoordinateSet:
    return CoordinateSet("Movies/field.mrc", Picks.of(YX, SCORE), shape=SHAPE, diameter=side)


def written(rows: CoordinateSet, folder: Path, format: str, flip_y: bool = False) -> Path:
    return write_coordinates([rows], folder, format, flip_y=flip_y)[0]


@pytest.mark.parametrize(("format", "side", "golden", "flipped"), CASES)
def test_golden_files_are_read(format: str, side: int, golden: str, flipped: str | None) -> None:
    (rows,) = read_coordinates(GOLDEN / golden, height=301)
    np.testing.assert_array_equal(rows.picks.yx, YX)
    np.testing.assert_array_equal(rows.picks.score, SCORE)
    if format in ("box", "cbox", "csv", "cryoppp"):
        assert rows.diameter == side
    if flipped:
        (turned,) = read_coordinates(GOLDEN / flipped, {"flipped": SHAPE, "flipped_31": SHAPE}, height=301)
        np.testing.assert_array_equal(turned.flipped_y(301).picks.yx, YX)


@pytest.mark.parametrize(("format", "side", "golden", "flipped"), CASES)
def test_golden_files_are_written(
    tmp_path: Path, format: str, side: int, golden: str, flipped: str | None
) -> None:
    assert written(sized(side), tmp_path / "as-is", format).read_bytes() == (GOLDEN / golden).read_bytes()
    if flipped:
        turned = written(sized(side), tmp_path / "flipped", format, flip_y=True)
        assert turned.read_bytes() == (GOLDEN / flipped).read_bytes()


def test_an_autopick_index_is_written_and_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = write_coordinates([FIELD], Path("AutoPick/job007"), "relion")
    assert files[-1].read_bytes() == (GOLDEN / "autopick.star").read_bytes()
    monkeypatch.chdir("/")  # from anywhere else: the project is one of the folders around the index
    for path in (tmp_path / files[-1], tmp_path / "AutoPick" / "job007"):
        (rows,) = read_coordinates(path)
        assert rows.micrograph == "Movies/field.mrc"
        np.testing.assert_array_equal(rows.picks.yx, YX)


def test_an_index_outside_the_project_names_files_relative_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    index = write_coordinates([FIELD], tmp_path / "out", "relion")[-1]
    assert starfile.read(index)["rlnMicrographCoordinates"].tolist() == ["Movies/field_autopick.star"]
    assert read_coordinates(index)[0].micrograph == "Movies/field.mrc"


def test_particles_of_many_micrographs_are_told_apart() -> None:
    field, other = read_coordinates(GOLDEN / "particles.star")
    assert field.micrograph == "MotionCorr/job002/Movies/field.mrc"
    np.testing.assert_array_equal(field.picks.yx, YX)
    assert field.extra["rlnClassNumber"].tolist() == [3, 1]
    assert field.extra["rlnAnglePsi"].tolist() == [12.5, -7]
    np.testing.assert_array_equal(other.picks.yx, [(2, 1)])


def test_class_and_psi_are_written_again(tmp_path: Path) -> None:
    field = read_coordinates(GOLDEN / "particles.star")[0]
    table = starfile.read(written(field, tmp_path, "relion"))
    assert table["rlnClassNumber"].tolist() == [3, 1]
    assert table["rlnAnglePsi"].tolist() == [12.5, -7]


def test_a_class_without_a_value_is_none(tmp_path: Path) -> None:
    rows = CoordinateSet("a.mrc", Picks.of([(1, 2)]), extra={"rlnClassNumber": np.array([np.nan])})
    assert starfile.read(written(rows, tmp_path, "relion"))["rlnClassNumber"].tolist() == [0]


def test_a_csv_of_many_micrographs_keeps_further_columns() -> None:
    field, other = read_coordinates(GOLDEN / "many.csv")
    assert (field.micrograph, other.micrograph) == ("Movies/field.mrc", "Movies/other.mrc")
    np.testing.assert_array_equal(field.picks.yx, YX)
    assert field.extra["ring"].tolist() == [3, 5]


def test_micrographs_of_two_microscopes_are_in_two_optics_groups(tmp_path: Path) -> None:
    def field(name: str, spacing: float, kilovolts: float) -> CoordinateSet:
        known = {"rlnVoltage": np.array([kilovolts]), "rlnDefocusU": np.array([12000.5])}
        return CoordinateSet(name, Picks.of([(1, 2)]), SHAPE, spacing, extra=known)

    sets = [field("a.mrc", 1.5, 300), field("b.mrc", 2, 200), field("c.mrc", 1.5, 300)]
    (file,) = write_coordinates(sets, tmp_path, "particles")
    tables = starfile.read(file)
    assert tables["optics"]["rlnMicrographPixelSize"].tolist() == [1.5, 2]
    assert tables["particles"]["rlnOpticsGroup"].tolist() == [1, 2, 1]
    for rows, again in zip(sets, read_coordinates(file), strict=True):
        assert (again.micrograph, again.spacing) == (rows.micrograph, rows.spacing)
        assert {name: again.extra[name].tolist() for name in rows.extra} == {
            name: column.tolist() for name, column in rows.extra.items()
        }
    # What one of them does not know, the file does not say of any.
    bare = CoordinateSet("d.mrc", Picks.of([(1, 2)]))
    (file,) = write_coordinates([*sets, bare], tmp_path, "particles")
    assert not {"rlnVoltage", "rlnMicrographPixelSize"} & set(starfile.read(file)["optics"])


def test_cryoppp_counts_from_the_other_end() -> None:
    for rows in (
        read_coordinates(GOLDEN / "cryoppp.csv", {"Movies/cryoppp.mrc": SHAPE})[0],
        read_coordinates(GOLDEN / "cryoppp.csv", height=301)[0],
    ):
        np.testing.assert_array_equal(rows.picks.yx, YX)
        assert rows.diameter == 108


def test_points_that_napari_wrote_are_read() -> None:
    np.testing.assert_array_equal(read_coordinates(GOLDEN / "napari_points.csv")[0].picks.yx, YX)


@pytest.mark.parametrize("format", FORMATS)
def test_a_micrograph_without_picks_is_a_file_every_reader_takes(tmp_path: Path, format: str) -> None:
    nothing = CoordinateSet("Movies/field.mrc", Picks.of([]), shape=SHAPE, diameter=31)
    file = written(nothing, tmp_path, format)
    assert all(len(rows.picks) == 0 for rows in read_coordinates(file, height=301))
    if format == "relion":
        assert file.read_bytes() == (GOLDEN / "empty_autopick.star").read_bytes()
        assert len(starfile.read(file)) == 0
        assert [len(rows.picks) for rows in read_coordinates(tmp_path)] == [0]
    if format == "cbox":
        assert len(starfile.read(file, always_dict=True)["cryolo"]) == 0


def test_starfile_reads_what_is_written(tmp_path: Path) -> None:
    table = starfile.read(written(FIELD, tmp_path, "relion"))
    assert table["rlnCoordinateX"].tolist() == [100, 33.5]
    assert table["rlnCoordinateY"].tolist() == [7, 250.25]
    assert table["rlnAutopickFigureOfMerit"].tolist() == SCORE
    cbox = starfile.read(written(FIELD, tmp_path, "cbox"), always_dict=True)
    assert list(cbox) == ["global", "cryolo", "cryolo_include"]
    assert cbox["cryolo"]["CoordinateY"].tolist() == [-8.5, 234.75]
    assert cbox["cryolo"]["Width"].tolist() == [31, 31]


def test_what_starfile_writes_is_read(tmp_path: Path) -> None:
    table = starfile.read(GOLDEN / "particles.star")
    starfile.write(table, tmp_path / "particles.star")
    field, other = read_coordinates(tmp_path / "particles.star")
    np.testing.assert_array_equal(field.picks.yx, YX)
    assert other.micrograph == "MotionCorr/job002/Movies/other.mrc"


word = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
name = st.lists(st.text("ab'#_ 0.é", min_size=1, max_size=6), min_size=1, max_size=3).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(name, st.floats(-1e4, 1e4, width=32).map(repr)), max_size=4))
def test_star_words_survive_a_round_trip(rows: list[tuple[str, str]]) -> None:
    # A one-word row that reads "data_..." is a block for every STAR reader; two columns cannot be one.
    columns = {"rlnMicrographName": [a for a, _ in rows], "rlnCoordinateX": [b for _, b in rows]}
    (table,) = parse_star(star_text("coordinate_files", columns))
    again = table.columns(list(columns), Path("x.star"))
    assert {label: again.words(label) for label in columns} == columns


def test_a_word_that_no_star_file_holds_is_refused() -> None:
    assert quoted("it's.mrc") == "it's.mrc"
    assert quoted("5' end") == '"5\' end"'
    with pytest.raises(CryopickError, match="rename the micrograph"):
        quoted("a\" b' c")


positions = st.lists(
    st.tuples(st.floats(-0.5, 300.5, width=32), st.floats(-0.5, 499.5, width=32), st.floats(0, 1, width=32)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("format", FORMATS)
@given(
    values=positions, side=st.integers(1, 400), flip=st.booleans(), shape=st.sampled_from([SHAPE, (512, 301)])
)
def test_positions_survive_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    format: str,
    values: list[tuple[float, float, float]],
    side: int,
    flip: bool,
    shape: tuple[int, int],
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    table = np.array(values)
    rows = CoordinateSet("m/a b.mrc", Picks.of(table[:, :2], table[:, 2]), shape=shape, diameter=side)
    (again,) = read_coordinates(written(rows, folder, format, flip_y=flip), {"a b": shape})
    back = again.flipped_y() if flip else again
    np.testing.assert_allclose(back.picks.yx, rows.picks.yx, atol=1e-3)
    np.testing.assert_allclose(back.picks.score, rows.picks.score, atol=1e-6)
    if format in ("box", "cbox", "csv", "cryoppp"):
        assert again.diameter == side


@settings(max_examples=25, deadline=None)
@given(values=positions)
def test_csv_and_topaz_lose_not_a_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, float, float]]
) -> None:
    table = np.array(values)
    rows = CoordinateSet("a.mrc", Picks.of(table[:, :2], table[:, 2]))
    for format in ("csv", "topaz"):
        (again,) = read_coordinates(written(rows, tmp_path_factory.mktemp("trip"), format))
        np.testing.assert_array_equal(again.picks.yx, rows.picks.yx)
        np.testing.assert_array_equal(again.picks.score, rows.picks.score)


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_gives_back_what_was_written_into_it(tmp_path: Path, format: str) -> None:
    other = CoordinateSet("Movies/sub/other.mrc", Picks.of([(1, 2)]), shape=SHAPE, diameter=31)
    write_coordinates([FIELD, other], tmp_path / "out", format)
    field, second = sorted(read_coordinates(tmp_path / "out", height=301), key=lambda rows: rows.micrograph)
    np.testing.assert_array_equal(field.picks.yx, YX)
    np.testing.assert_array_equal(second.picks.yx, [(1, 2)])


@pytest.mark.parametrize("format", FORMATS)
def test_files_written_one_by_one_make_the_same_folder(tmp_path: Path, format: str) -> None:
    other = CoordinateSet("Movies/sub/other.mrc", Picks.of([(1, 2)]), shape=SHAPE, diameter=31)
    names = [FIELD.micrograph, other.micrograph]
    for rows in (FIELD, other):
        assert write_one(rows, tmp_path / "one", format).is_file()
    # The one that is still to be picked is not in the index.
    write_index([*names, "Movies/later.mrc"], tmp_path / "one", format)
    write_coordinates([FIELD, other], tmp_path / "all", format)
    one, all_at_once = (
        sorted(
            (rows.micrograph, rows.picks.yx.tolist())
            for rows in read_coordinates(tmp_path / folder, height=301)
        )
        for folder in ("one", "all")
    )
    assert one == all_at_once


def test_sets_of_one_micrograph_are_joined_when_written(tmp_path: Path) -> None:
    first = CoordinateSet("a.mrc", Picks.of([(1, 2)]))
    second = CoordinateSet("a.mrc", Picks.of([(3, 4)]))
    (rows,) = read_coordinates(written_first([first, second], tmp_path))
    np.testing.assert_array_equal(rows.picks.yx, [(1, 2), (3, 4)])


def written_first(sets: list[CoordinateSet], folder: Path) -> Path:
    return write_coordinates(sets, folder, "csv")[0]


def test_importing_costs_no_pandas() -> None:
    code = (
        "import sys, cryopick_napari.coordinates; print({'pandas', 'starfile', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
