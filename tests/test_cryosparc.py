"""cryoSPARC's .cs files, made as cryosparc-tools makes them: NumPy tables without objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_napari.coordinates import CoordinateSet, cryosparc, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import find_micrographs, write_mrc
from cryopick_napari.picks import Picks

SHAPE = (400, 500)
UIDS = (11, 22)
NAMES = [
    f"J2/motioncorrected/00{uid}0123456789012345678_mic{uid}_patch_aligned_doseweighted.mrc" for uid in UIDS
]
YX = np.array([(100, 125), (300, 50)], np.float32)


def exposures(path: Path, names: list[str] = NAMES, shape: tuple[int, int] = SHAPE) -> Path:
    kind = [("uid", "<u8"), ("micrograph_blob/path", "S200"), ("micrograph_blob/shape", "<u4", (2,))]
    table = np.zeros(
        len(names), [*kind, ("micrograph_blob/psize_A", "<f4"), ("mscope_params/exp_group_id", "<u4")]
    )
    table["uid"], table["micrograph_blob/path"] = UIDS[: len(names)], [name.encode() for name in names]
    table["micrograph_blob/shape"], table["micrograph_blob/psize_A"] = shape, 1.25
    table["mscope_params/exp_group_id"] = 7
    return save(path, table)


def save(path: Path, table: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, table, allow_pickle=False)
    return path


def test_figures_worked_out_by_hand(tmp_path: Path) -> None:
    known = cryosparc.read_exposures(exposures(tmp_path / "J3" / "exposures.cs"))
    table, strangers = cryosparc.table_of([CoordinateSet("mic22.mrc", Picks.of(YX, [0.5, 0.25]))], known)
    assert strangers == []
    # Row 100 of 400 is three quarters above the last row, column 125 of 500 a quarter from the left.
    np.testing.assert_allclose(table["location/center_y_frac"], [0.75, 0.25])
    np.testing.assert_allclose(table["location/center_x_frac"], [0.25, 0.1])
    assert table["location/micrograph_uid"].tolist() == [22, 22]
    assert table["location/exp_group_id"].tolist() == [7, 7]
    assert table["location/micrograph_path"].tolist() == [NAMES[1].encode()] * 2
    assert table["location/micrograph_shape"].tolist() == [[400, 500]] * 2
    assert table["location/micrograph_psize_A"].tolist() == [1.25, 1.25]
    assert len(set(table["uid"].tolist())) == 2
    assert not table.dtype.hasobject


@settings(max_examples=20, deadline=None)
@given(
    shape=st.sampled_from([(401, 255), (4092, 5760), (33, 8191)]),
    places=st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=4),
)
def test_positions_survive_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], places: list[tuple[float, float]]
) -> None:
    folder = tmp_path_factory.mktemp("cs")
    picks = Picks.of(np.array(places) * (shape[0] - 1, shape[1] - 1))
    known = cryosparc.read_exposures(exposures(folder / "exposures.cs", shape=shape))
    table, _ = cryosparc.table_of([CoordinateSet("mic11", picks)], known)
    (rows,) = read_coordinates(save(folder / "picks.cs", table))
    np.testing.assert_allclose(rows.picks.yx, picks.yx, atol=2e-3)
    assert (rows.shape, rows.spacing, rows.micrograph) == (shape, 1.25, NAMES[0])


def test_conversion_there_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exposures(Path("J3/exposures.cs"))
    Path("in.csv").write_text(
        "micrograph,x,y,score\nmic11.mrc,125,100,0.5\nmic11.mrc,50,300,0.25\nelse.mrc,1,2,1\n"
    )
    assert run("convert", "in.csv", "picks.cs", "--exposures", "J3/exposures.cs") == 0
    assert "left out" in (said := capsys.readouterr().err)
    assert "\n  else.mrc\n" in said
    assert run("convert", "picks.cs", "out.star") == 0
    (rows,) = read_coordinates("out.star")
    np.testing.assert_allclose(rows.picks.yx, YX, atol=1e-3)
    assert run("info", "picks.cs", "J3/exposures.cs") == 0
    assert "2 picks on 1 micrograph" in (said := capsys.readouterr().out)
    assert "2 micrographs of cryoSPARC" in said


def test_exposures_stand_for_their_micrographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(Path(name), np.random.default_rng(0).random((40, 50), np.float32))
    # Groups that were exported mark the paths that lie beside them.
    assert find_micrographs([exposures(Path("J3/exposures.cs"), [f">{name}" for name in NAMES])]) == [
        Path(n) for n in NAMES
    ]


def picks_table(**columns: object) -> np.ndarray:
    kind = [
        ("uid", "<u8"),
        (cryosparc.PATH, "S9"),
        (cryosparc.SHAPE, "<u4", (2,)),
        (cryosparc.X, "<f4"),
        (cryosparc.Y, "<f4"),
    ]
    table = np.zeros(1, kind)
    for name, value in columns.items():
        table[getattr(cryosparc, name)] = value
    return table


BAD = {
    "stream.cs": (b"\x95CSDAT....", "compressed .cs stream; export the result group"),
    "cut.cs": (b"\x93NUMPY\x01\x00", "no .cs table of cryoSPARC, or cut short"),
    "huge.cs": (
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': [('uid', '<u8')], 'fortran_order': False, 'shape': (999999999999,), }".ljust(117)
        + b"\n",
        "no .cs table of cryoSPARC, or cut short",
    ),
    "pickle.cs": (None, "no .cs table of cryoSPARC, or cut short"),
    "plain.cs": (np.zeros(3), "another NumPy file"),
    "uid.cs": (np.zeros(1, [("uid", "<u8")]), "no column location/center_x_frac; give the file of the job"),
    "nan.cs": (picks_table(SHAPE=SHAPE, X=np.nan), "is not a finite number"),
    "flat.cs": (picks_table(SHAPE=0), "has sizes that are none"),
    "bytes.cs": (picks_table(SHAPE=SHAPE, PATH=b"\xff\xfe"), "are no text"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is None:
        with file.open("wb") as out:
            np.save(out, np.array([{"a": 1}, "evil"], object), allow_pickle=True)
    else:
        save(file, content)
    with pytest.raises(CryopickError, match=said) as caught:
        read_coordinates(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
