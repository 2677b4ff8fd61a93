from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawing import drawn_micrograph
from torch import Tensor

from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import hold_out, prepare
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import best_threshold, random_picks, score
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.network import PickingNetwork, UNet
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import fourier_resize
from cryopick_napari.training import Progress, completed, schedule, train, with_template

PICKER = PickerConfig(
    diameter=9, network_diameter=9, base_features=2, depth=2, filter_channel=True, averaging=False
)
SHORT = TrainingConfig(
    first_look=False,
    initial_epochs=3,
    epoch_crops=8,
    batch_size=4,
    patch_size=32,
    device="cpu",
    precision="float32",
    patience=0,
)


def drawn_field(seed: int, count: int = 30, **options: object) -> tuple[Micrograph, Picks]:
    truth = random_picks(count, (140, 130), 13, np.random.default_rng(seed))
    return drawn_micrograph(truth.yx, (140, 130), seed=seed, **options), truth


def whole_field(seed: int = 0) -> Example:
    micrograph, truth = drawn_field(seed)
    return Example(micrograph, Labels.of_whole_field(truth, micrograph.shape))


def clicks(count: int = 12) -> Example:
    micrograph, truth = drawn_field(0)
    return Example(micrograph, Labels(truth.where(np.arange(count))))


def weights(picker: Picker) -> Tensor:
    return torch.cat([value.flatten().double() for value in picker.network.state_dict().values()])


def run(job: Iterator[Progress]) -> tuple[list[Progress], Picker]:
    steps: list[Progress] = []
    while True:
        try:
            steps.append(next(job))
        except StopIteration as end:
            return steps, end.value


class SmallMemory(UNet):
    """A network for which more than two crops are too many."""

    def forward(self, image: Tensor) -> Tensor:
        if self.training and len(image) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(image)


@pytest.mark.parametrize("example", [whole_field(), clicks()], ids=["field", "clicks"])
def test_a_short_training_finds_the_particles_of_another_field(example):
    config = replace(SHORT, initial_epochs=5, epoch_crops=40, batch_size=8, patch_size=40, learning_rate=1e-2)
    picker = completed(train(Picker.new(replace(PICKER, base_features=4, averaging=True)), [example], config))
    micrograph, truth = drawn_field(7)
    _, best = best_threshold([(picker.pick(micrograph, threshold=0), truth)], 0.25 * 9)
    chosen = score(picker.pick(micrograph), truth, 0.25 * 9)
    assert best.f1 > 0.9
    assert chosen.f1 > (0.9 if example.labels.complete else 0.6)
    assert not picker.network.training
    inverted = picker.pick(Micrograph(-micrograph.image))
    assert np.array_equal(inverted.yx, picker.pick(micrograph).yx)


