"""Masks become areas and masks again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawing import noise

from cryopick_napari.errors import CryopickError
from cryopick_napari.excluding import outlines, read_areas, with_areas, write_masks
from cryopick_napari.labels import Labels, areas_mask
from cryopick_napari.masks import read_mask
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

SHAPE = 300, 420


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    """Draw a disc; centre and radius in parts of the rows."""
    y, x = (np.indices(shape) + 0.5) / shape[0]
    return np.hypot(y - centre[0], x - centre[1]) < radius


def drawn(shape: tuple[int, int]) -> np.ndarray:
    """Draw a ring, a corner and an island inside the ring."""
    ring = disc(shape, (0.4, 0.5), 0.35) & ~disc(shape, (0.4, 0.5), 0.2)
    corner = disc(shape, (1.0, 1.4), 0.3)
    return ring | corner | disc(shape, (0.4, 0.5), 0.06)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("factor", [0.2, 0.5, 1, 3])
def test_a_mask_at_any_scale_is_traced(factor):
    mask = drawn((round(300 * factor), round(420 * factor)))
    areas = outlines(mask, SHAPE)
    assert len(areas) == 3
    back = areas_mask(areas, SHAPE, (1.0, 1.0))
    assert overlap(back, drawn(SHAPE)) > (0.9 if factor < 0.5 else 0.97)
    assert not back[round(0.4 * 300), round((0.5 + 0.13) * 300)]  # the hole of the ring
    assert sum(map(len, areas)) < 300


def test_a_whole_field_and_none():
    full = outlines(np.ones((50, 70), bool), SHAPE)
    assert areas_mask(full, SHAPE, (1.0, 1.0)).mean() > 0.99
    assert outlines(np.zeros((50, 70), bool), SHAPE) == ()


def test_noise_is_no_mask():
    with pytest.raises(CryopickError, match="pieces, as noise is"):
        outlines(noise((120, 120)) > 1.0, (120, 120))


@pytest.fixture
def micrographs(tmp_path) -> list[Path]:
    paths = [tmp_path / "set" / f"{name}.mrc" for name in "abc"]
    paths[0].parent.mkdir()
    for path in paths:
        write_mrc(path, noise(SHAPE), 2.0)
    return paths


def test_masks_of_a_folder_are_read_and_bad_ones_said(micrographs, tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), drawn(SHAPE).astype(np.uint8) * 255)
    (folder / "b.png").write_bytes(b"no picture")
    *looked_for, good, bad = read_areas(folder, micrographs)
    assert [(step.done, step.total, step.areas) for step in looked_for] == [(n, 3, None) for n in (1, 2, 3)]
    assert (good.path, bad.path) == (micrographs[0], micrographs[1])
    assert len(good.areas) == 3
    assert not good.problem
    assert "b.png" in bad.problem
    assert (bad.done, bad.total) == (2, 2)
    with pytest.raises(CryopickError, match="holds no mask"):
        list(read_areas(tmp_path / "set", micrographs[2:]))  # they are no masks of their own


def test_noise_names_its_file(micrographs, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), (noise(SHAPE) > 1.0).astype(np.uint8))
    *_, step = read_areas(tmp_path, micrographs)
    assert step.areas is None
    assert step.problem.startswith(f"{tmp_path / 'a.png'}: it is in")


def test_a_ragged_mask_has_few_corners():
    rough = cv2.GaussianBlur(noise((1500, 1500)), (0, 0), 22) > 0.008
    areas = outlines(rough, (1500, 1500))
    assert sum(map(len, areas)) < 3000
    assert overlap(areas_mask(areas, (1500, 1500), (1.0, 1.0)), rough) > 0.8


def test_a_mask_that_may_be_of_two_micrographs_is_of_none(micrographs, tmp_path):
    other = tmp_path / "second" / "a.mrc"
    other.parent.mkdir()
    write_mrc(other, noise(SHAPE), 2.0)
    folder = tmp_path / "masks"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), drawn(SHAPE).astype(np.uint8) * 255)
    both = [micrographs[0], other]
    *_, first, second = read_areas(folder, both)
    assert first.areas is second.areas is None
    assert "may be of 2 micrographs" in first.problem
    (folder / "second").mkdir()
    cv2.imwrite(str(folder / "second" / "a.png"), np.zeros(SHAPE, np.uint8))
    *_, first, second = read_areas(folder, both)
    assert len(first.areas) == 3
    assert second.areas == ()


def test_areas_are_excluded_once():
    labels = with_areas(Labels(Picks.of([(1, 2)])), outlines(drawn(SHAPE), SHAPE))
    assert len(labels.excluded) == 3
    assert with_areas(labels, labels.excluded) is labels


def test_excluded_areas_are_written_and_read_back(micrographs, tmp_path):
    project = Project.opened(tmp_path / "project")
    areas = outlines(drawn(SHAPE), SHAPE)
    project.save_labels(micrographs[0], Labels(Picks.of([]), excluded=areas))
    steps = list(write_masks(project, micrographs, tmp_path / "out"))
    assert [step.done for step in steps] == [1, 2, 3]
    assert overlap(read_mask(tmp_path / "out" / "a.png", SHAPE), drawn(SHAPE)) > 0.97
    assert not read_mask(tmp_path / "out" / "b.png", SHAPE).any()


def test_contamination_that_is_found_is_written_too(tmp_path):
    from cryopick_napari.config import PickerConfig
    from cryopick_napari.picker import Picker
    from cryopick_napari.simulate import SAMPLE_DIAMETER, samples

    carbon = samples()[2]
    project = Project.opened(tmp_path / "project")
    corner = np.array([(0, 0), (0, 100), (100, 100), (100, 0)], np.float32)
    project.save_labels(carbon, Labels(Picks.of([]), excluded=(corner,)))
    picker = Picker.new(PickerConfig(SAMPLE_DIAMETER / 3, spacing=3.0))
    (step,) = write_masks(project, [carbon], tmp_path / "out", picker)
    assert not step.problem
    mask = read_mask(tmp_path / "out" / f"{carbon.stem}.png", (1024, 1024))
    assert mask[:100, :100].all()
    assert 0.05 < mask[150:, 150:].mean() < 0.5


def test_nothing_that_is_there_is_replaced(micrographs, tmp_path):
    project = Project.opened(tmp_path / "project")
    picture = tmp_path / "set" / "b.png"
    picture.write_bytes(b"a picture of somebody")
    with pytest.raises(CryopickError, match="is there already"):
        next(write_masks(project, micrographs, tmp_path / "set"))
    assert picture.read_bytes() == b"a picture of somebody"
    assert not (tmp_path / "set" / "a.png").exists()
    twin = micrographs[0].with_suffix(".tif")
    with pytest.raises(CryopickError, match="would have the same mask"):
        next(write_masks(project, [micrographs[0], twin], tmp_path / "out"))


def test_a_writing_can_be_stopped(micrographs, tmp_path):
    work = write_masks(Project.opened(tmp_path / "project"), micrographs, tmp_path / "out")
    next(work)
    with pytest.raises(StopIteration):
        work.send(True)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.png"]
