from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawing import blob_detector, drawn_micrograph, gaussians, near, noise

from cryopick_napari import choosing
from cryopick_napari.choosing import (
    as_many,
    at_one_scale,
    blended,
    calibrated,
    clearly_lower,
    network_alone,
    pick_count,
    settled,
    verdict,
)
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.fields import Field, prepare
from cryopick_napari.first_look import look_of
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.validation import answers_of

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


def ranks(*values: float) -> np.ndarray:
    return np.array(values, float)


def test_clicks_that_lie_nearer_the_top_are_better():
    rng = np.random.default_rng(0)
    good, bad = rng.uniform(0, 100, 6), rng.uniform(0, 600, 20)
    assert clearly_lower(good, bad)
    assert not clearly_lower(bad, good)
    assert not clearly_lower(good, good)


def test_equally_good_models_are_rarely_told_apart():
    rng = np.random.default_rng(0)
    wrong = [clearly_lower(rng.uniform(0, 100, 5), rng.uniform(0, 100, 25)) for _ in range(200)]
    assert np.mean(wrong) <= 0.2


def test_ranks_that_agree_by_chance_prove_nothing():
    assert not clearly_lower(ranks(20, 20, 20), ranks(30, 30, 30))


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_clicks_decide_nothing(count):
    assert not clearly_lower(np.zeros(count), ranks(900, 800, 700))


def trained(network: Picker, known: Field) -> Picker:
    return calibrated(network, [known], TRAINING)


@pytest.mark.parametrize("whole", [False, True])
def test_an_untrained_network_gives_way_to_the_first_look(whole):
    known = field(whole=whole)
    chosen = settled(trained(Picker.new(CONFIG), known), [known], TRAINING)
    assert chosen.config.depth == 0
    assert "first look" in verdict(chosen.training)
    assert chosen.training["answer"] == "first look"
    assert len(chosen.pick(drawn_micrograph(GRID, SHAPE, seed=5))) == pytest.approx(len(GRID), abs=3)


def test_a_network_as_good_as_the_first_look_is_joined_by_it():
    known = field()
    chosen = settled(trained(blob_detector(CONFIG), known), [known], TRAINING)
    assert not verdict(chosen.training)
    assert chosen.config.blend
    assert chosen.training["answer"] == "network and first look"
    assert {"network", "first_look", "validation"} <= set(chosen.training)
    assert len(chosen.pick(drawn_micrograph(GRID, SHAPE, seed=5))) == pytest.approx(len(GRID), abs=3)


def test_too_few_clicks_for_a_first_look_leave_the_network():
    known = field()
    two = replace(known, positives=known.positives[:2], held=np.zeros(SHAPE, bool))
    network = trained(Picker.new(CONFIG), two)
    chosen = settled(network, [two], TRAINING)
    assert chosen is network


