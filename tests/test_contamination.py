from __future__ import annotations

import time

import numpy as np
import pytest
from drawing import drawn_micrograph, noise

from cryopick_napari.config import PickerConfig
from cryopick_napari.contamination import beside_dead, contamination, resampled
from cryopick_napari.examples import new_picker
from cryopick_napari.fields import inside, prepare
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph, read_micrograph
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled, seen
from cryopick_napari.scene import Layout, Scene, arrange
from cryopick_napari.simulate import SAMPLE_DIAMETER, SAMPLES, sample, simulate

EMPIAR = {"empiar-10017": (108, 1.77), "empiar-10146": (80, 1.5), "empiar-10146-frame": (80, 1.5)}


def looked_at(micrograph: Micrograph, diameter: float, polarity: str = "dark") -> Scaled:
    pixels = diameter / (micrograph.spacing or 1)
    return seen(micrograph, PickerConfig(pixels, micrograph.spacing, min(pixels, 20.0), polarity=polarity))


def dirt(scaled: Scaled) -> np.ndarray:
    return (scaled.dirt[0] & scaled.live).numpy()


def depth(layout: Layout, scaled: Scaled) -> np.ndarray:
    """Distance of each network pixel from the edge of the film in diameters, positive on ice."""
    rows, columns = (
        np.arange(size) * ratio for size, ratio in zip(scaled.image.shape, scaled.ratio, strict=True)
    )
    return layout.film.depth(rows[:, None], columns) / (scaled.diameter * scaled.ratio[0])


def at(mask: np.ndarray, scaled: Scaled, yx: np.ndarray) -> np.ndarray:
    rows, columns = np.rint(scaled.from_source(yx)).astype(int).clip(0, np.asarray(mask.shape) - 1).T
    return mask[rows, columns]


@pytest.mark.parametrize("seed", [2, 30])
def test_the_carbon_film_is_left_out_up_to_its_edge_and_no_further(seed):
    scene = SAMPLES["sample-2-carbon"]
    micrograph, truth = simulate(scene, seed)
    scaled = looked_at(micrograph, SAMPLE_DIAMETER)
    film = depth(arrange(scene, seed), scaled)
    assert dirt(scaled)[film < 0].mean() > 0.98
    assert dirt(scaled)[film > 1].mean() < 0.005
    assert at(dirt(scaled), scaled, truth.yx).sum() <= 2  # of 119, half a diameter and more from the film


def test_most_of_a_field_may_be_carbon():
    scene = Scene(diameter=SAMPLE_DIAMETER, carbon=True, coverage=0.0)
    micrograph, _ = simulate(scene, 31)
    film = depth(arrange(scene, 31), looked_at(micrograph, SAMPLE_DIAMETER))
    # What lies far within the hole is cut off.
    deepest = np.unravel_index(film.argmax(), film.shape)
    rows, columns = (
        slice(None, 620) if place > size / 2 else slice(-620, None)
        for place, size in zip(deepest, film.shape, strict=True)
    )
    part = Micrograph(micrograph.image[rows, columns].copy(), micrograph.spacing)
    scaled = looked_at(part, SAMPLE_DIAMETER)
    assert 0.5 < dirt(scaled).mean() < 0.9


def test_ice_crystals_are_left_out_and_nothing_else():
    scene = SAMPLES["sample-3-ice"]
    micrograph, truth = sample(3)
    scaled, layout = looked_at(micrograph, SAMPLE_DIAMETER), arrange(scene, 3)
    large = layout.sizes > 1.5 * scene.width
    assert large.sum() >= 2
    assert at(dirt(scaled), scaled, layout.crystals[large].astype(np.float32)).all()
    assert not at(dirt(scaled), scaled, truth.yx).any()
    assert dirt(scaled).mean() < 0.12


