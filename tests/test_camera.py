from __future__ import annotations

import numpy as np
import pytest

from cryopick_napari.camera import IDEAL, Camera, recorded


def noisy_disc() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.indices((128, 140))
    disc = np.hypot(y - 60, x - 70) < 20
    noise = np.random.default_rng(0).normal(0, 1, disc.shape)
    return (100 - 2 * disc + noise).astype(np.float32), disc


def record(**how: object) -> np.ndarray:
    return recorded(noisy_disc()[0], Camera(**how), np.random.default_rng(1))


def power(image: np.ndarray) -> tuple[float, float]:
    """Power at low and at high frequencies."""
    spectrum = np.abs(np.fft.fft2(image - image.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in image.shape), indexing="ij"))
    return spectrum[(frequency > 0) & (frequency < 0.05)].mean(), spectrum[frequency > 0.4].mean()


def test_an_ideal_camera_changes_nothing():
    image, _ = noisy_disc()
    assert recorded(image, IDEAL, np.random.default_rng(0)) is image


@pytest.mark.parametrize("how", ["low-pass", "bilateral", "non-local"])
def test_denoising_leaves_the_disc_and_less_noise(how):
    image, disc = noisy_disc()
    grown = record(denoising=how, strength=0.3)
    before, after = (
        abs(picture[disc].mean() - picture[~disc].mean()) / picture[disc].std() for picture in (image, grown)
    )
    assert grown.shape == image.shape
    assert grown.dtype == np.float32
    assert after > 1.1 * before
    np.testing.assert_array_equal(image, noisy_disc()[0])


def test_stronger_denoising_leaves_less_noise():
    for how in ("low-pass", "bilateral", "non-local"):
        high = [
            power(record(denoising=how, strength=strength))[1]
            / power(record(denoising=how, strength=strength))[0]
            for strength in (0.1, 0.9)
        ]
        assert high[1] < high[0]


def test_blur_takes_high_frequencies_and_coloured_noise_adds_low_ones():
    plain, blurred, coloured = (power(record(**how)) for how in ({}, {"blur": 0.6}, {"coloured": 0.5}))
    assert blurred[1] < 0.3 * plain[1]
    assert blurred[0] > 0.9 * plain[0]
    assert coloured[0] - plain[0] > 3 * (coloured[1] - plain[1])


def test_dead_lines_say_nothing():
    image = record(dead=4)
    dead = (np.ptp(image, axis=1) == 0).sum() + (np.ptp(image, axis=0) == 0).sum()
    crossed = [np.unique(line).size < 100 for line in (*image, *image.T)]
    assert dead + sum(crossed) >= 3


def test_eight_bits_are_256_grey_values():
    image = record(eight_bit=True)
    assert set(np.unique(image)) <= set(range(256))
    assert len(np.unique(image)) > 100
    assert image.std() == pytest.approx(127.5 / 4, rel=0.02)


def test_the_same_generator_gives_the_same_picture():
    camera = Camera(coloured=0.3, dead=2, denoising="low-pass", eight_bit=True)
    first, again = (recorded(noisy_disc()[0], camera, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
