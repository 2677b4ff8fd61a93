from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import error_of, run

from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.micrograph import read_micrograph, write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.scene import Scene
from cryopick_napari.simulate import SAMPLE_DIAMETER, samples, simulate
from cryopick_napari.suggesting import suggested_diameter

SCENE = Scene((800, 720), spacing=4.0, diameter=180.0, protein=77, dose=200.0, debris=0.0, coverage=0.2)


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """A folder with two micrographs, and how many particles they hold."""
    monkeypatch.chdir(tmp_path)
    Path("micrographs").mkdir()
    counts = []
    for seed, name in enumerate("ab"):
        micrograph, picks = simulate(SCENE, seed)
        write_mrc(Path("micrographs") / f"{name}.mrc", micrograph.image, (SCENE.spacing, SCENE.spacing))
        counts.append(len(picks))
    return counts


def pick(*words):
    return run("pick", "micrographs", "--output", "out", *words)


def test_the_size_of_the_particle_is_enough_to_pick(truth, capsys):
    assert pick("--diameter", SCENE.diameter) == 0
    assert "by the general model" in capsys.readouterr().err
    for name, count in zip("ab", truth, strict=True):
        found = read_coordinates(f"out/{name}_autopick.star")[0].picks
        assert 0.5 * count < len(found) < 2 * count
    # what it picked by can pick elsewhere, and does so again here
    assert Picker.load("out/general.safetensors").config.diameter == pytest.approx(SCENE.width)
    before = Path("out/general.safetensors").stat().st_mtime_ns
    assert pick("--diameter", SCENE.diameter) == 0
    assert "2 done before" in capsys.readouterr().out
    assert Path("out/general.safetensors").stat().st_mtime_ns == before
    assert pick("--diameter", 150) == 0
    assert "done before" not in capsys.readouterr().out


def test_without_a_model_the_size_must_be_said_and_with_one_it_must_not(truth, capsys):
    known = samples()[3]
    said = error_of(capsys, "pick", known, "--output", "o")
    assert f"how large is a particle? In {known} they look about" in said
    suggestion = suggested_diameter(read_micrograph(known))
    assert suggestion is not None
    size = suggestion.in_round_numbers(3.0)
    assert size.in_angstrom
    assert size.diameter == pytest.approx(SAMPLE_DIAMETER, rel=0.15)
    # Of these the model is the surer the larger it takes them, as far as there is room.
    assert suggested_diameter(read_micrograph("micrographs/a.mrc")) is None
    assert "give --diameter (Å)" in error_of(capsys, "pick", "micrographs", "--output", "o")
    assert f"about {size.diameter:g} Å wide: give --diameter {size.diameter:g}" in said
    assert not Path("o").exists()
    write_mrc(Path("noise.mrc"), np.random.default_rng(0).normal(size=(600, 600)), (4.0, 4.0))
    assert "give --diameter (Å)" in error_of(capsys, "pick", "noise.mrc", "--output", "o")
    assert pick("--particle-radius", SCENE.width / 2) == 0
    words = ("pick", "micrographs", "--model", "out/general.safetensors", "--diameter", 180, "--output", "o")
    assert "leave out --diameter" in error_of(capsys, *words)


def test_what_is_wrong_with_the_only_micrograph_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("micrographs").mkdir()
    write_mrc(Path("micrographs/a.mrc"), np.ones((300, 300), np.float32), 1.5)
    words = ("pick", "micrographs", "--output", "out", "--diameter", 120)
    assert "a.mrc: " in (said := error_of(capsys, *words))
    assert "constant" in said
