from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from drawing import drawn_micrograph, gaussians, near, noise
from test_training import PICKER, SHORT, clicks, drawn_field, run, weights, whole_field

from cryopick_napari.checkpoint import Checkpoint
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import score
from cryopick_napari.micrograph import Micrograph, write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.selftraining import self_train
from cryopick_napari.training import completed, train

LEARNING = replace(
    SHORT, initial_epochs=5, epoch_crops=40, batch_size=8, patch_size=40, learning_rate=1e-2, retrain_epochs=3
)
ROUNDS = replace(LEARNING, self_training_iterations=2)
WILD = replace(ROUNDS, learning_rate=1.0, retrain_epochs=1)
SURE = {"positive_threshold": 0.5, "negative_threshold": 0.3}


class Shelf(Sequence[Micrograph]):
    """Micrographs that are made when they are asked for, and watched."""

    def __init__(self, count: int) -> None:
        self.given: list[weakref.ref[Micrograph]] = []
        self.alive: list[int] = []
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Micrograph:
        gc.collect()
        self.alive.append(sum(reference() is not None for reference in self.given))
        micrograph, _ = drawn_field(20 + number)
        self.given.append(weakref.ref(micrograph))
        return micrograph


@pytest.fixture(scope="module")
def trained() -> Picker:
    return completed(train(Picker.new(replace(PICKER, base_features=4)), [clicks(8)], LEARNING))


def messages(steps):
    return [step.message for step in steps if step.message]


def loss(picker):
    return picker.training["validation"]["loss"]


def test_confident_picks_teach_what_a_few_clicks_do_not():
    config = replace(ROUNDS, initial_epochs=3, positive_threshold=0.8, negative_threshold=0.2, seed=3)
    unlabelled = [drawn_field(seed)[0] for seed in (3, 4)]
    start = Picker.new(replace(PICKER, base_features=4), 3)
    steps, picker = run(self_train(start, [clicks(16)], unlabelled, config))
    alone = [step.validation.loss for step in steps if step.validation and not step.round]
    assert messages(steps)[0].startswith("round 1 kept: validation loss ")
    assert picker.training["rounds_kept"] >= 1
    assert loss(picker) < 0.8 * min(alone)
    micrograph, truth = drawn_field(7)
    assert score(picker.pick(micrograph), truth, 0.25 * 9).f1 > 0.9


def test_a_round_that_makes_things_worse_is_rejected(trained):
    steps, picker = run(self_train(trained, [clicks(8)], [drawn_field(3)[0]], WILD))
    (said,) = messages(steps)  # the second would learn from the same picks
    assert said.startswith("round 1 rejected: validation loss ")
    before, after = (float(word.strip(",")) for word in (said.split()[5], said.split()[7]))
    assert before == pytest.approx(loss(picker), abs=1e-4)
    assert after > before
    assert torch.equal(weights(picker), weights(trained))
    assert picker.training["rounds_kept"] == 0
    assert picker.config == trained.config


def test_only_held_out_labels_judge(trained):
    """What is unlabelled, however much, does not change the figure before the first round."""
    firsts = []
    for count in (1, 3):
        job = self_train(trained, [clicks(8)], [drawn_field(seed)[0] for seed in range(3, 3 + count)], WILD)
        firsts.append(messages(run(job)[0])[0].split()[5])
    assert firsts[0] == firsts[1] == f"{loss(trained):.4f}"


@pytest.mark.parametrize("wild", [False, True])
def test_enough_in_a_round_gives_back_the_best(trained, wild):
    wildly = replace(WILD, learning_rate=50.0)  # even at the first step, of a slow beginning
    config = replace(wildly if wild else ROUNDS, retrain_epochs=4)
    job = self_train(trained, [clicks(8)], [drawn_field(3)[0]], config)
    step = next(step for step in job if step.phase == "self-training" and step.loss == step.loss)
    assert step.round == 1
    seen = [job.send(True)]
    rest, picker = run(job)
    assert sum(each.picker is not None for each in [*seen, *rest]) <= 1
    (said,) = messages(rest)
    assert loss(picker) <= loss(trained)
    assert torch.equal(weights(picker), weights(trained)) == ("rejected" in said)
    if wild:
        assert "rejected" in said


