from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawing import blob_detector, drawn_micrograph, gaussians

from cryopick_napari.choosing import blended, calibrated, clearly_better, network_alone, settled
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.fields import Field, prepare
from cryopick_napari.first_look import look_of
from cryopick_napari.labels import Example, Labels
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.validation import Answer

CONFIG = PickerConfig(diameter=9, network_diameter=9, base_features=2, depth=2, gate="none", averaging=False)
TRAINING = TrainingConfig()
GRID = np.float32([(row, column) for row in range(20, 240, 30) for column in range(20, 240, 30)])
SHAPE = 256, 250


def field(held: int = 4, whole: bool = False, seed: int = 0) -> Field:
    """Ten clicks of 64 particles, of which some are held out; or all of them, and the upper half held out."""
    micrograph = drawn_micrograph(GRID, SHAPE, seed=seed)
    if whole:
        known = prepare(Example(micrograph, Labels.of_whole_field(Picks.of(GRID), SHAPE)), CONFIG)
        ground = np.zeros(SHAPE, bool)
        ground[:130] = True
        return replace(known, held=ground)
    clicks = prepare(Example(micrograph, Labels(Picks.of(GRID[:10]))), CONFIG)
    return replace(clicks, held=gaussians(SHAPE, GRID[:held], 2) > 0.1)


def answers(*particles: float, others: float = 0.3, whole: bool = False) -> list[Answer]:
    """Particles that score so much in turn, among as many other places."""
    heights = np.resize(particles, len(GRID))
    image = np.max(
        [h * gaussians(SHAPE, place[None], 2) for h, place in zip(heights, GRID, strict=True)], axis=0
    )
    elsewhere = others * gaussians(SHAPE, GRID[:-8] + 15, 2)
    return [Answer(field(whole=whole), np.maximum(image, elsewhere).astype(np.float32))]


def test_held_out_clicks_that_lie_nearer_the_top_are_better():
    good, bad = answers(0.9), answers(0.2)
    assert clearly_better(good, bad, 0.5)
    assert not clearly_better(bad, good, 0.5)
    assert not clearly_better(good, good, 0.5)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_clicks_decide_nothing(count):
    good, bad = answers(0.9), answers(0.2)
    few = replace(good[0].field, held=gaussians(SHAPE, GRID[:count], 2) > 0.1)
    assert not clearly_better([replace(good[0], field=few)], [replace(bad[0], field=few)], 0.5)


def test_on_fully_labelled_ground_f1_decides():
    good, bad = answers(0.9, whole=True), answers(0.9, 0.02, whole=True)
    assert clearly_better(good, bad, 0.5)
    assert not clearly_better(bad, good, 0.5)


def trained(network: Picker, known: Field) -> Picker:
    return calibrated(network, [known], TRAINING)


@pytest.mark.parametrize("whole", [False, True])
def test_an_untrained_network_gives_way_to_the_first_look(whole):
    known = field(whole=whole)
    chosen, said = settled(trained(Picker.new(CONFIG), known), [known], TRAINING)
    assert chosen.config.depth == 0
    assert "the first look" in said
    assert chosen.training["answer"] == "first look"
    assert len(chosen.pick(drawn_micrograph(GRID, SHAPE, seed=5))) == pytest.approx(len(GRID), abs=3)


def test_a_network_as_good_as_the_first_look_is_joined_by_it():
    known = field()
    chosen, said = settled(trained(blob_detector(CONFIG), known), [known], TRAINING)
    assert not said
    assert chosen.config.blend
    assert chosen.training["answer"] == "network and first look"
    assert {"network", "first_look", "validation"} <= set(chosen.training)
    assert len(chosen.pick(drawn_micrograph(GRID, SHAPE, seed=5))) == pytest.approx(len(GRID), abs=3)


def test_too_few_clicks_for_a_first_look_leave_the_network():
    known = field()
    two = replace(known, positives=known.positives[:2], held=np.zeros(SHAPE, bool))
    network = trained(Picker.new(CONFIG), two)
    chosen, said = settled(network, [two], TRAINING)
    assert (chosen, said) == (network, "")


def test_both_together_weigh_the_same_and_cut_where_either_does():
    known = field()
    network, look = trained(blob_detector(CONFIG), known), look_of([known], CONFIG)
    both = blended(network, look, [known])
    image = known.scaled.image[None, None]
    with torch.inference_mode():
        one, other, total = (picker.network(image) for picker in (network, look, both))
    at = torch.logit(torch.tensor(network.config.threshold))
    expected = 0.5 * (one - at) + 0.5 * one.std() / other.std() * other
    torch.testing.assert_close(total, expected, atol=1e-3, rtol=1e-3)


def test_the_network_can_be_taken_out_again_to_train_on():
    known = field()
    network = trained(blob_detector(CONFIG), known)
    both = blended(network, look_of([known], CONFIG), [known])
    alone = network_alone(both)
    assert not alone.config.blend
    assert network_alone(network) is network
    for name, value in network.network.state_dict().items():
        torch.testing.assert_close(alone.network.state_dict()[name], value)


def test_both_together_are_kept_in_a_file(tmp_path):
    known = field()
    both = blended(trained(blob_detector(CONFIG), known), look_of([known], CONFIG), [known])
    both.save(tmp_path / "both.safetensors")
    again = Picker.load(tmp_path / "both.safetensors")
    micrograph = drawn_micrograph(GRID, SHAPE, seed=2)
    np.testing.assert_array_equal(again.pick(micrograph).yx, both.pick(micrograph).yx)
