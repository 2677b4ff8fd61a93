from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from cryopick_napari.labels import CLICKS_COVERAGE, Labels, areas_mask, look_complete
from cryopick_napari.picks import Picks

SQUARE = np.float32([(20, 30), (20, 90), (60, 90), (60, 30)])
TRIANGLE = np.float32([(10, 10), (110, 10), (10, 140)])


def in_square(y, x):
    return (y >= 20) & (y <= 60) & (x >= 30) & (x <= 90)


def in_triangle(y, x):
    return (y >= 10) & (x >= 10) & ((y - 10) / 100 + (x - 10) / 130 <= 1)


@pytest.mark.parametrize("ratio", [(1.0, 1.0), (3.03, 2.97), (8.0, 8.25)], ids=str)
@pytest.mark.parametrize(("polygon", "contains"), [(SQUARE, in_square), (TRIANGLE, in_triangle)])
def test_areas_lie_where_they_were_drawn(polygon, contains, ratio):
    shape = (round(120 / ratio[0]), round(150 / ratio[1]))
    mask = areas_mask((polygon,), shape, ratio)
    wanted = contains(*(np.indices(shape) * np.reshape(ratio, (2, 1, 1))))
    assert mask.shape == shape
    assert mask[binary_erosion(wanted)].all()
    assert not mask[~binary_dilation(wanted, np.ones((3, 3)))].any()


def test_areas_add_up_even_where_they_overlap():
    mask = areas_mask((SQUARE, SQUARE + 10, TRIANGLE), (120, 150), (1, 1))
    parts = [areas_mask((polygon,), (120, 150), (1, 1)) for polygon in (SQUARE, SQUARE + 10, TRIANGLE)]
    assert np.array_equal(mask, np.any(parts, axis=0))


def test_areas_may_reach_beyond_the_field_or_be_none():
    assert areas_mask((SQUARE * 100 - 3000,), (50, 60), (1, 1)).all()
    assert not areas_mask((SQUARE + 1000,), (50, 60), (1, 1)).any()
    assert not areas_mask((), (50, 60), (1, 1)).any()
    assert not areas_mask((np.zeros((0, 2), np.float32),), (50, 60), (1, 1)).any()


@pytest.mark.parametrize("shape", [(96, 121), (4, 7)], ids=str)
@pytest.mark.parametrize("factor", [1.0, 0.5, 0.3])
def test_a_whole_field_is_every_pixel_at_any_scale(shape, factor):
    labels = Labels.of_whole_field(Picks.of([(1, 1)]), shape)
    small = (max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor)))
    assert areas_mask(labels.complete, small, (shape[0] / small[0], shape[1] / small[1])).all()
    assert len(labels.negatives) == len(labels.excluded) == 0


def test_labels_look_complete_when_they_cover_enough():
    needed = int(np.ceil(CLICKS_COVERAGE * 200 * 300 / (np.pi * 10**2)))
    assert look_complete(Picks.of([(5, 5)] * needed), (200, 300), 20)
    assert not look_complete(Picks.of([(5, 5)] * (needed - 1)), (200, 300), 20)
    assert not look_complete(Picks.of([]), (200, 300), 20)