@pytest.mark.parametrize("at", [0, 1, 3])
def test_enough_before_the_first_round_gives_back_the_best(at):
    job = self_train(
        Picker.new(PICKER), [clicks()], [drawn_field(3)[0]], replace(SHORT, self_training_iterations=2)
    )
    for _ in range(at + 1):
        next(job)
    job.send(True)
    rest, picker = run(job)
    assert not any(step.round for step in rest)
    assert 0 <= picker.config.threshold <= 1


def test_unlabelled_micrographs_are_read_one_at_a_time():
    shelf = Shelf(4)
    job = self_train(
        Picker.new(PICKER), [clicks()], shelf, replace(SHORT, **SURE, self_training_iterations=1)
    )
    steps, _ = run(job)
    assert shelf.alive == [0, 0, 0, 0]
    assert [step.step for step in steps if step.phase == "preparing"] == [0, 1, 2, 3, 4]


def test_progress_counts_on_through_the_rounds():
    config = replace(SHORT, **SURE, self_training_iterations=2, retrain_epochs=2)
    steps, _ = run(self_train(Picker.new(PICKER), [clicks()], [drawn_field(3)[0]], config))
    steps = [step for step in steps if step.phase != "preparing"]
    ends = [step for step in steps if step.validation]
    rounds = len(messages(steps))
    assert [step.epoch for step in ends] == list(range(1, 4 + 2 * rounds))
    assert [step.round for step in ends] == [0, 0, 0, *([1, 1, 2, 2][: 2 * rounds])]
    assert all(step.step <= later.step for step, later in pairwise(steps))
    assert all(step.phase == ("self-training" if step.round else "training") for step in ends)
    assert {(step.steps, step.epochs) for step in ends if step.round} == {(6 + 8, 3 + 4)}
    assert all(step.rounds == 2 for step in steps if step.round)
    assert [step.checkpoint is None for step in ends] == [False] * 3 + [True] * 2 * rounds


def test_interrupted_in_a_round_the_rounds_begin_anew():
    config = replace(SHORT, **SURE, self_training_iterations=1, retrain_epochs=2)
    start, unlabelled = Picker.new(PICKER), [drawn_field(3)[0]]
    steps, whole = run(self_train(start, [clicks()], unlabelled, config))
    saved = [step.checkpoint for step in steps if step.checkpoint][-1]
    rest, resumed = run(self_train(start, [clicks()], unlabelled, config, resume=saved))
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.config == whole.config
    assert [step.epoch for step in rest if step.validation] == [4, 5]
    assert messages(rest) == messages(steps)


def test_a_checkpoint_older_than_self_training_is_resumed():
    steps, whole = run(train(Picker.new(PICKER), [clicks()], SHORT))
    saved = next(step.checkpoint for step in steps if step.checkpoint)
    new = {"self_training_iterations", "retrain_epochs", "positive_threshold", "negative_threshold"}
    old = {name: value for name, value in saved.header["config"].items() if name not in new}
    older = Checkpoint("training", {**saved.header, "config": old}, saved.tensors)
    assert torch.equal(
        weights(completed(train(Picker.new(PICKER), [clicks()], SHORT, resume=older))), weights(whole)
    )


def test_without_rounds_it_is_a_training():
    one = completed(train(Picker.new(PICKER), [clicks()], SHORT))
    other = completed(self_train(Picker.new(PICKER), [clicks()], [drawn_field(3)[0]], SHORT))
    assert torch.equal(weights(one), weights(other))
    assert one.training == other.training


