from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
from commands import error_of, run, usage_of

from cryopick_napari.camera import Denoising
from cryopick_napari.cli import simulate as command
from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.micrograph import read_micrograph
from cryopick_napari.structures import KINDS

SMALL = ("--shape", 200, 260, "--spacing", 4, "--diameter", 120)


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def simulate(folder: str, *words: object) -> tuple[list[np.ndarray], list[np.ndarray]]:
    assert run("simulate", "--output", folder, *words) == 0
    files = sorted(Path(folder, "micrographs").iterdir())
    truth = {rows.micrograph: rows.picks.yx for rows in read_coordinates(Path(folder, "coordinates"))}
    assert sorted(truth) == [path.name for path in files] or len(truth) == 0
    return [mrcfile.read(path) for path in files], [truth[path.name] for path in files if path.name in truth]


def test_the_command_knows_every_shape_and_treatment():
    assert set(command.SHAPES) == set(KINDS)
    assert set(command.DENOISING) == set(Denoising.__args__)


def test_fields_differ_and_the_seed_gives_them_again(capsys):
    images, truth = simulate("a", "--fields", 2, "--seed", 3, *SMALL)
    said = capsys.readouterr().out
    assert f"{sum(map(len, truth))} particles on 2 micrographs in a" in said
    again, same = simulate("b", "--fields", 1, "--seed", 3, *SMALL)
    np.testing.assert_array_equal(images[0], again[0])
    np.testing.assert_array_equal(truth[0], same[0])
    assert not np.array_equal(images[0], images[1])
    assert images[0].shape == (200, 260)
    assert read_micrograph("a/micrographs/field-0000.mrc").spacing == 4


def test_particles_are_dark_and_where_the_star_file_says():
    (image,), (yx,) = simulate("a", "--structure", "compact", "--dose", 1000, "--particles", 10, *SMALL)
    assert len(yx) == 10
    rows, columns = np.indices(image.shape)
    distance = np.min([np.hypot(rows - y, columns - x) for y, x in yx], axis=0)
    assert image[distance < 8].mean() < image[distance > 22].mean() - image.std() / 4
    (negative,), _ = simulate(
        "b", "--structure", "compact", "--dose", 1000, "--particles", 10, "--light", *SMALL
    )
    np.testing.assert_array_equal(negative, -image)


def test_what_was_made_can_be_learned_from(capsys):
    simulate("a", "--fields", 2, "--structure", "hollow", "--symmetry", "o", *SMALL)
    assert (
        run("train", "--train-data-dir", "a", "--diameter", 120, "--depth", 0, "--output-dir", "model") == 0
    )
    assert run("evaluate", "a/coordinates", "a/coordinates", "--diameter", 120, "--spacing", 4) == 0
    assert "1.000" in capsys.readouterr().out


def test_a_map_is_simulated_at_its_own_size(capsys):
    ball = np.zeros((24, 24, 24), np.float32)
    z, y, x = np.indices(ball.shape) - 12
    ball[np.hypot(np.hypot(z, y), x) < 8] = 1
    with mrcfile.new("ball.mrc", ball) as file:
        file.voxel_size = 5.0
    _, (yx,) = simulate("a", "--structure", "ball.mrc", "--shape", 300, 300, "--spacing", 2)
    assert "ball.mrc, 8" in capsys.readouterr().out
    assert len(yx) > 3
    assert "drop --symmetry" in error_of(
        capsys, "simulate", "--output", "b", "--structure", "ball.mrc", "--symmetry", "C2"
    )


def test_mistakes_are_said_in_a_line(capsys):
    def said(*words: object) -> str:
        return error_of(capsys, "simulate", "--output", "x", *words)

    assert "no point group 'Q4'" in said("--symmetry", "Q4", *SMALL)
    assert "no such file" in said("--structure", "none.mrc")
    assert "neither a map nor a model" in said("--structure", "cube")
    assert "at least 1" in said("--fields", 0)
    assert "above 0 Å" in said("--diameter", 0)
    assert "smaller --spacing" in said("--diameter", 20, "--spacing", 4)
    assert "sizes above 0" in said("--spacing", 0)
    assert "too large" in said("--shape", 100000, 100000)
    assert "least and the largest" in said("--defocus", 3, 1)
    assert "--voxel-size is of a density map" in said("--voxel-size", 2)
    assert not Path("x").exists()
    assert "--output" in usage_of(capsys, "simulate")
