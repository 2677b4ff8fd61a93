"""Contamination from the command line: left out, kept, written, and taken from other programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import error_of, run

from cryopick_napari.coordinates import read_coordinates
from cryopick_napari.examples import new_picker
from cryopick_napari.first_look import first_look
from cryopick_napari.labels import Example, Labels
from cryopick_napari.picks import Picks
from cryopick_napari.scene import arrange
from cryopick_napari.simulate import SAMPLE_DIAMETER, SAMPLES, sample, samples

NAME = "sample-2-carbon"
FILM = arrange(SAMPLES[NAME], 2).film


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    micrograph, truth = sample(0)
    example = Example(micrograph, Labels(truth.where(np.arange(30))))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    look = first_look([example], new_picker([example], SAMPLE_DIAMETER).config)
    look.configured(pair_correlation=()).save(path)  # picks on the film are no neighbours of others
    return path


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with a field that a film reaches into, and its particles."""
    for part in ("micrographs", "coordinates"):
        (tmp_path / part).mkdir()
    shutil.copy(samples()[2], tmp_path / "micrographs")
    shutil.copy(samples()[2].with_suffix(".csv"), tmp_path / "coordinates")
    monkeypatch.chdir(tmp_path)


def picks(model: Path, folder: str, *words: object) -> Picks:
    assert run("pick", "micrographs", "--model", model, "--output", folder, "--format", "csv", *words) == 0
    return read_coordinates(f"{folder}/{NAME}.csv")[0].picks


def on_film(found: Picks) -> int:
    return int((FILM.depth(*found.yx.T.astype(float)) < 0).sum())


def test_nothing_is_picked_on_the_film_unless_it_is_asked_for(model, capsys):
    clean = picks(model, "out")
    everything = picks(model, "out", "--no-contamination-mask")
    assert "1 micrograph " in capsys.readouterr().out.splitlines()[-1]  # it did not pass for done
    assert on_film(clean) == 0
    assert on_film(everything) >= 10
    kept = {tuple(place) for place in everything.yx.tolist()}
    # Elsewhere nothing is another; beside the film a pick on it may have driven one out.
    diameter = SAMPLE_DIAMETER / (sample(2)[0].spacing or 1)
    far = clean.where(FILM.depth(*clean.yx.T.astype(float)) > diameter)
    assert {tuple(place) for place in far.yx.tolist()} < kept
    assert len(far) > 20


def test_a_mask_that_was_written_does_the_same_when_it_is_given(model):
    clean = picks(model, "out", "--save-masks")
    mask = cv2.imread(f"out/masks/{NAME}.png", cv2.IMREAD_UNCHANGED)
    assert mask.shape == (1024, 1024)
    assert set(np.unique(mask)) == {0, 255}
    assert 0.2 < (mask > 0).mean() < 0.4
    given = picks(model, "given", "--no-contamination-mask", "--masks", "out/masks")
    assert on_film(given) == 0
    found = {tuple(np.rint(place / 8)) for place in given.yx}
    same = sum(tuple(np.rint(place / 8)) in found for place in clean.yx)
    assert same > 0.8 * len(clean)  # what lies beyond no longer has a say in the normalisation


def test_masks_do_not_stand_in_the_way_of_skipping_what_is_done(model, capsys):
    picks(model, "out", "--save-masks")
    picks(model, "out", "--save-masks")
    assert "1 done before" in capsys.readouterr().out.splitlines()[-1]
    Path("out/masks", f"{NAME}.png").unlink()
    picks(model, "out", "--save-masks")
    assert Path("out/masks", f"{NAME}.png").exists()


def test_a_damaged_or_foreign_mask_is_said_and_the_micrograph_passed_over(model, capsys):
    Path("masks").mkdir()
    words = ("pick", "micrographs", "--model", model, "--output", "out", "--masks", "masks")
    assert "masks holds no mask for micrographs" in error_of(capsys, *words)
    file = Path("masks", f"{NAME}.png")
    for content, complaint in (
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
        (None, "cannot be of a micrograph"),
    ):
        if content is None:
            cv2.imwrite(str(file), np.zeros((100, 200), np.uint8))
        else:
            file.write_bytes(content)
        assert run(*words) == 1
        said = capsys.readouterr().err
        assert f"skipped: {file}: " in said
        assert complaint in said
        assert "Traceback" not in said


def test_training_learns_nothing_where_a_mask_lies(capsys):
    Path("masks").mkdir()
    mask = np.full((256, 256), 255, np.uint8)
    cv2.imwrite(f"masks/{NAME}.png", mask)
    words = ("train", "--micrographs", "micrographs", "--coordinates", "coordinates", "--depth", "0")
    words = (*words, "--diameter", SAMPLE_DIAMETER, "--output-dir", "model", "--masks", "masks")
    assert "needs 3 labelled particles on a live part" in error_of(capsys, *words)
    mask[:160] = 0
    cv2.imwrite(f"masks/{NAME}.png", mask)
    assert run(*words) == 0
    model = Path("model/model.safetensors")
    found = picks(model, "out", "--masks", "masks", "--threshold", 0.1)
    assert len(found) > 30
    assert found.yx[:, 0].max() < 645
    mask[:] = 255
    cv2.imwrite(f"masks/{NAME}.png", mask)
    assert len(picks(model, "none", "--masks", "masks", "--threshold", 0)) == 0
