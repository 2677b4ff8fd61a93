from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import gaussians, noise

from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.examples import new_picker
from cryopick_napari.fields import correlation, hold_out_all, prepare
from cryopick_napari.first_look import first_look
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import best_threshold, score
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.neighbours import FARTHEST, RING, logit_of, pair_correlation, weighed
from cryopick_napari.peaks import find_peaks
from cryopick_napari.picker import Picker, find_picks
from cryopick_napari.picks import Picks
from cryopick_napari.training import completed, train
from cryopick_napari.validation import Answer, validate

SIDE, DIAMETER = 240, 12.0
AT_CONTACT = round(1 / RING) - 1, round(1 / RING)  # the rings on both sides of one diameter


def touching(seed: int, count: int = 150) -> np.ndarray:
    """Place discs that mostly touch one that is there already; none overlap."""
    rng = np.random.default_rng(seed)
    placed = [rng.uniform(DIAMETER, SIDE - DIAMETER, 2)]
    while len(placed) < count:
        angle = rng.uniform(0, 2 * np.pi)
        beside = placed[rng.integers(len(placed))] + 1.03 * DIAMETER * np.array(
            [np.sin(angle), np.cos(angle)]
        )
        tried = beside if rng.random() < 0.8 else rng.uniform(0, SIDE, 2)
        distance = np.hypot(*(np.array(placed) - tried).T)
        if (tried > DIAMETER).all() and (tried < SIDE - DIAMETER).all() and distance.min() > 0.99 * DIAMETER:
            placed.append(tried)
    return np.array(placed)


def scattered(seed: int, count: int = 150) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, SIDE, (count, 2))


def faint(seed: int, height: float = 1.4) -> tuple[np.ndarray, np.ndarray]:
    """Draw touching particles so faint that many are lost in the noise: a map of probabilities, and truth."""
    truth = touching(seed)
    seen = height * gaussians((SIDE, SIDE), truth, 2.5) + smooth_noise(seed)
    return (1 / (1 + np.exp(-2 * (seen - 1.2)))).astype(np.float32), truth


