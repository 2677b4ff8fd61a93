from __future__ import annotations

import time
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_laplace, maximum_filter
from scipy.spatial.distance import pdist

from cryopick_napari.camera import Camera
from cryopick_napari.errors import CryopickError
from cryopick_napari.metrics import best_threshold
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.optics import contrast_transfer, filtered, underfocus, wavelength
from cryopick_napari.phantom import debris, protein
from cryopick_napari.picks import Picks
from cryopick_napari.scene import arrange
from cryopick_napari.simulate import SAMPLE_DIAMETER, SAMPLES, Scene, sample, samples, simulate, write_samples
from cryopick_napari.structures import invented

SMALL = Scene(shape=(256, 300), spacing=4.0, diameter=120.0)
CLEAN = replace(SMALL, dose=np.inf, amorphous=0.0, undulation=0.0, gradient=0.0, debris=0.0)


def centroid(weight: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.array([(index * weight).sum() for index in np.indices(weight.shape)]) / weight.sum()


def test_the_seed_decides_everything():
    first, again, other = (simulate(SMALL, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0].image, again[0].image)
    np.testing.assert_array_equal(first[1].yx, again[1].yx)
    assert not np.array_equal(first[1].yx, other[1].yx)
    assert first[0].image.dtype == np.float32
    assert first[0].spacing == 4.0


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_is_the_centre_of_mass(seed):
    scene = replace(CLEAN, shape=(255, 300), particles=1, protein=seed)
    inside = (
        n for n in count(seed * 100) if len(Picks.of(arrange(scene, n).particles).within(scene.shape, 40))
    )
    micrograph, truth = simulate(scene, next(inside))
    # the transfer function is symmetric, so it moves no centre of mass
    contrast = -np.log(micrograph.image.astype(float))
    corner = np.rint(truth.yx[0]).astype(int) - 35
    part = contrast[corner[0] :, corner[1] :][:71, :71]
    np.testing.assert_allclose(centroid(part) + corner, truth.yx[0], atol=0.2)


def test_particles_are_darker_than_what_surrounds_them():
    micrograph, truth = simulate(replace(CLEAN, gap=1.5, particles=15), 0)
    contrast = 1 - micrograph.image
    rows, columns = np.indices(contrast.shape)
    for y, x in truth.within(micrograph.shape, 20).yx:
        distance = np.hypot(rows - y, columns - x)
        ring = contrast[(distance > 17) & (distance < 25)].mean()
        assert contrast[distance < 14].mean() > 0.002 + ring


def test_light_is_the_negative_of_dark():
    dark, light = (simulate(replace(SMALL, light=light), 3)[0].image for light in (False, True))
    np.testing.assert_array_equal(light, -dark)


def test_an_empty_field_has_no_truth():
    micrograph, truth = simulate(replace(SMALL, particles=0), 0)
    assert len(truth) == 0
    assert truth.yx.shape == (0, 2)
    assert np.isfinite(micrograph.image).all()
    assert np.ptp(micrograph.image) > 0


@pytest.mark.parametrize("shape", [(1, 1), (63, 130), (257, 91)])
def test_any_shape_will_do(shape):
    micrograph, truth = simulate(replace(SMALL, shape=shape, carbon=True, ice=2, gold=2), 0)
    assert micrograph.shape == shape
    assert np.isfinite(micrograph.image).all()
    assert len(truth.within(shape)) == len(truth)


def test_particles_keep_their_distance():
    scene = replace(SMALL, shape=(600, 500), coverage=0.4, gap=0.9)
    truth = arrange(scene, 0).particles
    assert len(truth) == scene.count
    assert pdist(truth).min() >= 0.9 * scene.width


def test_what_does_not_fit_is_left_out():
    assert 5 < len(simulate(replace(SMALL, particles=1000), 0)[1]) < 200


@pytest.mark.parametrize("seed", range(5))
def test_no_particle_lies_on_carbon(seed):
    scene = replace(SMALL, shape=(500, 420), carbon=True, particles=60, debris=0.0, gradient=0.0)
    layout = arrange(scene, seed)
    micrograph, truth = simulate(scene, seed)
    rows, columns = np.indices(scene.shape)
    on_ice = layout.film.depth(rows, columns) > 0
    assert 0.5 < on_ice.mean() < 0.95
    assert micrograph.image[~on_ice].mean() < 0.95 * micrograph.image[on_ice].mean()
    assert (layout.film.depth(*truth.yx.T) > scene.width / 2).all()
    assert len(truth) > 20


def test_ice_is_dark_and_has_no_particles():
    scene = replace(SMALL, shape=(400, 400), ice=4, gold=2, undulation=0.0, gradient=0.0)
    layout = arrange(scene, 5)
    image = simulate(scene, 5)[0].image
    for (y, x), size in zip(np.rint(layout.crystals).astype(int), layout.sizes, strict=True):
        assert image[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6].mean() < 0.97 * np.median(image)
        assert np.hypot(*(layout.particles - (y, x)).T).min() > 0.5 * (size + scene.width)


@pytest.mark.parametrize("word", ["ice", "gold", "aggregates", "debris"])
def test_each_contamination_is_seen_where_it_lies_and_nowhere_else(word):
    scene = replace(CLEAN, shape=(400, 420), particles=10 if word == "debris" else 0, defocus=1.0)
    dirty = replace(scene, **{word: 0.3 if word == "debris" else 2})
    layout = arrange(dirty, 4)
    places = {"ice": layout.crystals, "gold": layout.beads, "aggregates": layout.heaps}.get(
        word, layout.debris
    )
    assert len(places)
    image, truth = simulate(dirty, 4)
    assert len(truth) == scene.particles
    added = np.abs(image.image - simulate(scene, 4)[0].image)
    rows, columns = np.indices(scene.shape)
    distance = np.min([np.hypot(rows - y, columns - x) for y, x in places], axis=0)
    assert added[distance < 8].mean() > 0.01
    assert added[distance < 8].mean() > 10 * added[distance > 3.5 * scene.width].mean()


@pytest.mark.parametrize("light", [False, True])
def test_a_particle_lies_where_its_projection_correlates_best(light):
    particle = invented("lobed", "C1", 120.0, np.random.default_rng(2))
    scene = replace(SMALL, particles=1, structure=particle, dose=200.0, light=light, carbon=True, gold=2)
    seen = 0
    for seed in range(8):
        micrograph, truth = simulate(scene, seed)
        for y, x in truth.within(scene.shape, 20).yx:
            # the same pose is drawn from the same generator, after film and ice of its own
            clean = simulate(replace(scene, dose=np.inf), seed)[0].image
            empty = simulate(replace(scene, dose=np.inf, particles=0), seed)[0].image
            pattern = clean - empty
            image = micrograph.image - empty * (200.0 * scene.spacing**2)
            spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(pattern))
            peak = np.unravel_index(np.fft.irfft2(spectrum, s=scene.shape).argmax(), scene.shape)
            assert all(min(p, n - p) <= 1 for p, n in zip(peak, scene.shape, strict=True))
            weight = np.abs(pattern) > 0.3 * np.abs(pattern).max()
            assert np.abs(centroid(weight.astype(float)) - (y, x)).max() < 0.3 * scene.width
            seen += 1
    assert seen > 3


