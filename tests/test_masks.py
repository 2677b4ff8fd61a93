from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawing import drawn_micrograph, noise

from cryopick_napari.config import PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.masks import check_masks, find_mask, masked, read_mask, write_mask
from cryopick_napari.micrograph import Micrograph, read_micrograph, write_mrc
from cryopick_napari.rescale import seen

SHAPE = (96, 128)


def block(shape: tuple[int, int] = SHAPE, value: float = 1) -> np.ndarray:
    """Draw a mask of a field whose lower right quarter is contaminated."""
    mask = np.zeros(shape, np.float32)
    mask[shape[0] // 2 :, shape[1] // 2 :] = value
    return mask


@pytest.mark.parametrize("factor", [0.5, 1, 2])
@pytest.mark.parametrize("suffix", [".mrc", ".png"])
def test_a_mask_at_any_scale_lands_within_a_pixel(tmp_path, suffix, factor):
    shape = (round(96 * factor), round(128 * factor))
    path = tmp_path / f"field{suffix}"
    if suffix == ".mrc":
        write_mrc(path, block(shape, 7))
    else:
        cv2.imwrite(str(path), block(shape, 255))
    field = Micrograph(drawn_micrograph(shape=SHAPE).image, path=Path("elsewhere/field.mrc"))
    scaled = seen(masked(field, tmp_path), PickerConfig(9.0, network_diameter=6.0))
    assert scaled.image.shape == (64, 85)
    rows, columns = np.nonzero(~scaled.live.numpy())
    assert abs(rows.min() * scaled.ratio[0] - 48) <= max(1.5, 1 / factor)
    assert abs(columns.min() * scaled.ratio[1] - 64) <= max(1.5, 1 / factor)
    assert scaled.valid.float().mean() == pytest.approx(0.75, abs=0.02)


def test_what_is_written_is_read_as_it_was(tmp_path):
    micrograph = drawn_micrograph(shape=(100, 131))
    config = PickerConfig(9.0, network_diameter=6.0)
    scaled = seen(micrograph, config)
    left_out = noise((67, 87)) > 0.5
    assert scaled.image.shape == left_out.shape
    write_mask(tmp_path / "field.png", left_out, scaled.ratio, micrograph.shape)
    back = read_mask(tmp_path / "field.png", micrograph.shape)
    assert back.shape == micrograph.shape
    given = seen(Micrograph(micrograph.image, mask=back), config)
    np.testing.assert_array_equal(given.live.numpy(), ~left_out)


def test_a_mask_without_contamination_is_a_mask(tmp_path):
    write_mrc(tmp_path / "field.mrc", np.zeros(SHAPE))
    assert not read_mask(tmp_path / "field.mrc", SHAPE).any()


def test_of_likelihoods_what_exceeds_a_half_is_contaminated(data, tmp_path):
    write_mrc(tmp_path / "soft.mrc", block(value=0.9) + 0.02)
    assert read_mask(tmp_path / "soft.mrc", SHAPE).mean() == 0.25
    folder = data / "micrograph-cleaner"
    mask = read_mask(folder / "contamination.mrc", read_micrograph(folder / "micrograph.mrc").shape)
    assert 0.1 < mask.mean() < 0.2
    assert mask[100, 700]
    assert not mask[600, 300]


def test_the_mask_in_the_micrographs_own_folders_comes_first(tmp_path):
    for name in ("m.png", "grid1/m.mrc", "data/grid2/m.png", "other.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_mask(tmp_path, Path("/data/grid1/m.mrc")) == tmp_path / "grid1" / "m.mrc"
    assert find_mask(tmp_path, Path("/data/grid2/m.tif")) == tmp_path / "data" / "grid2" / "m.png"
    assert find_mask(tmp_path, Path("/data/grid3/m.mrc")) == tmp_path / "m.png"
    assert find_mask(tmp_path, Path("/data/grid3/n.mrc")) is None
    paths = [Path("/data/grid3/m.mrc"), Path("/data/n.mrc")]
    assert check_masks(tmp_path, paths) == paths[1:]


def test_errors_name_the_file_and_the_way_out(tmp_path):
    path = tmp_path / "field.mrc"
    field = Micrograph(noise(SHAPE), path=Path("field.mrc"))
    write_mrc(path, block((96, 96)))
    with pytest.raises(
        CryopickError, match=r"field\.mrc: a mask of 96 x 96 px .* 128 x 96 px: give the mask"
    ):
        masked(field, tmp_path)
    write_mrc(path, block((128, 96)))  # rows and columns swapped
    with pytest.raises(CryopickError, match=r"field\.mrc: a mask of 96 x 128 px"):
        masked(field, tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CryopickError, match=r"field\.mrc: is cut short"):
        masked(field, tmp_path)
    path.write_text("no image")
    with pytest.raises(CryopickError, match=r"field\.mrc: is not an MRC"):
        masked(field, tmp_path)
    with pytest.raises(CryopickError, match=r"holds no mask for b\.mrc .* as b\.png or \.mrc"):
        check_masks(tmp_path, [Path("b.mrc")])
    with pytest.raises(CryopickError, match="no such folder of masks: check --masks"):
        check_masks(tmp_path / "none", [Path("b.mrc")])
