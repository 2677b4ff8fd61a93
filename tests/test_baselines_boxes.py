"""Boxes, crops and tiles: a particle comes back where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cryopick_napari.baselines.boxes import boxes_of, centres_of, joined, splatted, tiles, turned
from cryopick_napari.peaks import find_peaks
from cryopick_napari.picks import Picks


def test_boxes_are_fractions_of_the_crop():
    (box,) = boxes_of(torch.tensor([[0.0, 31.0]]), 8, 32)
    # Pixel centres are at integers: the first one's lies half a pixel from the edge.
    assert box.tolist() == [31.5 / 32, 0.5 / 32, 0.25, 0.25]


def test_particles_come_back_from_their_boxes():
    yx = torch.rand(50, 2) * 47 - 0.5
    torch.testing.assert_close(centres_of(boxes_of(yx, 13.5, 48), 48), yx, atol=1e-5, rtol=0)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirror", [False, True])
def test_positions_turn_with_the_image(turns, mirror):
    image = torch.zeros(7, 7)
    image[1, 4] = 1
    there, yx = turned(image, torch.tensor([[1.0, 4.0]]), turns, mirror)
    assert there.nonzero().tolist() == yx.long().tolist()


@pytest.mark.parametrize("shape", [(48, 48), (48, 49), (100, 131), (300, 310)])
def test_each_pixel_counts_in_one_tile(shape):
    counts = np.zeros(shape, int)
    for tile in tiles(shape, 48, 10):
        (top, left), rows, columns = tile.corner, *(np.arange(side) for side in shape)
        assert 0 <= top <= shape[0] - 48
        assert 0 <= left <= shape[1] - 48
        inside = (rows >= tile.low[0]) & (rows < tile.high[0])
        inside = inside[:, None] & (columns >= tile.low[1]) & (columns < tile.high[1])
        counts += inside
        y, x = np.nonzero(inside)
        for place, corner, side in ((y, top, shape[0]), (x, left, shape[1])):  # margins, but at the edges
            assert place.min() >= min(corner + 10, side) or corner == 0
            assert place.max() <= corner + 48 - 10 or corner == side - 48
    assert (counts == 1).all()


def test_detections_of_all_tiles_become_the_particles_again():
    """What a perfect detector answers on overlapping tiles are the particles, each once, where they are."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(8, 290, 24), np.arange(8, 300, 24), indexing="ij"), -1).reshape(
        -1, 2
    )
    truth = Picks.of(grid + rng.uniform(-4, 4, grid.shape), rng.uniform(0.1, 1, len(grid)))
    found = []
    for tile in tiles((300, 310), 48, 10):
        yx = torch.from_numpy(truth.yx) - torch.tensor(tile.corner)
        here = ((yx >= -0.5) & (yx < 47.5)).all(1)
        boxes = boxes_of(yx[here], 20, 48)
        found.append((tile, centres_of(boxes, 48).numpy(), truth.score[here.numpy()]))
    picks = joined(found, apart=10)
    order = np.argsort(-truth.score)
    np.testing.assert_allclose(picks.yx, truth.yx[order], atol=1e-4)
    np.testing.assert_array_equal(picks.score, truth.score[order])


def test_of_two_near_detections_the_better_stays():
    (tile,) = tiles((48, 48), 48, 10)
    yx = np.array([[10, 10], [12, 10], [30, 30]], np.float32)
    picks = joined([(tile, yx, np.array([0.4, 0.9, 0.5], np.float32))], apart=10)
    assert picks.yx.tolist() == [[12, 10], [30, 30]]


def test_the_map_peaks_at_the_picks_as_high_as_their_scores():
    picks = Picks.of([[20.3, 31.6], [50, 10]], [0.9, 0.4])
    drawn = splatted(picks, (64, 48), 13.5)
    assert drawn.shape == (64, 48)
    peaks = find_peaks(drawn, 6)
    np.testing.assert_allclose(peaks.yx, picks.yx, atol=0.1)
    np.testing.assert_allclose(peaks.score, picks.score, atol=0.02)
    assert splatted(Picks.of([]), (5, 6), 13.5).max() == 0