def test_both_together_weigh_the_same_and_cut_where_either_does():
    known = field()
    network, look = trained(blob_detector(CONFIG), known), look_of([known], CONFIG).picker
    both = blended(network, [known], look, [known])
    image = known.scaled.image[None, None]
    with torch.inference_mode():
        one, other, total = (picker.network(image) for picker in (network, look, both))
    at = torch.logit(torch.tensor(network.config.threshold))
    expected = 0.5 * (one - at) + 0.5 * one.std() / other.std() * other
    torch.testing.assert_close(total, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_a_picker_can_be_made_to_pick_as_many_as_the_look(share):
    known = field()
    network = trained(blob_detector(CONFIG), known)
    look = look_of([known], CONFIG).picker
    scores = np.sort(answers_of(look, [known])[0].picks(CONFIG.min_distance).score)[::-1]
    # Between two scores that are apart: computed once more, they may differ in the last digit.
    steps = 1 + np.flatnonzero(scores[:-1] - scores[1:] > 1e-5)
    wanted = int(steps[np.abs(steps - share * len(scores)).argmin()])
    look = look.configured(threshold=float(scores[wanted - 1 : wanted + 1].mean()))
    found = answers_of(network, [known])[0].picks(CONFIG.min_distance).score
    cut = as_many(network, [known], [pick_count(look, [known])])
    # In half precision, which some processors have, several may have the very score of the last one.
    assert (found > cut).sum() <= min(wanted, len(found)) <= (found >= cut).sum()
    assert (found == np.float32(cut)).sum() < 0.05 * len(found)


def test_a_look_that_picks_nothing_says_nothing_of_how_many_there_are():
    known = field()
    network = trained(blob_detector(CONFIG), known)
    look = look_of([known], CONFIG).picker.configured(threshold=1.0)
    assert as_many(network, [known], [pick_count(look, [known])]) == network.config.threshold


def test_an_experienced_network_picks_as_many_as_the_look():
    known = field(held=2)  # too few to tell which is better
    network = replace(trained(blob_detector(CONFIG), known), is_experienced=True)
    chosen = settled(network, [known], TRAINING)
    assert chosen.training["answer"] == "network and first look"
    look = look_of([replace(known, held=np.zeros_like(known.held))], CONFIG).picker
    first = calibrated(look, [known], TRAINING, guess=look.config.threshold)
    counts = [
        int((answers_of(one, [known])[0].picks(CONFIG.min_distance).score >= one.config.threshold).sum())
        for one in (chosen, first)
    ]
    assert counts[0] == counts[1] == chosen.training["validation"]["picks"]


def test_the_network_can_be_taken_out_again_to_train_on():
    known = field()
    network = trained(blob_detector(CONFIG), known)
    both = blended(network, [known], look_of([known], CONFIG).picker, [known])
    alone = network_alone(both)
    assert not alone.config.blend
    assert network_alone(network) is network
    for name, value in network.network.state_dict().items():
        torch.testing.assert_close(alone.network.state_dict()[name], value)


def test_both_together_are_kept_in_a_file(tmp_path):
    known = field()
    look = look_of([known], CONFIG).picker
    both = blended(trained(blob_detector(CONFIG), known), [known], look, [known])
    both.save(tmp_path / "both.safetensors")
    again = Picker.load(tmp_path / "both.safetensors")
    micrograph = drawn_micrograph(GRID, SHAPE, seed=2)
    np.testing.assert_array_equal(again.pick(micrograph).yx, both.pick(micrograph).yx)


# Particles of 18 px, which a network built for 9 px sees at half the size, and a first look at their own.
LARGE = replace(CONFIG, diameter=18.0, contamination_mask=False)
FAR = GRID[::3] * 2 + 3


def large_field(shape: tuple[int, int], held: int = 2, clicks: int = 12) -> tuple[Field, Micrograph]:
    image = -4 * gaussians(shape, FAR, 4.4) + 0.5 * noise(shape, 0)
    micrograph = Micrograph(image)
    known = prepare(Example(micrograph, Labels(Picks.of(FAR[:clicks]))), LARGE)
    small = known.scaled.image.shape
    return replace(known, held=gaussians(small, known.positives[:held], 4) > 0.1), micrograph


def joined(network: Picker, known: Field) -> Picker:
    """Both together, as where neither is clearly better."""
    closer, scale = choosing._closer(network, [known])
    first, _ = choosing._first_look(closer, replace(network.config, network_diameter=scale), TRAINING)
    both = calibrated(blended(network, [known], first, closer), closer, TRAINING)
    record = {**both.training, "network": network.training["validation"], "answer": "network and first look"}
    return replace(both, training=record)


def surest(picker: Picker, micrograph: Micrograph) -> np.ndarray:
    """The best picks, as many as there are particles."""
    return picker.pick(micrograph, 0.0).yx[: len(FAR)]


@pytest.mark.parametrize("shape", [(512, 500), (499, 517)])
def test_an_experienced_network_is_joined_by_a_look_that_sees_more_finely(shape, tmp_path):
    known, micrograph = large_field(shape)
    network = replace(calibrated(blob_detector(LARGE), [known], TRAINING), is_experienced=True)
    chosen = joined(network, known)
    assert chosen.config.network_diameter == 9
    assert chosen.config.look_diameter == pytest.approx(18, rel=0.05)
    assert chosen.is_experienced
    assert chosen.scale(micrograph).image.shape == pytest.approx(shape, abs=10)
    assert near(surest(chosen, micrograph), FAR) < 1.0
    chosen.save(tmp_path / "both.safetensors")
    again = Picker.load(tmp_path / "both.safetensors")
    np.testing.assert_array_equal(again.pick(micrograph).yx, chosen.pick(micrograph).yx)
    alone = network_alone(chosen)
    assert alone.config.seen_diameter == 9
    np.testing.assert_allclose(alone.pick(micrograph, 0.5).yx, network.pick(micrograph, 0.5).yx)


def test_the_network_in_it_answers_as_it_does_alone():
    known, micrograph = large_field((512, 500))
    network = replace(calibrated(blob_detector(LARGE), [known], TRAINING), is_experienced=True)
    both = joined(network, known)
    with torch.inference_mode():
        both.network.weights.copy_(torch.tensor([1.0, 0.0, 0.0]))
    assert near(surest(both, micrograph), FAR) < 1.0
    scores = [one.pick(micrograph, 0.0).score[: len(FAR)] for one in (both, network)]
    np.testing.assert_allclose(*map(np.sort, scores), atol=0.05)


def test_a_network_that_is_worse_gives_way_to_a_look_that_sees_more_finely():
    known, micrograph = large_field((512, 500), held=8)
    network = replace(calibrated(Picker.new(LARGE), [known], TRAINING), is_experienced=True)
    chosen = settled(network, [known], TRAINING)
    assert chosen.training["answer"] == "first look"
    assert chosen.config.network_diameter == pytest.approx(18, rel=0.05)
    assert near(surest(chosen, micrograph), FAR) < 1.0
    one = at_one_scale(chosen, [known], LARGE, TRAINING)
    assert one.config.seen_diameter == 9
    assert not one.config.depth


def test_for_more_training_a_picker_sees_as_its_network_does():
    known, micrograph = large_field((512, 500))
    network = replace(calibrated(blob_detector(LARGE), [known], TRAINING), is_experienced=True)
    chosen = joined(network, known)
    one = at_one_scale(chosen, [known], LARGE, TRAINING)
    assert one.config.blend
    assert one.config.seen_diameter == 9
    assert one.probability(known.scaled).shape == known.held.shape
    assert near(surest(one, micrograph), FAR) < 2.0
    assert at_one_scale(one, [known], LARGE, TRAINING) is one


def test_a_network_without_experience_keeps_the_first_look_at_its_scale():
    known, _ = large_field((512, 500))
    chosen = settled(calibrated(blob_detector(LARGE), [known], TRAINING), [known], TRAINING)
    assert chosen.config.seen_diameter == 9


@pytest.mark.parametrize("times", [1.0, 1.5, 2.0])
def test_both_find_the_same_in_micrographs_of_coarser_pixels(times):
    known, _ = large_field((512, 500))
    spaced = replace(LARGE, spacing=1.0)
    network = replace(calibrated(blob_detector(spaced), [known], TRAINING), is_experienced=True)
    both = joined(network, known)
    assert both.config.look_diameter
    shape = round(512 / times), round(500 / times)
    image = -4 * gaussians(shape, FAR / times, 4.4 / times) + 0.5 * noise(shape, 7)
    assert near(surest(both, Micrograph(image, times)), FAR / times) < 1.0


def test_a_whole_field_of_which_nothing_is_held_out_says_nothing_of_precision():
    micrograph = drawn_micrograph([(40, 40)], (96, 90), seed=3)
    one = prepare(Example(micrograph, Labels.of_whole_field(Picks.of([(40, 40)]), (96, 90))), CONFIG)
    chosen = settled(trained(Picker.new(CONFIG), field()), [one, field()], TRAINING)
    assert chosen.training["answer"] == "first look"


def test_the_teacher_of_a_round_picks_as_both_do():
    """At one scale or at two, the sum is cut where the network and the first look are."""
    known, _ = large_field((512, 500))
    network = replace(calibrated(blob_detector(LARGE), [known], TRAINING), is_experienced=True)
    chosen = joined(network, known)
    one = at_one_scale(chosen, [known], LARGE, TRAINING)
    look = look_of([replace(known, held=np.zeros_like(known.held))], LARGE).picker
    first = calibrated(look, [known], TRAINING, guess=look.config.threshold)
    image = known.scaled.image[None, None]
    with torch.inference_mode():
        parts = [picker.network(image) for picker in (network, first)]
        total = one.network(image)
    at = torch.logit(torch.tensor(network.config.threshold), eps=1e-6)
    expected = 0.5 * (parts[0] - at) + 0.5 * parts[0].std() / parts[1].std() * parts[1]
    torch.testing.assert_close(total, expected, atol=0.05, rtol=0.05)


def test_of_too_few_clicks_to_hold_out_an_experienced_network_is_asked_about_all():
    """Particles of two dots side by side, which no round average can be like."""
    places = np.float32([(row, column) for row in range(24, 240, 24) for column in range(24, 236, 24)])
    aside = np.float32([5, 0])
    dots = np.concatenate([places - aside, places + aside])
    rng = np.random.default_rng(0)
    decoys = places[rng.permutation(len(places))[:40]] + 12
    image = -4 * gaussians(SHAPE, dots, 1.6) - 6 * gaussians(SHAPE, decoys, 3.2) + 0.3 * noise(SHAPE, 0)
    known = prepare(Example(Micrograph(image), Labels(Picks.of(places[:12]))), CONFIG)
    known = replace(known, held=gaussians(SHAPE, places[:2], 3) > 0.1)
    network = blob_detector(CONFIG)
    sees = network.network.forward

    def forward(picture: torch.Tensor) -> torch.Tensor:
        """Answer where two dots lie."""
        both = torch.minimum(picture.roll(5, 2), picture.roll(-5, 2)).roll(0, 2)
        return 4 * torch.nn.functional.avg_pool2d(both, 3, 1, 1) - 4 + 0 * sees(picture)

    network.network.forward = forward
    answers = []
    for is_experienced in (True, False):
        one = replace(calibrated(network, [known], TRAINING), is_experienced=is_experienced)
        answers.append(settled(one, [known], TRAINING).training["answer"])
    assert answers == ["network", "network and first look"]
