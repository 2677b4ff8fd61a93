from __future__ import annotations

import numpy as np
import pytest
from drawing import gaussians, noise

from cryopick_napari.display import default_filter, shown
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample
from cryopick_napari.thumbnails import average, cut

SPOTS = np.array([(60.0, 50.0), (61.3, 150.8), (140.5, 90.2)])


def middle(thumbnail):
    light = thumbnail.astype(float) - thumbnail.min()
    y, x = np.mgrid[: len(light), : len(light)]
    return np.array([(y * light).sum(), (x * light).sum()]) / light.sum()


@pytest.mark.parametrize(("side", "out"), [(20, 48), (48, 48), (61.5, 48), (60, 16), (60, 15)])
def test_a_pick_lies_in_the_middle(side, out):
    image = gaussians((201, 203), SPOTS, sigma=side / 12)
    for thumbnail in cut(image, SPOTS, side, out):
        assert thumbnail.shape == (out, out)
        np.testing.assert_allclose(middle(thumbnail), (out - 1) / 2, atol=0.02 * out)


def test_equal_values_are_equally_grey():
    image = gaussians((200, 200), SPOTS[:2], 4) + 0.5 * gaussians((200, 200), SPOTS[2:], 4)
    thumbnails = cut(image, SPOTS[::-1], 30, 30)
    peaks = thumbnails.max(axis=(1, 2)).astype(int)
    assert peaks[1] == peaks[2] == 255
    assert 110 < peaks[0] < 200  # more than half: the very tops of the others are cut off


def test_the_median_lies_beyond_the_edge():
    image = noise((100, 100)) + np.float32(7)
    inside, corner = cut(image, [(50, 50), (0, 0)], 40, 40)
    beyond = corner[:18, :18]
    assert np.ptp(beyond) == 0
    assert beyond[0, 0] == pytest.approx(np.median(inside), abs=10)
    assert corner[22:, 22:].std() == pytest.approx(inside.std(), rel=0.2)


def test_large_squares_are_averaged_not_thinned_out():
    image = noise((400, 400)) + 2 * gaussians((400, 400), [(200, 200)], 30)
    thumbnail = cut(image, [(200, 200)], 384, 48)[0].astype(float)
    # 8 x 8 averages have an eighth of the noise, so that the blob stands out far
    assert thumbnail[22:26, 22:26].mean() - thumbnail[:8, :8].mean() > 5 * thumbnail[:8, :8].std()


def test_no_picks_make_no_thumbnails():
    assert cut(noise((50, 50)), [], 20).shape == (0, 48, 48)
    assert average(np.zeros((0, 48, 48), np.uint8), []) is None


def test_a_constant_image_is_cut_too():
    assert np.ptp(cut(np.ones((50, 50), np.float32), [(20, 20)], 20)) == 0


@pytest.mark.parametrize(("side", "out"), [(0, 48), (-3, 48), (20, 0)])
def test_a_square_needs_a_side(side, out):
    with pytest.raises(ValueError, match="side"):
        cut(noise((50, 50)), [(20, 20)], side, out)


def test_only_the_best_are_averaged():
    thumbnails = np.zeros((4, 2, 2), np.uint8)
    for number, pixel in enumerate(np.ndindex(2, 2)):
        thumbnails[number][pixel] = 200
    np.testing.assert_array_equal(average(thumbnails, [0.1, 0.9, 0.2, 0.8], best=2), [[0, 255], [0, 255]])


def test_the_average_of_real_particles_stands_out():
    micrograph, picks = sample(0)
    diameter = SAMPLE_DIAMETER / micrograph.spacing
    picture = shown(micrograph, default_filter(diameter, micrograph.spacing))
    yx = picture.from_source(picks.yx)
    mean = average(cut(picture.image, yx, 2 * diameter / picture.scale[0]), picks.score)
    y, x = np.mgrid[:48, :48] - 23.5
    radius = np.hypot(y, x)
    shell, around = mean[(radius > 5) & (radius < 8)].mean(), mean[radius > 18].mean()
    assert shell < around - 60  # dark, of 255
