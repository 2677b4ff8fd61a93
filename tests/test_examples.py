from __future__ import annotations

import numpy as np
import pytest
import torch
from drawing import SPACED, drawn_micrograph

from cryopick_napari.config import PRESETS, ParticleSize, PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.examples import (
    average_particle,
    least_distance,
    load_examples,
    new_picker,
    polarity,
)
from cryopick_napari.labels import Example, Labels
from cryopick_napari.micrograph import Micrograph, write_mrc
from cryopick_napari.network import UNet
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import network_diameter

NINE = ParticleSize(9, in_angstrom=False)
SMALL = {"base_features": 2, "depth": 2}


def table(positions=SPACED, micrograph=""):
    head, cell = ("micrograph,", f"{micrograph},") if micrograph else ("", "")
    return f"{head}x,y\n" + "".join(f"{cell}{x},{y}\n" for y, x in positions)


@pytest.fixture
def folder(tmp_path):
    """Two micrographs with their labels."""
    (tmp_path / "labels").mkdir()
    for seed, name in enumerate("ab"):
        write_mrc(tmp_path / f"{name}.mrc", drawn_micrograph(seed=seed).image, 2.0)
        (tmp_path / "labels" / f"{name}.csv").write_text(table())
    return tmp_path


def micrographs(folder):
    return sorted(folder.glob("*.mrc"))


def example(height=-4.0, spacing=None, shape=(96, 90)):
    return Example(drawn_micrograph(shape=shape, height=height, spacing=spacing), Labels(Picks.of(SPACED)))


def test_labels_come_from_a_folder_or_from_one_file(folder):
    (folder / "all.csv").write_text(table(micrograph="a.mrc") + table(micrograph="b.mrc").partition("\n")[2])
    for source in ("labels", "all.csv"):
        examples, notes = load_examples(micrographs(folder), folder / source, NINE)
        assert [one.micrograph.path.name for one in examples] == ["a.mrc", "b.mrc"]
        assert examples[0].micrograph.spacing == 2
        np.testing.assert_allclose(examples[1].labels.positives.yx, SPACED, rtol=1e-6)
        assert notes == []


@pytest.mark.parametrize(
    ("labelled", "diameter", "complete"),
    [("auto", 9, False), ("auto", 13, True), ("fully", 9, True), ("partly", 13, False)],
)
def test_whether_a_field_is_fully_labelled(folder, labelled, diameter, complete):
    size = ParticleSize(diameter, in_angstrom=False)
    examples, notes = load_examples(micrographs(folder), folder / "labels", size, labelled=labelled)
    assert [bool(one.labels.complete) for one in examples] == [complete] * 2
    # what the program assumed by itself is said, with the way to say otherwise
    assert [note for note in notes if "--labelled partly" in note] == notes
    assert bool(notes) == (complete and labelled == "auto")


def test_what_has_no_partner_is_left_out_and_said(folder):
    (folder / "b.mrc").rename(folder / "c.mrc")
    examples, notes = load_examples(micrographs(folder), folder / "labels", NINE)
    assert len(examples) == 1
    strangers, bare = notes
    assert "labels of b left out" in strangers
    assert "c.mrc left out" in bare
    assert str(folder / "labels") in bare


def test_long_lists_are_cut_short(folder):
    for number in range(7):
        (folder / "labels" / f"other{number}.csv").write_text(table())
    (note,) = load_examples(micrographs(folder), folder / "labels", NINE)[1]
    assert "other0, other1, other2 and 4 more" in note


def test_labels_of_other_micrographs_only_are_an_error(folder):
    (folder / "all.csv").write_text(table(micrograph="somewhere/z.mrc"))
    with pytest.raises(CryopickError, match=r"all\.csv has labels for somewhere/z\.mrc.*a\.mrc.*compare"):
        load_examples(micrographs(folder), folder / "all.csv", NINE)


def test_labels_outside_their_micrograph_are_an_error(folder):
    (folder / "labels" / "b.csv").write_text(table([(10, 10), (10, 90), (95.4, 89.4), (-1, 3)]))
    with pytest.raises(CryopickError, match=r"2 of 4 labels of .*b\.mrc lie outside its 96 rows and 90 col"):
        load_examples(micrographs(folder), folder / "labels", NINE)


def test_a_size_in_angstrom_needs_a_pixel_size(folder):
    for path in micrographs(folder):
        write_mrc(path, drawn_micrograph().image)
    with pytest.raises(CryopickError, match="--spacing"):
        load_examples(micrographs(folder), folder / "labels", ParticleSize(18))
    examples, _ = load_examples(micrographs(folder), folder / "labels", ParticleSize(18), 2.0)
    assert new_picker(examples, 18, settings=SMALL).config.diameter == 9


def test_the_picker_knows_what_it_was_made_for():
    config = new_picker([example(spacing=2.0)], 18, settings=SMALL).config
    assert (config.diameter, config.spacing, config.diameter_angstrom) == (9, 2, 18)
    assert (config.base_features, config.depth) == (2, 2)
    by_radius = new_picker([example(spacing=2.0)], radius=4.5, settings=SMALL).config
    assert by_radius == config


def test_the_seed_decides_the_weights():
    first, same, other = (new_picker([example()], radius=4.5, settings=SMALL, seed=s) for s in (1, 1, 2))
    assert torch.equal(first.network.unet.head.weight, same.network.unet.head.weight)
    assert not torch.equal(first.network.unet.head.weight, other.network.unet.head.weight)


