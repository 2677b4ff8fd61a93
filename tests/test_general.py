from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cryopick_napari.config import GENERAL, TrainingConfig
from cryopick_napari.examples import new_picker
from cryopick_napari.fields import prepare
from cryopick_napari.general import from_general, general_file, general_picker
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import STRICT, score
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.picker import Picker
from cryopick_napari.scene import Scene
from cryopick_napari.simulate import simulate
from cryopick_napari.training import canvases_of

SCENE = Scene((800, 720), spacing=4.0, diameter=180.0, protein=77, dose=40.0, debris=0.0, coverage=0.2)
WIDTH = SCENE.width


@pytest.fixture(scope="module")
def unseen():
    return simulate(SCENE, 123)


def f1(picker: Picker, micrograph: Micrograph, truth) -> float:
    return score(picker.pick(micrograph), truth, STRICT * WIDTH).f1


def test_the_file_is_small_and_built_as_the_configuration_says():
    assert general_file().stat().st_size <= 10e6
    config = Picker.load(general_file()).config
    assert {name: getattr(config, name) for name in GENERAL} == GENERAL


def test_it_picks_a_protein_it_has_never_seen_without_a_label(unseen):
    micrograph, truth = unseen
    alone = f1(general_picker(WIDTH, SCENE.spacing), micrograph, truth)
    primed = f1(general_picker(WIDTH, SCENE.spacing, [micrograph]), micrograph, truth)
    print(f"alone {alone:.3f}, primed {primed:.3f}")
    assert primed >= 0.7
    assert primed >= alone - 0.02


def test_a_negative_of_the_field_is_recognised(unseen):
    micrograph, truth = unseen
    negative = replace(micrograph, image=-micrograph.image)
    picker = general_picker(WIDTH, SCENE.spacing, [negative])
    assert picker.config.polarity == "light"
    assert f1(picker, negative, truth) >= 0.7


def test_it_finds_little_in_noise():
    noise = np.random.default_rng(0).standard_normal((800, 720)).astype(np.float32)
    micrograph = Micrograph(noise, SCENE.spacing)
    found = general_picker(WIDTH, SCENE.spacing, [micrograph]).pick(micrograph)
    assert len(found) <= 15  # in an area for 360 of them


def test_a_training_starts_from_it_unless_it_is_told_otherwise(unseen):
    micrograph, truth = unseen
    examples = [Example(micrograph, Labels(truth.where(np.arange(10))))]
    weights = Picker.load(general_file()).network.state_dict()["unet.head.weight"]

    def starts_there(**settings) -> bool:
        picker = new_picker(examples, SCENE.diameter, **settings)
        own = picker.network.state_dict()["unet.head.weight"]
        return own.shape == weights.shape and bool(torch.equal(own, weights)) and picker.is_experienced

    assert starts_there()
    assert starts_there(settings={"base_features": GENERAL["base_features"]})
    assert not starts_there(from_scratch=True)
    assert not starts_there(settings={"base_features": 8})
    assert not starts_there(preset="medium")


def test_unlabelled_ground_is_taught_what_it_believes_of_it(unseen):
    micrograph, truth = unseen
    labels = Labels(truth.where(np.arange(10)))
    picker = new_picker([Example(micrograph, labels)], SCENE.diameter)
    field = prepare(Example(micrograph, labels), picker.config)
    (canvas,) = canvases_of(picker, [field], TrainingConfig())
    _, target, weight = canvas.planes
    others = np.rint(field.scaled.from_source(truth.yx[10:])).astype(int)
    clicked = np.rint(field.positives).astype(int)
    assert (target[tuple(clicked.T)] == 1).all()
    assert (weight[tuple(clicked.T)] > 1).all()
    # particles that nobody labelled are not taught as background
    assert target[tuple(others.T)].mean() > 3 * target.mean()
    (plain,) = canvases_of(replace(picker, is_experienced=False), [field], TrainingConfig())
    assert (plain.planes[1][tuple(others.T)] == 0).all()


def test_the_template_fits_particles_smaller_than_the_network_expects(tmp_path):
    small = general_picker(9.0)
    small.save(tmp_path / "small.safetensors")
    assert Picker.load(tmp_path / "small.safetensors").config.diameter == 9.0
    assert from_general(small.config).network.kernel.shape == small.network.kernel.shape
