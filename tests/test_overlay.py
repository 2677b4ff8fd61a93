from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawing import drawn_micrograph, noise

from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.overlay import PICK, draw_circles, draw_field, draw_map, draw_overlay, write_png
from cryopick_napari.picks import Picks

BLACK = np.zeros((100, 200, 3), np.uint8)


def middle(drawn):
    """Centre of everything that is not black: row, column."""
    return np.argwhere(drawn.any(axis=2)).mean(axis=0)


@pytest.mark.parametrize("yx", [(50, 40), (31, 170), (70.4, 99.6)])
def test_a_circle_lies_around_its_pick(yx):
    drawn = draw_circles(BLACK, Picks.of([yx]), (100, 200), 20, PICK)
    np.testing.assert_allclose(middle(drawn), yx, atol=0.5)
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert np.ptp(rows) == np.ptp(columns) == pytest.approx(20, abs=2)
    assert not BLACK.any()


@pytest.mark.parametrize("shape", [(1000, 2000), (1001, 1999), (50, 100), (400, 400)])
def test_circles_follow_the_pictures_scale(shape):
    micrograph_yx = np.array([(0.3, 0.25)]) * shape
    drawn = draw_circles(BLACK, Picks.of(micrograph_yx), shape, shape[0] / 5, PICK)
    np.testing.assert_allclose(middle(drawn), (29.5, 49.5), atol=1)


@pytest.mark.parametrize("shape", [(96, 240), (243, 97)])
def test_a_particle_lies_amid_its_circle_after_reduction(shape):
    centre = (shape[0] * 0.7, shape[1] * 0.3)
    picture = draw_field(drawn_micrograph([centre], shape, height=-300), 9, side=120)
    assert max(picture.shape) == 120
    darkest = np.argwhere(picture[..., 0] == 0).mean(axis=0)
    circle = middle(draw_circles(np.zeros_like(picture), Picks.of([centre]), shape, 9, PICK))
    np.testing.assert_allclose(darkest, circle, atol=1)


def test_circles_at_and_beyond_the_edge_are_cut_off():
    picks = Picks.of([(0, 0), (99, 199), (-300, 5), (50, 1e6)])
    drawn = draw_circles(BLACK, picks, (100, 200), 20, PICK)
    assert drawn.shape == BLACK.shape
    assert drawn[0, 10].any() and drawn[99, 189].any()
    assert not drawn[30:70].any()


def test_nothing_is_drawn_for_no_picks():
    np.testing.assert_array_equal(draw_circles(BLACK, Picks.of([]), (100, 200), 20, PICK), BLACK)


EXTREME = {
    "huge noise": noise((40, 60)) * np.float32(5e37),
    "one huge pixel": np.where(noise((40, 60)) == noise((40, 60)).max(), np.float32(3.4e38), 0),
    "both ends": np.where(noise((40, 60)) > 0, np.float32(3.4e38), np.float32(-3.4e38)),
    "small numbers": noise((40, 60)) * np.float32(1e-20),
    "one value": np.ones((40, 60), np.float32),
    "one row": noise((1, 3000)),
    "one pixel": noise((1, 1)),
}


@pytest.mark.parametrize("image", EXTREME.values(), ids=EXTREME)
def test_a_field_of_any_values_is_drawn(image):
    picture = draw_field(Micrograph(image.astype(np.float32)), 9, side=32)
    assert picture.dtype == np.uint8
    assert max(picture.shape) <= 32 and picture.shape[2] == 3


@pytest.mark.parametrize("name", ["huge noise", "small numbers", "both ends"])
def test_contrast_is_made_the_most_of(name):
    picture = draw_field(Micrograph(EXTREME[name]), 9)
    assert (picture.min(), picture.max()) == (0, 255)


def test_dark_stays_dark():
    bright, dark = (draw_field(drawn_micrograph([(20, 30)], (40, 60), height=h), 9) for h in (30, -30))
    assert bright[20, 30, 0] > 200
    assert dark[20, 30, 0] < 50


def test_the_map_tints_where_it_is_high():
    probability = np.zeros((25, 50), np.float32)
    probability[20, 10] = 1
    change = draw_map(BLACK + 100, probability).astype(int) - 100
    assert not change[:50].any()
    np.testing.assert_allclose(np.argwhere(change.any(axis=2)).mean(axis=0), (81.5, 41.5), atol=2)


def test_an_overlay_reads_back_from_its_file(tmp_path):
    micrograph = drawn_micrograph()
    drawn = draw_overlay(micrograph, Picks.of([(40, 30)]), 9, np.zeros((48, 45), np.float32))
    write_png(tmp_path / "a.png", drawn)
    found = cv2.imread(str(tmp_path / "a.png"))[..., ::-1]
    np.testing.assert_array_equal(found, drawn)
    assert tuple(found[36, 30]) != tuple(draw_field(micrograph, 9)[36, 30])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(CryopickError, match=r"a\.png"):
        write_png(tmp_path / "missing" / "a.png", BLACK)
    assert not any(tmp_path.iterdir())
