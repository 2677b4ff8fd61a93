from __future__ import annotations

import dataclasses
import json

import pytest

from cryopick_napari.config import LATER, PRESETS, PickerConfig, TrainingConfig, config_from, training_config
from cryopick_napari.errors import CryopickError


@pytest.mark.parametrize("kind", [PickerConfig, TrainingConfig])
def test_every_setting_explains_itself(kind):
    assert all(field.metadata["help"] for field in dataclasses.fields(kind))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_are_valid_and_survive_json(preset):
    for kind, values in ((PickerConfig, preset.picker), (TrainingConfig, preset.training)):
        config = kind(**values)
        assert config_from(kind, json.loads(json.dumps(dataclasses.asdict(config))), "a file") == config


def test_reference_is_the_seed_documents_setting():
    picker = PickerConfig(**PRESETS["reference"].picker)
    training = TrainingConfig(**PRESETS["reference"].training)
    assert (picker.base_features, picker.depth, picker.diameter / 2, picker.network_diameter) == (
        64,
        4,
        42,
        None,
    )
    assert (training.patch_size, training.batch_size, training.initial_epochs) == (128, 128, 100)
    assert (training.retrain_epochs, training.positive_threshold, training.negative_threshold) == (
        30,
        0.95,
        0.05,
    )
    assert training.learning_rate == 1e-3


@pytest.mark.parametrize(
    "values",
    [
        {"diameter": 0},
        {"diameter": -1.0},
        {"diameter": float("nan")},
        {"diameter": float("inf")},
        {"diameter": 10**400},
        {"spacing": 0.0},
        {"network_diameter": -2},
        {"look_diameter": 20.0},
        {"look_diameter": 10.0, "blend": True},
        {"look_diameter": 20.0, "blend": True, "network_diameter": None},
        {"base_features": 0},
        {"base_features": 10**9},
        {"depth": 99},
        {"gate": "sigmoid"},
        {"heads": 0},
        {"heads": 65},
        {"polarity": "grey"},
        {"threshold": float("nan")},
        {"threshold": 1.5},
        {"min_distance": -0.5},
    ],
    ids=str,
)
def test_pickers_that_cannot_be_are_refused(values):
    with pytest.raises(CryopickError, match=next(iter(values)).replace("_", ".").split(".")[-1]):
        PickerConfig(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"initial_epochs": 0},
        {"batch_size": 0},
        {"accumulation_steps": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"gradient_clip": float("inf")},
        {"target_radius": -1.0},
        {"held_out": 0.0},
        {"held_out": 1.0},
        {"precision": "float8"},
        {"retrain_epochs": 0},
        {"self_training_iterations": -1},
        {"positive_threshold": 1.1},
        {"negative_threshold": -0.1},
        {"negative_threshold": 0.95},
        {"positive_threshold": float("nan")},
        {"loss": "hinge"},
        {"attention_supervision": -0.1},
        {"attention_supervision": float("nan")},
        {"attention_supervision": float("inf")},
        {"gate_learning_rate": 0.0},
        {"gate_learning_rate": float("nan")},
        {"gate_learning_rate": float("inf")},
    ],
    ids=str,
)
def test_trainings_that_cannot_be_are_refused(values):
    with pytest.raises(CryopickError, match=next(iter(values)).split("_")[0]):
        TrainingConfig(**values)


@pytest.mark.parametrize(
    "values",
    [
        None,
        [1, 2],
        "diameter",
        {"flavour": 1},
        {"diameter": "100"},
        {"diameter": None},
        {"diameter": True},
        {"depth": 3.0},
        {"depth": None},
        {"averaging": 1},
        {"averaging": None},
        {"gate": 3},
        {"gate": None},
        {"heads": 2.5},
        {"heads": 10**9},
        {"spatial_attention": 1},
        {"spatial_attention": "yes"},
        {"threshold": None},
        {"min_distance": [0.5]},
        {"base_features": 10**9},
    ],
    ids=str,
)
def test_untrusted_values_are_refused_by_the_name_of_their_file(values):
    with pytest.raises(CryopickError, match=r"some/model\.safetensors"):
        config_from(PickerConfig, values, "some/model.safetensors")


def test_untrusted_values_may_be_whole_numbers_or_unknown():
    config = config_from(PickerConfig, {"diameter": 90, "spacing": None, "network_diameter": None}, "a file")
    assert (config.diameter, config.spacing, config.network_diameter) == (90, None, None)
    assert (
        config_from(TrainingConfig, {"precision": "bfloat16", "learning_rate": 1}, "a file").learning_rate
        == 1
    )


def test_later_settings_leave_the_digest_of_older_models_alone():
    before = {"diameter", "spacing", "network_diameter", "base_features", "depth", "gate", "filter_channel"}
    before |= {"polarity", "averaging", "min_distance", "threshold"}
    assert PickerConfig(gate="none", contamination_mask=False).for_digest().keys() == before
    everything = PickerConfig(heads=2, spatial_attention=True, blend=True, contamination_mask=True)
    everything = dataclasses.replace(everything, pair_correlation=(1.0,), look_diameter=20.0)
    assert everything.for_digest().keys() == before | LATER.keys()


def test_picks_made_before_contamination_was_left_out_do_not_pass_for_todays():
    assert "contamination_mask" in PickerConfig().for_digest()


def test_what_makes_attention_maps():
    assert not PickerConfig(depth=0, spatial_attention=True).has_attention
    kinds = [("additive", False), ("multihead", False), ("none", True), ("none", False)]
    assert [PickerConfig(gate=gate, spatial_attention=spatial).has_attention for gate, spatial in kinds] == [
        *[True] * 3,
        False,
    ]


def test_diameter_follows_the_pixel_size():
    config = PickerConfig(diameter=100, spacing=2.0)
    assert config.diameter_angstrom == 200
    assert config.diameter_at(4.0) == 50
    assert config.diameter_at(None) == 100
    assert PickerConfig(diameter=100).diameter_at(4.0) == 100
    assert PickerConfig(diameter=100).diameter_angstrom is None


def test_few_clicks_are_trained_on_less():
    usual, few = (training_config("small", only_clicks, {}) for only_clicks in (False, True))
    assert few.initial_epochs < usual.initial_epochs
    assert few.learning_rate < usual.learning_rate
    assert training_config("small", True, {"initial_epochs": 30}).initial_epochs == 30
    assert training_config("full", True, {}) == training_config("full", False, {})