def smooth_noise(seed: int) -> np.ndarray:
    spectrum = np.fft.rfft2(noise((SIDE, SIDE), seed)) * np.fft.rfft2(
        np.roll(gaussians((SIDE, SIDE), [(SIDE / 2, SIDE / 2)], 2.0), (SIDE // 2, SIDE // 2), (0, 1))
    )
    rough = np.fft.irfft2(spectrum)
    return 0.5 * rough / rough.std()


def test_what_lies_by_chance_says_nothing():
    assert pair_correlation([(scattered(seed), DIAMETER) for seed in range(20)]) == ()


def test_what_touches_is_likelier_at_one_diameter_and_never_nearer():
    found = np.array(pair_correlation([(touching(seed), DIAMETER) for seed in range(3)]))
    assert len(found) == round(FARTHEST / RING)
    assert found[list(AT_CONTACT)].max() > 2
    assert found[:7].max() < 0.6
    assert found.argmax() in AT_CONTACT


def test_labels_need_not_be_complete():
    everything = [touching(seed) for seed in range(6)]
    whole = np.array(pair_correlation([(yx, DIAMETER) for yx in everything]))
    rng = np.random.default_rng(0)
    thinned = [(yx[rng.random(len(yx)) < 0.5], DIAMETER) for yx in everything]
    partly = [(yx[yx[:, 0] < SIDE / 2], DIAMETER) for yx in everything]
    for labels in (thinned, partly):
        found = np.array(pair_correlation(labels))
        assert found.argmax() in AT_CONTACT
        assert np.abs(found - whole)[5:].max() < 0.25 * whole.max()


def test_pixels_do_not_matter():
    yx = touching(0)
    assert pair_correlation([(yx, DIAMETER)]) == pair_correlation([(7.5 * yx, 7.5 * DIAMETER)])


@pytest.mark.parametrize("yx", [np.zeros((0, 2)), scattered(0, 1), scattered(0, 15), np.full((30, 2), 5.0)])
def test_few_pairs_say_nothing(yx):
    assert pair_correlation([(yx, DIAMETER)]) == ()


def test_of_two_alike_the_one_at_the_right_distance_is_likelier():
    known = pair_correlation([(touching(seed), DIAMETER) for seed in range(3)])
    # A sure one, one that touches it, one that does not, and one that overlaps it.
    places = Picks.of([(50, 50), (50, 62), (90, 90), (50, 58.5)], [0.95, 0.4, 0.4, 0.4])
    found = weighed(places, DIAMETER, known, 2)
    assert found[1] > found[2] > found[3]
    assert found.argmax() == 0


def test_what_is_seen_counts_however_little_it_differs():
    known = pair_correlation([(touching(0), DIAMETER)])
    seen, _ = faint(0)
    plain = PickerConfig(diameter=DIAMETER, threshold=0.5)
    knowing = replace(plain, pair_correlation=known)
    flat = 1 / (1 + np.exp(-0.01 * logit_of(seen)))  # as of a network that has hardly learned
    wanted, found = (find_picks(one.astype(np.float32), DIAMETER, knowing).above(0.5) for one in (seen, flat))
    assert score(found, wanted, 1.0).f1 > 0.8


def test_alone_in_the_field_nothing_changes():
    known = pair_correlation([(touching(0), DIAMETER)])
    places = Picks.of([(20, 20), (120, 120), (220, 20)], [0.9, 0.5, 0.1])
    found = weighed(places, DIAMETER, known, 1)
    assert found == pytest.approx(logit_of(places.score), abs=1e-9)


@pytest.mark.parametrize("count", [0, 3])
def test_without_a_choice_nothing_changes(count):
    known = pair_correlation([(touching(0), DIAMETER)])
    places = Picks.of([(20, 20), (20, 32), (220, 20)], [0.9, 0.5, 0.2])
    assert np.array_equal(weighed(places, DIAMETER, known, count), logit_of(places.score))
    assert len(weighed(Picks.of([]), DIAMETER, known, count)) == 0


def test_faint_particles_that_touch_are_told_better():
    known = pair_correlation([(touching(seed), DIAMETER) for seed in range(10, 13)])
    plain = PickerConfig(diameter=DIAMETER, threshold=0.5)
    knowing = replace(plain, pair_correlation=known)
    f1 = []
    for config in (plain, knowing):
        fields = [faint(seed) for seed in range(4)]
        found = [(find_picks(seen, DIAMETER, config), Picks.of(truth)) for seen, truth in fields]
        f1.append(best_threshold(found, DIAMETER / 4)[1].f1)
    assert 0.4 < f1[0] < 0.9
    assert f1[1] > f1[0] + 0.02


def test_as_many_are_picked_as_before():
    known = pair_correlation([(touching(1), DIAMETER)])
    seen, truth = faint(0)
    plain = PickerConfig(diameter=DIAMETER, threshold=0.4)
    before = find_picks(seen, DIAMETER, plain)
    after = find_picks(seen, DIAMETER, replace(plain, pair_correlation=known))
    assert len(after.above(0.4)) == len(before.above(0.4))
    assert np.array_equal(before.yx, find_peaks(seen, DIAMETER / 2, 0.02).yx)
    assert not np.array_equal(before.yx, after.yx)
    assert (np.diff(after.score) <= 0).all()
    nearest = np.hypot(*(after.yx[:, None] - after.yx[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(after))
    assert nearest.min() >= 0.499 * DIAMETER
    assert score(after.above(0.4), Picks.of(truth), DIAMETER / 2).recall > 0.3


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_any_threshold_will_do(threshold):
    known = pair_correlation([(touching(1), DIAMETER)])
    config = PickerConfig(diameter=DIAMETER, threshold=threshold, pair_correlation=known)
    for seen in (faint(0)[0], np.zeros((40, 40), np.float32)):
        found = find_picks(seen, DIAMETER, config)
        assert np.isfinite(found.score).all()
        assert ((found.score >= 0) & (found.score <= 1)).all()


def labelled(height: float) -> Example:
    yx = touching(0)
    image = height * gaussians((SIDE, SIDE), yx, 3.0) + noise((SIDE, SIDE))
    return Example(Micrograph(image.astype(np.float32)), Labels(Picks.of(yx)))


def test_only_faint_particles_need_their_neighbours():
    config = PickerConfig(diameter=DIAMETER, network_diameter=DIAMETER)
    known = [correlation([prepare(labelled(height), config)]) for height in (-0.4, -3.0)]
    assert len(known[0]) == round(FARTHEST / RING)
    assert known[1] == ()
    assert first_look([labelled(-0.4)], config).config.pair_correlation == known[0]


def test_a_model_keeps_what_it_knows_of_neighbours(tmp_path):
    config = PickerConfig(diameter=9, depth=1, pair_correlation=(0.1, 2.5, 1.0))
    Picker.new(config).save(tmp_path / "model.safetensors")
    assert Picker.load(tmp_path / "model.safetensors").config == config


@pytest.mark.parametrize("wrong", [(-1.0,), (float("nan"),), (1e9,)])
def test_a_correlation_that_cannot_be_is_refused(wrong):
    with pytest.raises(CryopickError, match="pair correlation"):
        PickerConfig(pair_correlation=wrong)


def test_training_learns_how_particles_lie_unless_told_not_to():
    example = labelled(-0.4)
    for neighbours in (True, False):
        config = TrainingConfig(initial_epochs=1, epoch_crops=8, patch_size=64, neighbours=neighbours, seed=0)
        picker = completed(train(new_picker([example], radius=DIAMETER / 2, seed=0), [example], config))
        assert bool(picker.config.pair_correlation) == neighbours


@pytest.mark.parametrize("is_experienced", [True, False])
def test_the_better_order_takes_fewer_picks(is_experienced):
    plain = PickerConfig(diameter=DIAMETER, network_diameter=DIAMETER)
    knowing = replace(plain, pair_correlation=pair_correlation([(touching(1), DIAMETER)]))
    seen, truth = faint(0)
    few = Example(labelled(-0.4).micrograph, Labels(Picks.of(truth[:40])))
    answers = [Answer(hold_out_all(prepare(few, plain)), seen)]
    before, after = (validate(answers, one, 0.5, is_experienced=is_experienced) for one in (plain, knowing))
    assert len(truth) / 2 < after.picks < before.picks
    assert after.threshold > before.threshold