@pytest.mark.parametrize(("height", "found"), [(-4.0, "dark"), (4.0, "light")])
def test_polarity_is_seen_in_the_labels_unless_it_is_said(height, found):
    assert new_picker([example(height)], radius=4.5, settings=SMALL).config.polarity == found
    said = new_picker([example(height)], radius=4.5, settings={**SMALL, "polarity": "light"})
    assert said.config.polarity == "light"


def lattice(apart, count):
    """Label particles in rows, all ``apart`` px from their nearest neighbours."""
    rows, columns = np.mgrid[:count, :count].reshape(2, -1) * apart + 12.0
    shape = (int(rows.max()) + 12,) * 2
    yx = np.stack([rows, columns], axis=1)
    return Example(drawn_micrograph(yx, shape), Labels(Picks.of(yx)))


def test_picks_keep_the_distance_that_labelled_particles_keep():
    def least(*examples, **settings):
        return new_picker(examples, radius=4.5, settings={**SMALL, **settings}).config.min_distance

    assert least(lattice(9, 10)) == pytest.approx(0.8, abs=0.01)
    assert least(lattice(9, 10), lattice(9, 8)) == pytest.approx(0.8, abs=0.01)
    assert 0.5 < least(lattice(9, 2)) < 0.7  # of few pairs, less is believed
    assert least(lattice(5, 10)) == 0.5  # never less than by default
    assert least(lattice(14, 10)) == 0.5  # those are no neighbours
    assert least(lattice(9, 10), min_distance=0.6) == 0.6


def test_a_few_particles_labelled_twice_change_no_distance():
    once = lattice(9, 10)
    yx = once.labels.positives.yx
    twice = Example(once.micrograph, Labels(Picks.of(np.concatenate([yx, yx[::20] + 1.0]))))
    assert least_distance([twice], PickerConfig(9)) == pytest.approx(0.8, abs=0.02)


def test_only_faint_particles_get_the_matched_filter_unless_it_is_said():
    grid = np.stack(np.meshgrid(np.arange(12, 290, 20), np.arange(12, 290, 20)), -1).reshape(-1, 2) + 0.3

    def uses_filter(height, **settings):
        many = Example(drawn_micrograph(grid, (300, 300), height), Labels(Picks.of(grid)))
        return new_picker([many], radius=4.5, settings={**SMALL, **settings}).config.filter_channel

    assert uses_filter(-0.2)
    assert not uses_filter(-4)
    assert uses_filter(-4, filter_channel=True)


def test_presets_and_what_differs_from_them():
    medium = new_picker([example()], radius=4.5, preset="medium", settings={"gate": "none"})
    assert (medium.config.base_features, medium.config.depth) == (16, 4)
    assert isinstance(medium.network.unet, UNet)
    large = [example(shape=(200, 210))]
    small_reference = {"base_features": 2, "depth": 2}
    own = new_picker(large, preset="reference", settings=small_reference).config
    assert (own.diameter, own.network_diameter, own.filter_channel) == (84, None, False)
    assert new_picker(large, radius=10, preset="reference", settings=small_reference).config.diameter == 20
    assert set(PRESETS) == {"small", "medium", "full", "reference"}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({}, "give the particle's size once"),
        ({"diameter": 18, "radius": 4.5}, "give the particle's size once"),
        ({"radius": 0}, "above 0"),
        ({"radius": -3}, "above 0"),
        ({"radius": float("nan")}, "above 0"),
        ({"radius": float("inf")}, "above 0"),
        ({"diameter": 18}, "needs the pixel size"),
        ({"radius": 46}, r"92 px is larger than the field \(96 x 90 px\)"),
        ({"radius": 1e9}, "larger than the field"),
    ],
    ids=str,
)
def test_sizes_that_cannot_be(sizes, words):
    with pytest.raises(CryopickError, match=words):
        new_picker([example()], **sizes)


@pytest.mark.parametrize(
    ("diameter", "shape", "wanted"),
    [(84, (4096, 4096), 13.5), (150, (4096, 4096), 18.75), (40, (1000, 1050), 19.99), (9, (96, 90), 20)],
)
def test_small_fields_are_looked_at_more_finely(diameter, shape, wanted):
    assert network_diameter(diameter, shape) == pytest.approx(wanted, rel=1e-3)


def test_the_average_particle_is_what_was_drawn():
    config = PickerConfig(diameter=9, network_diameter=None)
    profile = average_particle([example(), example()], config)
    assert profile.argmin() < 6
    assert profile.min() < -5
    assert abs(profile[-6:].mean()) < 1
    assert (polarity(profile), polarity(-profile)) == ("dark", "light")


def test_fields_of_two_pixel_sizes_share_one_average():
    fine = drawn_micrograph(np.multiply(SPACED, 1), (96, 90), spacing=2.0)
    coarse = Micrograph(fine.image[::2, ::2].copy(), 4.0)
    examples = [
        Example(fine, Labels(Picks.of(SPACED))),
        Example(coarse, Labels(Picks.of(np.divide(SPACED, 2)))),
    ]
    config = new_picker(examples, 18, settings=SMALL).config
    assert config.diameter == 9
    assert config.diameter_at(4.0) == 4.5
    assert polarity(average_particle(examples, config)) == "dark"
