"""Whose picks they are, and where their file may lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import starfile

from cryopick_napari.coordinates import (
    FORMATS,
    CoordinateSet,
    match,
    read_coordinates,
    targets,
    write_coordinates,
    write_one,
)
from cryopick_napari.coordinates.naming import picked_stem, plain_stem
from cryopick_napari.errors import CryopickError
from cryopick_napari.picks import Picks


def named(name: str, row: float = 0) -> CoordinateSet:
    return CoordinateSet(name, Picks.of([(row, 1)]), diameter=10)


def owners(names: list[str], micrographs: list[str]) -> tuple[dict[str, list[float]], list[str]]:
    """Rows of the picks each micrograph got; the n-th name brings a pick in row n."""
    matched, unmatched = match(
        [named(name, row) for row, name in enumerate(names)], [Path(m) for m in micrographs]
    )
    return {path.as_posix(): rows.picks.yx[:, 0].tolist() for path, rows in matched.items()}, unmatched


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Movies/a_autopick", "a"),
        ("a_manualpick.star", "a_manualpick.star"),
        ("mic_1.5um", "mic_1.5um"),
        ("a.mrc_picks", "a"),
        ("_picks", "_picks"),
        ("C:\\data\\a.tif", "a"),
    ],
)
def test_stem_of_a_picked_micrograph(name: str, stem: str) -> None:
    assert picked_stem(name) == stem


@pytest.mark.parametrize(
    "name",
    [
        "a.mrc",
        "a.bin.mrc",
        "012345678901234567890_a_patch_aligned_doseweighted.mrc",
        "x/a_patch_aligned_autopick",
        "a_DW.mrc",
        "a_aligned_mic_DW",
        "J5/denoised/012345678901234567890_a_patch_aligned_doseweighted_denoised.mrc",
    ],
)
def test_what_programs_add_is_seen_through(name: str) -> None:
    assert plain_stem(name) == "a"
    assert owners([name], ["/data/a.mrc"]) == ({"/data/a.mrc": [0]}, [])


def test_a_short_number_in_front_is_part_of_the_name() -> None:
    assert owners(["20240101_a"], ["/data/a.mrc"]) == ({}, ["20240101_a"])


def test_the_same_stem_in_two_folders_is_told_apart_by_the_folder() -> None:
    names = ["MotionCorr/job002/A/m.mrc", "MotionCorr/job002/B/m.mrc"]
    assert owners(names, ["/data/B/m.mrc", "/data/A/m.mrc"]) == (
        {"/data/B/m.mrc": [1], "/data/A/m.mrc": [0]},
        [],
    )


def test_an_ambiguous_stem_belongs_to_nobody() -> None:
    assert owners(["m"], ["/data/A/m.mrc", "/data/B/m.mrc"]) == ({}, ["m"])


def test_two_micrographs_never_share_one_by_their_stem() -> None:
    assert owners(["A/m.mrc", "B/m.mrc"], ["/data/C/m.mrc"]) == ({}, ["A/m.mrc", "B/m.mrc"])
    assert owners(["A/m.mrc", "B/m.mrc"], ["/data/A/m.mrc"]) == ({"/data/A/m.mrc": [0]}, ["B/m.mrc"])
    uids = ["111111111111111_m", "222222222222222_m"]
    assert owners(uids, ["/data/m.mrc"]) == ({}, uids)


def test_files_at_the_top_belong_to_micrographs_at_the_top() -> None:
    micrographs = ["/data/m.mrc", "/data/sub/m.mrc"]
    assert owners(["m", "sub/m"], micrographs) == ({"/data/m.mrc": [0], "/data/sub/m.mrc": [1]}, [])


def test_the_exact_name_wins() -> None:
    micrographs = ["m.mrc", "m.tif", "m_patch_aligned.mrc"]
    assert owners(["m.tif", "m_patch_aligned"], micrographs) == (
        {"m.tif": [0], "m_patch_aligned.mrc": [1]},
        [],
    )


def test_several_sets_of_one_micrograph_are_joined() -> None:
    assert owners(["m", "m_autopick", "m.mrc"], ["/data/m.mrc"]) == ({"/data/m.mrc": [0, 1, 2]}, [])


def test_joining_keeps_the_columns_both_have() -> None:
    both = [
        CoordinateSet("m", Picks.of([(0, 0)]), extra={"a": np.array([1]), "b": np.array([2])}),
        CoordinateSet("m", Picks.of([(1, 1)]), shape=(5, 6), extra={"a": np.array([3])}),
    ]
    rows = match(both, [Path("m.mrc")])[0][Path("m.mrc")]
    assert {key: column.tolist() for key, column in rows.extra.items()} == {"a": [1, 3]}
    assert rows.shape == (5, 6)


def test_no_micrographs_and_no_sets() -> None:
    assert match([], [Path("m.mrc")]) == ({}, [])
    assert owners(["m"], []) == ({}, ["m"])


def test_folders_of_micrographs_are_kept_and_their_names_untouched(tmp_path: Path) -> None:
    names = ["A/it's #1.mrc", "B/it's #1.mrc"]
    files = write_coordinates([named(name, row) for row, name in enumerate(names)], tmp_path, "relion")
    expected = ["A/it's #1_autopick.star", "B/it's #1_autopick.star", "autopick.star"]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == expected
    assert [(rows.micrograph, rows.picks.yx[0, 0]) for rows in read_coordinates(tmp_path)] == [
        (names[0], 0),
        (names[1], 1),
    ]


def test_starfile_sees_plain_names_byte_for_byte(tmp_path: Path) -> None:
    names = ["Micrographs/mic 1.mrc", "Micrographs/0002.mrc"]
    index = write_coordinates([named(name) for name in names], tmp_path, "relion")[-1]
    assert starfile.read(index)["rlnMicrographName"].tolist() == names


ESCAPES = [
    "../a.mrc",
    "x/../../a.mrc",
    "/etc/a.mrc",
    "..\\a.mrc",
    "C:\\a.mrc",
    "\\\\host\\share\\a.mrc",
    "/a.mrc",
]
NO_NAMES = ["", ".", "..", "x/", "a\nb.mrc", "a\0b.mrc", ".mrc/..", "a\tb.mrc"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ESCAPES + NO_NAMES)
def test_no_name_leads_outside_the_output_folder(tmp_path: Path, format: str, name: str) -> None:
    for write in (write_one, lambda rows, *to: write_coordinates([named("good.mrc"), rows], *to)):
        with pytest.raises(CryopickError) as caught:
            write(named(name), tmp_path / "out", format)
        assert repr(name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # not even the good one is written, nor the folder made


@pytest.mark.parametrize("format", FORMATS)
def test_no_link_leads_outside_the_output_folder(tmp_path: Path, format: str) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "folder").symlink_to(outside)
    (out / f"file{FORMATS[format].suffix}").symlink_to(outside / "target")
    for name in ("folder/a.mrc", "file.mrc"):
        with pytest.raises(CryopickError, match=f"'{name}' leads by a link out of"):
            write_coordinates([named(name)], out, format)
    if index := FORMATS[format].index:
        (out / index).symlink_to(outside / "index")
        with pytest.raises(CryopickError, match="is a link out of"):
            write_coordinates([named("a.mrc")], out, format)
    assert list(outside.iterdir()) == []


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    assert write_one(named("x/a.mrc"), tmp_path / "out", "csv").is_file()
    assert (tmp_path / "disk" / "x" / "a.csv").is_file()


def test_a_root_makes_absolute_names_usable(tmp_path: Path) -> None:
    root = tmp_path / "data"
    names = [f"{root}/A/m.mrc", os.path.relpath(root / "B" / "m.mrc")]
    files = targets(names, tmp_path / "out", "relion", root)
    assert [path.relative_to(tmp_path).as_posix() for path in files.values()] == [
        "out/A/m_autopick.star",
        "out/B/m_autopick.star",
    ]
    for outside in ("/elsewhere/m.mrc", f"{root}/../m.mrc"):
        with pytest.raises(CryopickError, match="leads outside the output folder; make it relative"):
            targets([outside], tmp_path / "out", "relion", root)


def test_two_micrographs_never_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(CryopickError, match=r"'a\.mrc' and 'a\.tif' would share"):
        write_coordinates([named("a.mrc"), named("a.tif")], tmp_path, "csv")
    with pytest.raises(CryopickError, match=r"'A/m\.mrc' and 'B/m\.mrc' would share 'm' in the topaz output"):
        write_coordinates([named("A/m.mrc"), named("B/m.mrc")], tmp_path, "topaz")
    assert list(tmp_path.iterdir()) == []


def test_a_micrograph_named_like_the_index(tmp_path: Path) -> None:
    for format in ("relion", "topaz"):
        sets = [named("autopick.mrc", 1), named("picks.mrc", 2)]
        for rows in sets:
            write_one(rows, tmp_path / format, format)
        write_coordinates(sets, tmp_path / format, format)
        assert sorted(rows.picks.yx[0, 0] for rows in read_coordinates(tmp_path / format)) == [1, 2]
