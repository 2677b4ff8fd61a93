"""Lists of RELION and cryoSPARC as micrographs, and stacks of frames."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import find_micrographs, read_micrograph, write_mrc
from cryopick_napari.micrograph_lists import about_micrographs, read_list, root_of, spacing_of

NUMBERS = np.random.default_rng(0).random((40, 50), np.float32)
NAMES = ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"]
NEW = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
_rlnMicrographOriginalPixelSize #4
_rlnVoltage #5
one 1 1.770000 0.885000 300
two 2 2.000000 1.000000 200

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
MotionCorr/job002/Movies/a.mrc 2 12000.5
MotionCorr/job002/Movies/b.mrc 1 13000.5
"""
OLD = """
data_

loop_
_rlnMicrographName #1
_rlnVoltage #2
_rlnMagnification #3
_rlnDetectorPixelSize #4
MotionCorr/job002/Movies/a.mrc 300 10000 1.77
MotionCorr/job002/Movies/b.mrc 300 10000 1.77
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(tmp_path / name, NUMBERS)
    monkeypatch.chdir(tmp_path)
    Path("CtfFind/job003").mkdir(parents=True)
    return tmp_path


def test_pixel_size_and_ctf_are_those_of_the_optics_group(project: Path) -> None:
    file = Path("CtfFind/job003/micrographs_ctf.star")
    file.write_text(NEW)
    a, b = read_list(file)
    assert [one.name for one in (a, b)] == NAMES
    # Of the micrograph, not of the movie it was binned from.
    assert (a.spacing, b.spacing) == (2.0, 1.77)
    assert dict(a.values) == {"rlnVoltage": 200, "rlnDefocusU": 12000.5}
    assert spacing_of(None, [a, b]) is None
    assert spacing_of(None, [b]) == 1.77
    assert spacing_of(3.0, [b]) == 3.0
    assert find_micrographs([file]) == find_micrographs([f"@{file}"]) == [Path(name) for name in NAMES]
    about = about_micrographs([file])[Path(NAMES[1])]
    assert (about.name, about.shape, about.spacing) == (NAMES[1], (40, 50), 1.77)


def test_lists_of_relion_3_0_have_detector_and_magnification(project: Path) -> None:
    Path("CtfFind/job003/micrographs_ctf.star").write_text(OLD)
    assert [one.spacing for one in read_list(Path("CtfFind/job003/micrographs_ctf.star"))] == [1.77, 1.77]


def test_a_project_is_found_from_anywhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project / "CtfFind/job003/micrographs_ctf.star"
    file.write_text(OLD)
    monkeypatch.chdir("/")
    listed = read_list(file)
    assert [one.path.resolve() for one in listed] == [(project / name).resolve() for name in NAMES]
    assert [one.name for one in listed] == NAMES


def test_picks_leave_out_the_job_of_their_micrographs(project: Path) -> None:
    Path("list.star").write_text(OLD)
    listed = read_list(Path("list.star"))
    paths = [one.path for one in listed]
    assert root_of(paths, listed) == Path("MotionCorr/job002")
    assert root_of([*paths, Path("other.mrc")], listed) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OLD.replace("a.mrc", "gone.mrc"), "gone.mrc' lies below no folder around it"),
        ("data_\n\nloop_\n_rlnCoordinateX #1\n1\n", "no column _rlnMicrographName"),
        (OLD.partition("MotionCorr")[0], "lists no micrographs"),
        (NEW.replace("a.mrc 2", "a.mrc 7"), "optics group '7' is not in its table data_optics"),
        (OLD.replace("1.77\n", "wide\n"), "rlnDetectorPixelSize is 'wide', not a number"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(project: Path, text: str, said: str) -> None:
    Path("list.star").write_text(text)
    with pytest.raises(CryopickError, match=said) as caught:
        find_micrographs(["list.star"])
    assert "list.star" in str(caught.value)
    assert "\n" not in str(caught.value)


FRAMES = np.stack([NUMBERS + k for k in range(3)])


@pytest.mark.parametrize("kind", ["a.mrcs", "pages.tif", "imagej.tif", "one_page.tif"])
def test_frames_are_summed_on_request(tmp_path: Path, kind: str) -> None:
    file = tmp_path / kind
    if kind == "a.mrcs":
        mrcfile.write(file, FRAMES)
    else:
        tifffile.imwrite(
            file,
            FRAMES,
            imagej=kind == "imagej.tif",
            photometric="minisblack",
            truncate=kind == "one_page.tif",
        )
    with pytest.raises(CryopickError, match=r"holds 3 frames: .*--sum-frames adds them up"):
        read_micrograph(file)
    np.testing.assert_allclose(read_micrograph(file, sum_frames=True).image, FRAMES.sum(axis=0), rtol=1e-6)


def test_a_volume_is_no_stack_of_frames(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, photometric="minisblack", volumetric=True)
    with pytest.raises(CryopickError, match="is a volume"):
        read_micrograph(tmp_path / "a.tif", sum_frames=True)


def test_a_single_image_is_its_own_sum(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", NUMBERS)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "a.mrc", sum_frames=True).image, NUMBERS)


def test_a_stack_that_ends_early_is_refused(tmp_path: Path) -> None:
    mrcfile.write(tmp_path / "a.mrcs", FRAMES)
    whole = (tmp_path / "a.mrcs").read_bytes()
    (tmp_path / "a.mrcs").write_bytes(whole[:-1])
    with pytest.raises(CryopickError, match="is cut short"):
        read_micrograph(tmp_path / "a.mrcs", sum_frames=True)


def test_pixel_sizes_of_imagej_and_ome(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "imagej.tif",
        NUMBERS,
        imagej=True,
        resolution=(1 / 1.77e-4, 1 / 1.77e-4),
        metadata={"unit": "um"},
    )
    size = {
        "PhysicalSizeX": 0.177,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.177,
        "PhysicalSizeYUnit": "nm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", NUMBERS, metadata={"axes": "YX", **size})
    for name in ("imagej.tif", "a.ome.tif"):
        assert read_micrograph(tmp_path / name).spacing == pytest.approx(1.77, rel=1e-4)