def test_debris_does_not_move_particles():
    few, many = (arrange(replace(SMALL, debris=amount), 0) for amount in (0.1, 2.0))
    np.testing.assert_array_equal(few.particles, many.particles)
    assert len(few.debris) < len(many.debris)


def test_noise_is_that_of_counted_electrons():
    image = simulate(replace(CLEAN, particles=0, dose=10.0), 0)[0].image
    assert image.mean() == pytest.approx(10 * 4**2, rel=0.01)
    assert image.std() == pytest.approx((10 * 4**2) ** 0.5, rel=0.02)


@pytest.mark.parametrize("wrong", [{"shape": (0, 5)}, {"spacing": 0}, {"dose": -1.0}, {"particles": -1}])
def test_impossible_scenes_are_refused(wrong):
    with pytest.raises(CryopickError, match="simulated field"):
        replace(SMALL, **wrong)


def test_the_wavelength_is_the_textbook_s():
    assert wavelength(300) == pytest.approx(0.019687, abs=1e-6)
    assert wavelength(200) == pytest.approx(0.025079, abs=1e-6)


def test_the_transfer_function_crosses_zero_where_it_should():
    # without amplitude contrast and aberration, zeros lie at k^2 = n / (lambda defocus)
    zeros = np.arange(1, 6) / (wavelength(300) * 1.5e4)
    transfer = contrast_transfer(zeros.astype(np.float32), 1.5, aberration=0.0, amplitude=0.0)
    np.testing.assert_allclose(transfer, 0, atol=1e-5)
    assert contrast_transfer(np.zeros(1, np.float32), 1.5)[0] == pytest.approx(0.07)


def test_astigmatism_moves_the_zeros_along_its_axes():
    rows, columns = np.meshgrid(np.fft.fftfreq(64, 3.0), np.fft.rfftfreq(64, 3.0), indexing="ij")
    focus = underfocus(rows.astype(np.float32), columns.astype(np.float32), 1.5, 0.4, 90.0)
    assert focus[5, 0] == pytest.approx(1.7)  # along the rows' axis, where the azimuth points
    assert focus[0, 5] == pytest.approx(1.3)
    assert focus[5, 5] == pytest.approx(1.5)


