from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import SPACED, blob_detector, drawn_micrograph, near, noise
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import pdist

from cryopick_napari.config import PRESETS, PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.network import AttentionUNet, UNet, parameter_count
from cryopick_napari.picker import Picker, make_network, probability_map
from cryopick_napari.rescale import fourier_resize

CONFIG = PickerConfig(diameter=9, network_diameter=9, base_features=2, depth=2, filter_channel=False)
DETECTOR = blob_detector(CONFIG)


def enlarged(micrograph: Micrograph, spacing: float | None = None) -> Micrograph:
    """Show the same field with half the pixel size."""
    height, width = micrograph.shape
    image = fourier_resize(torch.from_numpy(micrograph.image), (2 * height, 2 * width)).numpy()
    return Micrograph(image, spacing)


def saved(path: Path, **changes: object) -> Path:
    """Save the detector, then change tensors or settings behind its back."""
    DETECTOR.save(path)
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    header = json.loads(metadata["header"])
    header["picker"].update(changes.pop("picker", {}))
    tensors = {
        name: tensor
        for name, tensor in {**tensors, **changes.pop("tensors", {})}.items()
        if tensor is not None
    }
    save_file(tensors, path, {**metadata, "header": json.dumps({**header, **changes})})
    return path


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_makes_its_network(preset):
    config = PickerConfig(**preset.picker)
    with torch.device("meta"):
        network = make_network(config)
    assert isinstance(network.unet, AttentionUNet)
    assert network.unet.depth == config.depth
    assert network.unet.encoder[0][0].in_channels == 1 + config.filter_channel
    assert bool(network.kernel.numel()) == config.filter_channel


def test_the_reference_has_the_parameters_of_the_paper():
    with torch.device("meta"):
        assert parameter_count(make_network(PickerConfig(**PRESETS["reference"].picker))) == 31_393_901


def test_without_gates_it_is_a_plain_unet():
    picker = Picker.new(replace(CONFIG, gate="none"))
    assert type(picker.network.unet) is UNet
    assert picker.attention(picker.scale(drawn_micrograph())) == {}


