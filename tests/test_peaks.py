from __future__ import annotations

import numpy as np
import pytest
from drawing import gaussians, near, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from cryopick_napari.peaks import find_peaks, highest_near, spaced


@pytest.mark.parametrize("sigma", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("centre", [(20, 30), (20.25, 29.9), (20.5, 30.5), (19.63, 30.41)], ids=str)
def test_a_gaussian_is_found_to_a_twentieth_of_a_pixel(centre, sigma):
    picks = find_peaks(gaussians((41, 60), [centre], sigma), 3)
    assert near(picks.yx, [centre]) < 0.05


@pytest.mark.parametrize(
    "centre",
    [(0, 0), (0, 59), (40, 0), (40, 59), (0, 12), (40, 12.3), (7.4, 0), (22, 59), (39.2, 1)],
    ids=str,
)
def test_edges_and_corners_are_found_where_they_are(centre):
    picks = find_peaks(gaussians((41, 60), [centre], 2), 3)
    assert near(picks.yx, [centre]) < 0.05


@pytest.mark.parametrize("radius", [1, 2.5, 4])
def test_a_flat_top_counts_once_at_its_centre(radius):
    y, x = np.mgrid[:30, :40]
    disc = (np.hypot(y - 11, x - 17) <= radius).astype(np.float32)
    assert near(find_peaks(disc, 1).yx, [(11, 17)]) < 1e-6


def test_a_flat_top_of_four_pixels_has_its_centre_between_them():
    assert near(find_peaks(gaussians((20, 20), [(7.5, 8.5)], 2), 3).yx, [(7.5, 8.5)]) < 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 5)], ids=str)
def test_a_constant_map_is_one_flat_top(shape):
    assert near(find_peaks(np.ones(shape, np.float32), 2).yx, [np.subtract(shape, 1) / 2]) < 1e-6
    assert len(find_peaks(np.zeros(shape, np.float32), 2)) == 0


def test_best_comes_first_with_the_height_of_the_map():
    image = 0.5 * gaussians((40, 60), [(10, 10)], 2) + 0.9 * gaussians((40, 60), [(30, 45)], 2)
    image += 0.7 * gaussians((40, 60), [(12, 40)], 2)
    picks = find_peaks(image, 5)
    assert np.array_equal(picks.yx, [(30, 45), (12, 40), (10, 10)])
    assert picks.score == pytest.approx([0.9, 0.7, 0.5], abs=1e-3)


def test_threshold_is_the_least_score():
    image = np.zeros((20, 20), np.float32)
    image[5, 5], image[15, 15] = 0.5, 0.25
    assert len(find_peaks(image, 3, threshold=0.25)) == 2
    assert find_peaks(image, 3, threshold=0.26).yx.tolist() == [[5, 5]]


def test_of_two_near_peaks_the_higher_stays():
    image = gaussians((40, 40), [(20, 16)], 1.2) + 0.8 * gaussians((40, 40), [(20, 22.5)], 1.2)
    assert len(find_peaks(image, 6.4)) == 2
    assert near(find_peaks(image, 6.6).yx, [(20, 16)]) < 0.05


def test_smoothing_joins_what_noise_parts():
    image = gaussians((40, 40), [(20, 17)], 4) + 0.3 * noise((40, 40))
    assert near(find_peaks(image, 1, threshold=0.4, smoothing=2).yx, [(20, 17)]) < 1
    assert len(find_peaks(image, 1, threshold=0.4)) > 3


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.sampled_from([0, 0.5, 0.7, 1]),
    ),
    st.floats(0, 6),
)
def test_picks_lie_in_the_field_apart_and_in_order(image, apart):
    picks = find_peaks(image, apart)
    assert (np.diff(picks.score) <= 0).all()
    assert ((picks.yx >= 0) & (picks.yx <= np.subtract(image.shape, 1))).all()
    assert len(picks) < 2 or pdist(picks.yx).min() > apart - 1e-5
    assert (len(picks) == 0) == (image.max() < 0.05)


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, st.tuples(st.integers(0, 25), st.just(2)), elements=st.integers(0, 12).map(float)),
    st.sampled_from([0.0, 1.0, 2.5, np.sqrt(2), 5.0]),
)
def test_spaced_is_first_come_first_served(yx, distance):
    kept: list[int] = []
    for index, point in enumerate(yx):
        if all(np.hypot(*(point - yx[other])) >= distance for other in kept):
            kept.append(index)
    assert spaced(yx, distance).tolist() == kept


def test_the_highest_value_near_a_position():
    image = np.zeros((9, 9), np.float32)
    image[2, 3], image[2, 6], image[8, 8] = 1, 2, 3
    found = highest_near(image, np.float32([(2.2, 3.4), (2.2, 4.2), (8.4, 8.4), (6, 1)]), 2.0)
    np.testing.assert_array_equal(found, [1, 2, 3, 0])
    np.testing.assert_array_equal(highest_near(image, np.float32([(2.4, 3.4)]), 0.1), [1])  # its own pixel