def test_the_picker_it_starts_from_stays_as_it_was(trained):
    before = weights(trained).clone()
    completed(
        self_train(trained, [clicks(8)], [drawn_field(3)[0]], replace(ROUNDS, self_training_iterations=1))
    )
    assert torch.equal(weights(trained), before)


def test_labelled_files_are_not_unlabelled_and_damaged_ones_are_passed_over(tmp_path, trained):
    micrograph, truth = drawn_field(0)
    paths = [tmp_path / name for name in ("labelled.mrc", "other.mrc", "damaged.mrc")]
    write_mrc(paths[0], micrograph.image)
    write_mrc(paths[1], drawn_field(3)[0].image)
    paths[2].write_bytes(paths[1].read_bytes()[:2000])
    example = Example(replace(micrograph, path=paths[0]), Labels.of_whole_field(truth, micrograph.shape))
    once = replace(WILD, self_training_iterations=1)
    steps, _ = run(self_train(trained, [example], [*paths, str(paths[0])], once))
    said = messages(steps)
    assert len(said) == 2
    assert said[0].startswith("left out of self-training: ")
    assert "damaged.mrc" in said[0]
    with pytest.raises(CryopickError, match="micrographs without labels"):
        completed(self_train(trained, [example], [paths[0], paths[2]], ROUNDS))


def test_clicks_teach_on_their_own_field_too(trained):
    steps, _ = run(self_train(trained, [clicks(8)], (), replace(WILD, **SURE)))
    assert int(messages(steps)[0].split()[-4]) > 8


def test_what_cannot_be_is_said_before_training():
    config = replace(SHORT, self_training_iterations=1)
    with pytest.raises(CryopickError, match="at least two particles"):
        completed(self_train(Picker.new(PICKER), [clicks(1)], [drawn_field(3)[0]], config))
    with pytest.raises(CryopickError, match="micrographs without labels"):
        completed(self_train(Picker.new(PICKER), [whole_field()], [], config))


def test_no_confident_pick_ends_the_rounds(trained):
    empty = drawn_micrograph(np.zeros((0, 2)), (140, 130))
    sure = replace(ROUNDS, positive_threshold=1.0)
    steps, picker = run(self_train(trained, [whole_field()], [empty], sure))
    assert messages(steps) == ["round 1 left out: no pick scores 1 or more: lower --positive-threshold"]
    assert torch.equal(weights(picker), weights(trained))


def test_an_inverted_micrograph_teaches_as_the_other(trained):
    micrograph, _ = drawn_field(3)
    pickers = [
        completed(
            self_train(trained, [clicks(8)], [Micrograph(image)], replace(ROUNDS, self_training_iterations=1))
        )
        for image in (micrograph.image, -micrograph.image)
    ]
    assert torch.equal(weights(pickers[0]), weights(pickers[1]))


@pytest.mark.parametrize("experienced", [True, False])
def test_rounds_go_on_where_a_first_look_sees_more_finely(experienced):
    """The network sees particles of 18 px as 9, a first look as they are: a teacher is both."""
    places = np.mgrid[30:240:40, 30:240:40].reshape(2, -1).T
    micrographs = [
        Micrograph(-3 * gaussians((256, 250), places + shift, 4.4) + 0.5 * noise((256, 250), shift))
        for shift in (0, 7)
    ]
    start = replace(PICKER, diameter=18, base_features=4, contamination_mask=False)
    picker = replace(Picker.new(start, 3), is_experienced=experienced)
    config = replace(ROUNDS, **SURE, first_look=True, self_training_iterations=1)
    example = Example(micrographs[0], Labels(Picks.of(places[:12])))
    steps, picker = run(self_train(picker, [example], micrographs[1:], config))
    assert "picks as labels" in messages(steps)[0]
    fine = pytest.approx(18, rel=0.05)
    assert picker.config.seen_diameter == (fine if experienced else 9)
    found = picker.pick(micrographs[1], 0.0)
    assert near(found.yx[: len(places)], places + 7) < 2