def test_the_seed_decides_the_weights_and_chance_is_left_alone():
    before = torch.random.get_rng_state()
    first, again, other = Picker.new(CONFIG), Picker.new(CONFIG), Picker.new(CONFIG, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [picker.network.unet.encoder[0][0].weight for picker in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not first.network.training


@pytest.mark.parametrize("averaging", [True, False])
@pytest.mark.parametrize("gate", ["additive", "none"])
def test_particles_are_found_where_they_are(averaging, gate):
    picker = blob_detector(replace(CONFIG, averaging=averaging, gate=gate))
    picks = picker.pick(drawn_micrograph())
    assert near(picks.yx, SPACED) < 0.7
    assert (np.diff(picks.score) <= 0).all()
    assert (picks.score >= 0.5).all()


@pytest.mark.parametrize("polarity", ["dark", "light"])
def test_an_inverted_file_gives_the_same_picks(polarity):
    picker = blob_detector(replace(CONFIG, polarity=polarity))
    micrograph = drawn_micrograph()
    as_is, inverted = picker.pick(micrograph), picker.pick(Micrograph(-micrograph.image))
    assert len(as_is) == 6
    assert np.array_equal(as_is.yx, inverted.yx)
    assert np.array_equal(as_is.score, inverted.score)


def test_upright_turns_what_the_training_would_not_know():
    micrograph = drawn_micrograph()
    scaled = DETECTOR.scale(micrograph)
    assert DETECTOR.upright(scaled) is scaled
    turned = DETECTOR.upright(scaled.inverted())
    assert torch.equal(turned.image, scaled.image)
    undecided = DETECTOR.scale(Micrograph(noise((64, 64))))
    assert DETECTOR.upright(undecided) is undecided


@pytest.mark.parametrize("averaging", [False, True])
@pytest.mark.parametrize("height", [-4.0, 4.0])
def test_a_search_gives_the_field_upright_and_its_probability(height, averaging):
    picker = blob_detector(replace(CONFIG, averaging=averaging))
    micrograph = drawn_micrograph(height=height)
    scaled, probability = picker.search(micrograph)
    expected = picker.upright(picker.scale(micrograph))
    assert torch.equal(scaled.image, expected.image)
    np.testing.assert_allclose(probability, picker.probability(expected), atol=1e-6)
    assert probability.max() > 0.9


def test_half_the_pixel_size_doubles_the_positions():
    picker = blob_detector(replace(CONFIG, spacing=2.0))
    coarse = picker.pick(drawn_micrograph(spacing=2.0))
    fine = picker.pick(enlarged(drawn_micrograph(), spacing=1.0))
    assert len(coarse) == 6
    assert near(fine.yx, 2 * coarse.yx) < 0.5


def test_an_unknown_pixel_size_is_that_of_the_training():
    picker, micrograph = blob_detector(replace(CONFIG, spacing=2.0)), drawn_micrograph()
    known = picker.pick(Micrograph(micrograph.image, 2.0))
    assert np.array_equal(picker.pick(micrograph).yx, known.yx)
    assert DETECTOR.scale(Micrograph(micrograph.image, 7.0)).ratio == (1, 1)
    assert DETECTOR.scale(enlarged(micrograph, 1.0)).ratio == (1, 1)


@pytest.mark.parametrize("diameter", [9, 18, 27.5])
def test_picks_lie_in_the_field_and_apart(diameter):
    picker = blob_detector(replace(CONFIG, diameter=diameter, min_distance=0.7))
    picks = picker.pick(Micrograph(noise((131, 140))), threshold=0.05)
    assert len(picks) > 5
    assert len(picks.within((131, 140))) == len(picks)
    assert pdist(picks.yx).min() > 0.69 * diameter


@pytest.mark.parametrize("centre", [(0, 0), (0, 40), (95, 89), (60, 89), (95, 12)], ids=str)
@pytest.mark.parametrize("factor", [1, 2])
def test_a_particle_on_the_edge_is_found(centre, factor):
    micrograph = drawn_micrograph([centre, (48, 45)])
    picker = blob_detector(replace(CONFIG, diameter=9 * factor))
    picks = picker.pick(micrograph if factor == 1 else enlarged(micrograph))
    assert (
        near(picks.yx, factor * np.array([centre, (48, 45)])) < 2.5 * factor
    )  # zeros around the field push inwards


def test_the_threshold_and_the_distance_are_those_of_the_model_unless_given():
    micrograph = drawn_micrograph()
    every = DETECTOR.pick(micrograph, threshold=0.0)
    assert len(every) > 6
    threshold = float(every.score[2])
    assert len(replace(DETECTOR, config=replace(CONFIG, threshold=threshold)).pick(micrograph)) == 3
    assert len(DETECTOR.pick(micrograph, threshold=threshold)) == 3
    scaled = DETECTOR.scale(micrograph)
    probability = DETECTOR.probability(scaled)
    assert len(DETECTOR.picks(probability, scaled, min_distance=6).above(0.5)) == 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (33, 70)], ids=str)
@pytest.mark.parametrize("averaging", [True, False])
def test_probabilities_fit_the_field(shape, averaging):
    picker = Picker.new(replace(CONFIG, averaging=averaging))
    scaled = picker.scale(Micrograph(noise(shape)))
    probability = picker.probability(scaled)
    assert probability.shape == shape
    assert probability.dtype == np.float32
    assert ((probability >= 0) & (probability <= 1)).all()


def test_averaging_makes_turned_fields_agree():
    network, image = Picker.new(CONFIG).network, torch.randn(24, 40)
    straight = probability_map(network, image, averaging=True)
    turned = probability_map(network, image.rot90(1, (0, 1)).flip(0), averaging=True)
    assert np.allclose(np.rot90(turned[::-1], -1), straight, atol=1e-5)
    once = probability_map(network, image, averaging=False)
    assert not np.allclose(once, straight, atol=1e-5)


def test_dead_ground_has_no_probability():
    image = drawn_micrograph(shape=(130, 90)).image + 50
    image[100:] = 0
    scaled = DETECTOR.scale(Micrograph(image))
    assert not DETECTOR.probability(scaled)[101:].any()
    assert near(DETECTOR.pick(Micrograph(image)).yx, SPACED) < 1