@pytest.mark.parametrize(
    "scene",
    [
        Scene(diameter=165, coverage=0.0),
        Scene(diameter=165, coverage=0.02, dose=200),
        Scene(diameter=165, coverage=0.5, gap=0.7, defocus=3),
        Scene(diameter=500, coverage=0.45, gap=0.9, dose=100),
        Scene(shape=(256, 320), diameter=165),
        Scene(shape=(64, 64), diameter=165, coverage=0.5),
    ],
    ids=["empty", "sparse and clear", "crowded", "large and dense", "small field", "tiny field"],
)
def test_a_clean_field_is_left_as_it_is_dark_or_light(scene):
    for seed in range(2):
        micrograph, _ = simulate(scene, seed)
        assert not any(mask.any() for mask in looked_at(micrograph, scene.diameter).dirt)


def test_filled_discs_as_clear_as_can_be_are_particles():
    rng, image = np.random.default_rng(0), noise((400, 400))
    y, x = np.mgrid[:400, :400]
    for row in range(20, 400, 40):
        for column in range(20, 400, 40):
            down, right = rng.uniform(-6, 6, 2)
            image -= 12 * (np.hypot(y - row - down, x - column - right) < 10)
    assert not dirt(looked_at(Micrograph(image), 20)).any()
    image -= 12 * (np.hypot(y - 200, x - 200) < 35)  # a lump among them
    found = dirt(looked_at(Micrograph(image), 20))
    assert found[np.hypot(y - 200, x - 200) < 35].all()
    assert not found[np.hypot(y - 200, x - 200) > 70].any()


def test_a_smeared_border_is_no_edge(data):
    path = data / "empiar-10017" / "micrographs" / "Falcon_2012_06_12-17_02_43_0.jpg"  # a field without film
    scaled = looked_at(read_micrograph(path, 1.77), 191)
    assert not scaled.valid[:8].any()
    assert not scaled.valid[:, :6].any()
    cut = beside_dead(scaled.live.numpy(), scaled.diameter)
    np.testing.assert_array_equal(dirt(scaled), cut)


@pytest.mark.parametrize("height", [-4.0, 4.0])
def test_a_particle_cut_by_a_dead_area_is_left_out_but_not_at_the_edge_of_the_field(height):
    whole = drawn_micrograph(shape=(96, 90), height=height)
    image = whole.image.copy()
    image[:16] = image[16]  # the first particle lies at row 15.3
    scaled = looked_at(Micrograph(image), 9)
    valid = scaled.valid.numpy()
    first_live = int(np.flatnonzero(scaled.live.numpy().any(axis=1))[0])
    assert 0.3 * 9 - 1 <= int(np.flatnonzero(valid.any(axis=1))[0]) - first_live <= 0.3 * 9 + 1
    assert valid[-1].all()
    assert valid[40:, 0].all()
    example = Example(Micrograph(image), Labels(Picks.of([(first_live + 1.0, 40.0)])))
    assert inside(
        np.float32([(first_live + 1, 40)]), prepare(example, PickerConfig(9, network_diameter=9)).usable
    )


def test_the_negative_of_a_field_has_the_same_contamination():
    micrograph, _ = sample(2)
    as_is = looked_at(micrograph, SAMPLE_DIAMETER)
    negative = looked_at(Micrograph(-micrograph.image, micrograph.spacing), SAMPLE_DIAMETER, "light")
    taken_for_dark = looked_at(Micrograph(-micrograph.image, micrograph.spacing), SAMPLE_DIAMETER)
    assert dirt(as_is).any()
    np.testing.assert_array_equal(dirt(negative), dirt(as_is))
    np.testing.assert_array_equal(dirt(taken_for_dark.inverted()), dirt(as_is))


@pytest.mark.parametrize("name", EMPIAR)
def test_of_real_particles_at_most_one_in_a_hundred_is_lost(data, name):
    diameter, spacing = EMPIAR[name]
    gone = total = 0
    for path in sorted((data / name / "micrographs").iterdir()):
        xy = np.loadtxt(data / name / "coordinates" / f"{path.stem}.csv", delimiter=",", skiprows=1, ndmin=2)
        scaled = looked_at(read_micrograph(path, spacing), diameter * spacing)
        gone += int(at(dirt(scaled), scaled, xy[:, 1::-1].astype(np.float32)).sum())
        total += len(xy)
    assert total > 900
    assert gone <= 0.01 * total