def test_noise_through_the_microscope_has_no_power_where_theory_says_zero():
    white = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    image = filtered(white, 2.0, 2.0, aberration=0.0, amplitude=0.0, astigmatism=0.5, azimuth=0.0)
    power = np.abs(np.fft.rfft2(image)) ** 2
    # k^2 = n / (lambda defocus); 2.25 µm along columns, 1.75 along rows
    for n in (1, 2, 3):
        along = np.sqrt(n / wavelength(300) / 2.25e4) * 512 * 2.0
        across = np.sqrt(n / wavelength(300) / 1.75e4) * 512 * 2.0
        half = np.sqrt((n - 0.5) / wavelength(300) / 2.25e4) * 512 * 2.0
        assert power[:3, round(along)].mean() < 0.05 * power[:3, round(half) - 2 : round(half) + 3].mean()
        assert power[round(across), :3].mean() < 0.05 * power[:3, round(half) - 2 : round(half) + 3].mean()


def test_smeared_rows_and_columns_hold_no_particle():
    scene = replace(SMALL, camera=Camera(smeared=40), particles=40, gap=0.3)
    micrograph, truth = simulate(scene, 0)
    assert (micrograph.image[:40] == micrograph.image[40]).all()
    assert (micrograph.image[:, :40] == micrograph.image[:, 40:41]).all()
    assert len(truth) < len(arrange(scene, 0).particles)
    assert truth.yx.min() >= 39.5


@pytest.mark.parametrize("seed", range(3))
def test_a_drawn_phantom_keeps_its_mass_and_centre(seed):
    rng = np.random.default_rng(seed)
    canvas = np.zeros((120, 131), np.float32)
    phantom = (debris(100.0, rng) if seed else protein(100.0, seed)).rotated(rng)
    phantom.draw(canvas, np.array([60.3, 65.8]), 4.0)
    assert canvas.sum() * 4.0**2 == pytest.approx(phantom.mass.sum(), rel=1e-3)
    np.testing.assert_allclose(centroid(canvas), (60.3, 65.8), atol=0.01)


def test_a_protein_is_as_long_as_asked():
    phantom = protein(165.0, 0)
    assert 0.85 * 165 < 2 * phantom.radius < 1.15 * 165
    assert np.ptp(phantom.zyx[:, 0]) > 1.1 * np.ptp(phantom.zyx[:, 2])


@pytest.fixture(scope="module")
def embedded() -> list[tuple[Micrograph, Picks]]:
    return [sample(number) for number in range(len(SAMPLES))]


def test_samples_are_small_and_read_fast():
    start = time.process_time()
    embedded = [sample(number) for number in range(4)]
    assert time.process_time() - start < 1
    assert sum(path.stat().st_size for path in samples()[0].parent.iterdir()) < 4.5e6
    for (micrograph, truth), path, scene in zip(embedded, samples(), SAMPLES.values(), strict=True):
        assert (micrograph.shape, micrograph.spacing) == (scene.shape, pytest.approx(3.0))
        assert (micrograph.path, scene.diameter) == (path, SAMPLE_DIAMETER)
        assert 100 <= len(truth) <= 150
        assert len(truth.within(micrograph.shape)) == len(truth)


@pytest.mark.parametrize("number", [-1, 4])
def test_there_are_no_other_samples(number):
    with pytest.raises(CryopickError, match="0 to 3"):
        sample(number)


def test_samples_can_be_made_again(tmp_path: Path, embedded):
    start = time.process_time()
    write_samples(tmp_path)
    assert time.process_time() - start < 4 * 2
    for path, (micrograph, truth) in zip(samples(), embedded, strict=True):
        new = mrcfile.read(tmp_path / path.name)
        assert new.dtype == np.int8
        # another processor may round one count in a million differently
        assert np.abs(new - micrograph.image).mean() < 0.01
        xy = np.loadtxt(tmp_path / f"{path.stem}.csv", delimiter=",", skiprows=1)
        np.testing.assert_allclose(xy[:, ::-1], truth.yx, atol=0.011)


def blobs(image: NDArray[np.float32], sigma: float, sign: int, apart: int) -> Picks:
    response = sign * gaussian_laplace(image, sigma)
    peaks = np.argwhere(response == maximum_filter(response, apart))
    return Picks.of(peaks, response[tuple(peaks.T)])


def test_a_blob_detector_does_not_solve_the_samples(embedded):
    binned, radius = [], SAMPLE_DIAMETER / 3.0 / 4 / 2
    for micrograph, truth in embedded:
        height, width = (n // 2 for n in micrograph.shape)
        image = micrograph.image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
        binned.append((image, Picks.of((truth.yx - 0.5) / 2)))
    best = np.zeros(5)
    for part, sign, apart in product((0.06, 0.1, 0.15, 0.2, 0.26, 0.34), (1, -1), (0.35, 0.7)):
        width = SAMPLE_DIAMETER / 6.0
        found = [(blobs(image, part * width, sign, round(apart * width)), truth) for image, truth in binned]
        each = [best_threshold([field], radius)[1].f1 for field in found]
        best = np.maximum(best, [*each, best_threshold(found, radius)[1].f1])
    print("F1 of the Laplacian of Gaussians:", best.round(3))
    assert best.max() <= 0.5
    assert best.min() > 0.2