@pytest.mark.parametrize("gate", ["additive", "none"])
def test_a_model_from_before_there_were_heads_still_picks(tmp_path, gate):
    picker = blob_detector(replace(CONFIG, gate=gate))
    picker.save(tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        metadata = dict(file.metadata())
    header = json.loads(metadata["header"])
    for name in ("heads", "spatial_attention"):
        del header["picker"][name]
    save_file(tensors, tmp_path / "old.safetensors", {**metadata, "header": json.dumps(header)})
    loaded = Picker.load(tmp_path / "old.safetensors")
    assert loaded.config == picker.config
    assert np.array_equal(loaded.pick(drawn_micrograph()).yx, picker.pick(drawn_micrograph()).yx)


def test_several_heads_are_shown_as_their_mean():
    picker = Picker.new(replace(CONFIG, gate="multihead", heads=3))
    scaled = picker.scale(drawn_micrograph())
    heads = picker.network.get_attention_maps(scaled.image[None, None])
    for name, shown in picker.attention(scaled).items():
        assert heads[name].shape[1] == 3
        assert shown.shape == heads[name].shape[2:]
        assert np.allclose(shown, heads[name][0].detach().mean(0).numpy(), atol=1e-6)


def test_attention_maps_cover_the_field():
    maps = DETECTOR.attention(DETECTOR.scale(drawn_micrograph()))
    assert {name: alpha.shape for name, alpha in maps.items()} == {"att1": (96, 90), "att2": (48, 45)}
    assert all(alpha.min() >= 0 and alpha.max() <= 1 for alpha in maps.values())


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, gate="none", filter_channel=True, spacing=1.7, threshold=0.3),
        replace(CONFIG, gate="multihead", heads=2),
        replace(CONFIG, gate="none", spatial_attention=True),
    ],
)
def test_a_saved_picker_comes_back_as_it_was(tmp_path, config):
    picker = replace(Picker.new(config), training={"seed": 42, "validation": {"f1": 0.8}})
    picker.network.train()(torch.randn(2, 1, 16, 16))
    picker.network.eval()
    picker.save(tmp_path / "model.safetensors")
    loaded = Picker.load(tmp_path / "model.safetensors")
    assert loaded.config == picker.config
    assert loaded.training == picker.training
    scaled = picker.scale(drawn_micrograph())
    assert np.array_equal(loaded.probability(scaled), picker.probability(scaled))
    assert all(p.requires_grad and p.device.type == "cpu" for p in loaded.network.parameters())
    assert not loaded.network.training


@pytest.mark.parametrize(
    "changes",
    [
        {"picker": None},
        {"picker": [1]},
        {"picker": {"flavour": "vanilla"}},
        {"picker": {"diameter": "9"}},
        {"picker": {"diameter": None}},
        {"picker": {"diameter": 1e300}},
        {"picker": {"threshold": None}},
        {"picker": {"base_features": 10**9}},
        {"picker": {"base_features": -2}},
        {"picker": {"base_features": 1024, "depth": 8}},
        {"picker": {"depth": 10**9}},
        {"picker": {"depth": 3}},
        {"picker": {"depth": 2.0}},
        {"picker": {"gate": "none"}},
        {"picker": {"gate": "__import__"}},
        {"picker": {"gate": "multihead"}},
        {"picker": {"spatial_attention": True}},
        {"picker": {"heads": 10**9}},
        {"picker": {"filter_channel": True}},
        {"picker": {"filter_channel": True, "diameter": 10_000, "network_diameter": None}},
        {"tensors": {"unet.head.weight": None}},
        {"tensors": {"unet.extra": torch.zeros(3)}},
        {"tensors": {"unet.head.weight": torch.zeros(1, 3, 1, 1)}},
        {"tensors": {"unet.head.weight": torch.zeros(1, 2, 1, 1, dtype=torch.float64)}},
        {"tensors": {"unet.head.weight": torch.zeros(1, 2, 1, 1, dtype=torch.int32)}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_model_that_cannot_be_is_refused_by_name_and_soon(tmp_path, changes):
    changes = dict(changes)
    whole = {key: changes.pop(key) for key in ("picker",) if not isinstance(changes.get(key, {}), dict)}
    path = saved(tmp_path / "model.safetensors", **changes)
    if whole:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            metadata = {**file.metadata(), "header": json.dumps(whole)}
        save_file(tensors, path, metadata)
    started = time.perf_counter()
    with pytest.raises(CryopickError, match=r"model\.safetensors"):
        Picker.load(path)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("record", [None, 3, [1, 2], "text"])
def test_a_strange_record_of_the_training_does_no_harm(tmp_path, record):
    assert Picker.load(saved(tmp_path / "model.safetensors", training=record)).training == {}


def test_a_training_is_not_a_model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(
        {"a": torch.zeros(1)},
        path,
        {"format": "cryopick-napari", "version": "1", "kind": "training", "header": "{}"},
    )
    with pytest.raises(CryopickError, match="holds a training"):
        Picker.load(path)


def test_every_setting_is_in_the_file(tmp_path):
    with safe_open(saved(tmp_path / "model.safetensors"), "pt") as file:
        settings = json.loads(file.metadata()["header"])["picker"]
    assert settings == json.loads(json.dumps(asdict(CONFIG)))
