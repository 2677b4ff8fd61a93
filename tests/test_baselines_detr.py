"""DETR: its network, the loss of its cells by hand, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch
from methods import EXTRA, blobs, fitted, learns_above_chance

pytest.importorskip("transformers", reason=EXTRA)

from cryopick_napari.baselines.detecting import Detr
from cryopick_napari.baselines.detr import PUBLISHED, DetrSize, grid_loss, make_detr, with_places


def test_the_published_size_is_that_of_the_paper():
    with torch.device("meta"):
        network = make_detr(PUBLISHED)
    assert sum(weights.numel() for weights in network.parameters()) == pytest.approx(41.3e6, rel=0.01)


def test_nothing_of_it_is_frozen():
    network = make_detr(DetrSize())
    assert all(weights.requires_grad for weights in network.parameters())
    kinds = {type(layer).__name__ for layer in network.modules()}
    assert "BatchNorm2d" in kinds
    assert not any("Frozen" in kind for kind in kinds)
    answer = network(with_places(torch.zeros(2, 1, 48, 48), 1))
    assert answer.logits.shape == (2, 12, 2)
    assert answer.pred_boxes.shape == (2, 12, 4)


def test_queries_begin_apart():
    network = make_detr(DetrSize())
    assert network.model.query_position_embeddings.weight.detach().std() == pytest.approx(1, abs=0.1)


def test_crops_say_where_their_pixels_lie():
    crops = with_places(torch.full((1, 1, 4, 4), 7.0), magnified=2)
    assert crops.shape == (1, 3, 8, 8)
    assert crops[0, 0].unique().tolist() == [7]
    line = [-7 / 8, -5 / 8, -3 / 8, -1 / 8, 1 / 8, 3 / 8, 5 / 8, 7 / 8]
    assert crops[0, 1, :, 0].tolist() == line
    assert crops[0, 2, 0].tolist() == line


def test_cells_are_asked_for_particles_and_their_place():
    answer = torch.zeros(1, 3, 2, 2)  # one half everywhere: found or not, and in the middle of the crop
    box = torch.tensor([[0.75, 0.25, 0.1, 0.1]])  # column 0.75, row 0.25: the upper right cell
    found = (3 * math.log(2) + 5 * math.log(2)) / 4
    assert float(grid_loss(answer, [box])) == pytest.approx(found + 5 * (0.25 + 0.25))
    nothing = grid_loss(answer, [torch.zeros(0, 4)])
    assert float(nothing) == pytest.approx(math.log(2))
    right = answer.clone()
    right[0, 0] = -20
    right[0, :, 0, 1] = torch.tensor([20.0, math.log(3), -math.log(3)])  # sigmoid 0.75 and 0.25
    assert float(grid_loss(right, [box])) == pytest.approx(0, abs=1e-5)


def test_it_learns_to_pick():
    # Drawn blobs: for the samples' faint particles it needs ten times as many steps.
    learned = fitted(Detr, blobs(1), steps=300)
    learns_above_chance(learned, blobs(2))