def test_progress_tells_what_a_bar_and_a_curve_need():
    steps, picker = run(train(Picker.new(PICKER), [whole_field()], SHORT))
    assert [step.phase for step in steps] == ["preparing", *["training"] * 9, "calibrating"]
    assert [step.step for step in steps[1:-1]] == [1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert all(step.steps == 6 and step.epochs == 3 for step in steps[1:])
    ends = [step for step in steps if step.picker and step.epoch]
    assert [step.epoch for step in ends] == [1, 2, 3]
    for end in ends:
        assert end.validation
        assert end.checkpoint
        assert end.picker.config.threshold == end.validation.threshold
        assert not end.picker.network.training
    assert ends[-1].loss == pytest.approx(np.mean([step.loss for step in steps[7:9]]))
    assert picker.training["validation"]["f1"] >= 0
    assert picker.training["seed"] == SHORT.seed


def test_a_first_look_comes_in_the_middle_of_the_first_epoch():
    steps, _ = run(train(Picker.new(PICKER), [whole_field()], replace(SHORT, epoch_crops=32)))
    (look,) = (step for step in steps if step.picker and not step.validation)
    assert (look.epoch, look.step) == (0, steps[-1].steps // look.epochs // 2)
    assert not look.picker.network.training


def test_the_seed_decides_everything():
    pickers = []
    for seed in (1, 1, 2):
        torch.randn(seed)  # chance elsewhere must not matter
        pickers.append(completed(train(Picker.new(PICKER), [clicks()], replace(SHORT, seed=seed))))
    assert torch.equal(weights(pickers[0]), weights(pickers[1]))
    assert pickers[0].config == pickers[1].config
    assert not torch.equal(weights(pickers[0]), weights(pickers[2]))


def test_the_picker_it_starts_from_stays_as_it_was():
    start = Picker.new(PICKER)
    before = weights(start).clone()
    done = completed(train(start, [whole_field()], SHORT))
    assert torch.equal(weights(start), before)
    assert not start.network.training
    assert not torch.equal(weights(done), before)


def test_a_shown_picker_is_not_touched_by_what_follows():
    job = train(Picker.new(PICKER), [whole_field()], SHORT)
    shown = next(step.picker for step in job if step.picker)
    before = weights(shown).clone()
    completed(job)
    assert torch.equal(weights(shown), before)


@pytest.mark.parametrize("at", [1, 3, 4])
def test_enough_gives_back_the_best_so_far(at):
    job = train(Picker.new(PICKER), [whole_field()], SHORT)
    seen = [next(job) for _ in range(at + 1)]
    seen.append(job.send(True))
    rest, picker = run(job)
    ends = [step for step in [*seen, *rest] if step.picker and step.epoch]
    assert ends[-1].epoch == -(-at // 3)
    best = max(ends, key=lambda step: step.validation.quality)
    assert torch.equal(weights(picker), weights(best.picker))


def test_the_best_is_returned_and_not_the_last():
    last_was_best = []
    for seed in range(4):
        wild = replace(SHORT, initial_epochs=5, learning_rate=1.0, seed=seed)
        steps, picker = run(train(Picker.new(PICKER), [whole_field()], wild))
        ends = [step for step in steps if step.picker and step.epoch]
        best = max(reversed(ends), key=lambda step: step.validation.quality)  # of equals the later
        assert torch.equal(weights(picker), weights(best.picker))
        last_was_best.append(best is ends[-1])
    assert not all(last_was_best)


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize("make", [whole_field, clicks])
def test_a_resumed_training_ends_as_an_uninterrupted_one(epoch, make):
    steps, whole = run(train(Picker.new(PICKER), [make()], SHORT))
    saved = next(step.checkpoint for step in steps if step.picker and step.epoch == epoch)
    rest, resumed = run(train(Picker.new(PICKER), [make()], SHORT, resume=saved))
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.config == whole.config
    assert sum(step.picker is not None for step in rest) == 3 - epoch


def test_a_checkpoint_of_another_training_is_refused():
    saved = next(step.checkpoint for step in train(Picker.new(PICKER), [clicks()], SHORT) if step.checkpoint)
    with pytest.raises(CryopickError, match="other settings"):
        completed(train(Picker.new(PICKER), [clicks()], replace(SHORT, seed=1), resume=saved))
    others = [
        {"base_features": 3},
        {"gate": "none"},
        {"spatial_attention": True},
        {"depth": 1},
        {"diameter": PICKER.diameter + 1},
    ]
    with pytest.raises(CryopickError, match="other labels"):
        completed(train(Picker.new(PICKER), [whole_field()], SHORT, resume=saved))
    known = clicks()
    otherwise = (
        replace(known.labels, negatives=Picks.of([(20, 20)])),
        replace(known.labels, excluded=(np.float32([(0, 0), (0, 30), (30, 30)]),)),
        Labels.of_whole_field(known.labels.positives, known.micrograph.shape),
    )
    for labels in otherwise:
        with pytest.raises(CryopickError, match="other labels"):
            completed(train(Picker.new(PICKER), [replace(known, labels=labels)], SHORT, resume=saved))
    for other in (replace(PICKER, **values) for values in others):
        with pytest.raises(CryopickError, match="another network"):
            completed(train(Picker.new(other), [clicks()], SHORT, resume=saved))


@pytest.mark.parametrize("gate", ["additive", "multihead"])
def test_a_training_with_every_option_resumes_as_an_uninterrupted_one(gate):
    start = Picker.new(replace(PICKER, gate=gate, heads=2, spatial_attention=True))
    options = {"loss": "focal-dice", "attention_supervision": 0.3, "gate_learning_rate": 1e-3}
    config = replace(SHORT, **options)
    steps, whole = run(train(start, [whole_field()], config))
    saved = next(step.checkpoint for step in steps if step.picker and step.epoch == 1)
    _, resumed = run(train(start, [whole_field()], config, resume=saved))
    assert torch.equal(weights(resumed), weights(whole))
    assert {name: whole.training[name] for name in options} == options


def test_a_plain_unet_with_supervised_attention_says_so():
    plain = Picker.new(replace(PICKER, gate="none"))
    with pytest.raises(CryopickError, match="no attention to supervise"):
        completed(train(plain, [whole_field()], replace(SHORT, attention_supervision=0.1)))


def test_no_progress_stops_early():
    stuck = replace(SHORT, initial_epochs=20, patience=2, learning_rate=1e-12, weight_decay=0.0)
    steps, _ = run(train(Picker.new(PICKER), [whole_field()], stuck))
    qualities = [step.validation.quality for step in steps if step.picker and step.epoch]
    best = int(len(qualities) - 1 - np.argmax(qualities[::-1]))
    assert len(qualities) < 20
    assert len(qualities) == best + 3


def test_out_of_memory_trains_on_with_fewer_crops_at_once():
    unet = SmallMemory(base_features=2, depth=2)
    start = Picker(replace(PICKER, gate="none", filter_channel=False), PickingNetwork(unet).eval())
    steps, _ = run(train(start, [whole_field()], SHORT))
    assert [step.message for step in steps if step.message] == [steps[1].message]
    assert "2 crops at a time" in steps[1].message
    assert len(steps) == 11


def test_a_diverging_training_says_so():
    wild = replace(SHORT, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(CryopickError, match="--learning-rate"):
        completed(train(Picker.new(PICKER), [whole_field()], wild))


@pytest.mark.parametrize("labels", ["none", "negative", "excluded", "dead"])
def test_nothing_to_learn_from_says_so(labels):
    micrograph, truth = drawn_field(0)
    image = micrograph.image + 50
    image[:40] = 0
    nothing = {
        "none": Labels(Picks.of([])),
        "negative": Labels(Picks.of([]), negatives=truth),
        "excluded": Labels(truth, excluded=Labels.of_whole_field(truth, micrograph.shape).complete),
        "dead": Labels(Picks.of([(10, 20), (12, 80)])),
    }[labels]
    with pytest.raises(CryopickError, match="at least one particle"):
        completed(train(Picker.new(PICKER), [Example(Micrograph(image), nothing)], SHORT))


def test_no_examples_say_so():
    with pytest.raises(CryopickError, match="at least one particle"):
        completed(train(Picker.new(PICKER), [], SHORT))


@pytest.mark.parametrize("count", [1, 2])
def test_a_click_or_two_are_enough_to_begin(count):
    steps, picker = run(train(Picker.new(PICKER), [clicks(count)], SHORT))
    assert len(steps) == 11
    assert 0 <= picker.config.threshold <= 1


def test_fields_of_their_own_validate():
    steps, picker = run(train(Picker.new(PICKER), [clicks()], SHORT, validation=[whole_field(3)]))
    found = [step.validation for step in steps if step.validation][-1]
    assert 0 <= found.f1 <= 1
    assert 0 <= picker.training["validation"]["auc"] <= 1


@pytest.mark.parametrize("network_diameter", [5.0, 6.25, 7.5, 9.0])
def test_the_template_fits_the_filter_at_every_scale(network_diameter):
    micrograph, truth = drawn_field(0)
    config = replace(PICKER, diameter=9.1, network_diameter=network_diameter)
    for height in range(100, 109):
        part = Micrograph(micrograph.image[:height, :101])
        field = prepare(Example(part, Labels(truth.within(part.shape))), config)
        network = with_template(Picker.new(config).network, [field], config)
        assert network.kernel.norm() == pytest.approx(1)
        assert network.with_filter(field.scaled.image[None, None])[0, 1].std() == pytest.approx(1, abs=1e-3)


def test_micrographs_of_several_pixel_sizes_train_together():
    micrograph, truth = drawn_field(0, spacing=2.0)
    fine = fourier_resize(torch.from_numpy(micrograph.image), (280, 260)).numpy()
    coarse = fourier_resize(torch.from_numpy(micrograph.image), (100, 93)).numpy()
    examples = [
        Example(micrograph, Labels(truth)),
        Example(Micrograph(fine, 1.0), Labels(Picks.of(2 * truth.yx))),
        Example(Micrograph(coarse, 2.8), Labels(Picks.of(truth.yx / 1.4))),
    ]
    for order in (examples, examples[::-1]):
        steps, _ = run(train(Picker.new(replace(PICKER, spacing=2.0)), order, SHORT))
        assert len(steps) == 11


def test_a_template_that_is_there_is_kept():
    field = prepare(clicks(), PICKER)
    network = with_template(Picker.new(PICKER).network, [field], PICKER)
    before = network.kernel.clone()
    assert torch.equal(with_template(network, [prepare(whole_field(5), PICKER)], PICKER).kernel, before)
    plain = Picker.new(replace(PICKER, filter_channel=False)).network
    assert not with_template(plain, [field], PICKER).kernel.numel()


def test_the_template_knows_nothing_of_what_is_held_out():
    field = hold_out(prepare(clicks(2), PICKER), 0.5, np.random.default_rng(0))
    learned = replace(
        field,
        positives=field.positives[[not field.held[tuple(p)] for p in np.rint(field.positives).astype(int)]],
    )
    assert len(learned.positives) == 1
    one, both = (with_template(Picker.new(PICKER).network, [f], PICKER).kernel for f in (learned, field))
    assert torch.equal(one, both)


def test_the_learning_rate_rises_and_falls():
    rates = [schedule(done) for done in np.linspace(0, 1, 201)]
    top = int(np.argmax(rates))
    assert 0.9 < max(rates) <= 1
    assert 0.05 < top / 200 < 0.12
    assert 0 < rates[0] < 0.1
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