def test_carbon_and_ice_of_real_fields_are_found(data):
    film = data / "empiar-10017" / "micrographs" / "Falcon_2012_06_12-15_30_21_0.jpg"
    found = looked_at(read_micrograph(film, 1.77), 191)
    on_film, on_ice = Picks.of([(300, 300), (900, 500), (200, 1700)]), Picks.of([(2000, 2000), (700, 3500)])
    assert at(dirt(found), found, on_film.yx).all()
    assert not at(dirt(found), found, on_ice.yx).any()
    crystal = looked_at(read_micrograph(data / "micrograph-cleaner" / "micrograph.mrc"), 46)
    assert 0.12 < dirt(crystal).mean() < 0.2
    assert at(dirt(crystal), crystal, Picks.of([(100, 700), (300, 720)]).yx).all()


def test_what_a_person_labelled_is_learned_from_on_contaminated_ground_too():
    micrograph, truth = sample(2)
    config = PickerConfig(SAMPLE_DIAMETER / 3, 3.0, 20.0)
    film = depth(arrange(SAMPLES["sample-2-carbon"], 2), seen(micrograph, config))
    inner = np.argwhere(film < -2) * 1024 / film.shape[0]
    particle, mistake = inner[[0, -1]]
    clicks = Labels(truth.joined(Picks.of([particle])), negatives=Picks.of([mistake]))
    field = prepare(Example(micrograph, clicks), config)
    known = field.scaled.from_source(np.array([particle, mistake], np.float32))
    assert field.usable[tuple(np.rint(known).astype(int).T)].all()
    assert field.usable[film < -1].mean() < 0.5  # but not the rest of the film, of which nobody said anything
    everything = prepare(Example(micrograph, Labels.of_whole_field(truth, micrograph.shape)), config)
    assert everything.usable.all()  # a person has said that no particle is there
    assert not everything.scaled.valid[film < -0.5].any()


def test_where_particles_are_labelled_on_what_looks_like_contamination_it_is_none():
    micrograph, truth = sample(2)
    depth = arrange(SAMPLES["sample-2-carbon"], 2).film.depth
    film = np.argwhere(depth(*np.mgrid[:1024:64, :1024:64].astype(float)) < -60) * 64
    few, many = (Labels(truth.joined(Picks.of(film[:count]))) for count in (3, 30))
    assert new_picker([Example(micrograph, few)], SAMPLE_DIAMETER).config.contamination_mask
    assert not new_picker([Example(micrograph, many)], SAMPLE_DIAMETER).config.contamination_mask
    insisting = {"contamination_mask": True}
    assert new_picker(
        [Example(micrograph, many)], SAMPLE_DIAMETER, settings=insisting
    ).config.contamination_mask


def test_it_takes_a_fifth_of_a_second_at_most():
    image, live = noise((512, 512)), np.ones((512, 512), bool)
    times = []
    for _ in range(3):
        start = time.process_time()
        contamination(image, live, 13.5)
        times.append(time.process_time() - start)
    assert min(times) < 0.2


def test_a_mask_of_another_scale_lands_in_its_place():
    source = np.zeros((120, 150), bool)
    source[30:60, 75:90] = True
    for shape in ((40, 50), (120, 150), (360, 450), (41, 51)):
        mask = resampled(source, (1200, 1500), shape)
        assert mask.shape == shape
        rows, columns = np.nonzero(mask)
        ratio = np.array([1200, 1500]) / shape
        # The first and the last pixel inside are within a pixel, of the coarser image, of the true edges.
        for found, (first, last), step in zip((rows, columns), ((300, 600), (750, 900)), ratio, strict=True):
            assert abs(found.min() * step - first) <= max(step, 10)
            assert abs(found.max() * step - last) <= max(step, 10)
