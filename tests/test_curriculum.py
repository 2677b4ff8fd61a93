from __future__ import annotations

import time
from itertools import islice

import numpy as np
import pytest

from cryopick_napari.curriculum import Simulated, training_fields


@pytest.fixture(scope="module")
def fields() -> list[Simulated]:
    return list(islice(training_fields(5, shape=(128, 160)), 40))


def test_the_same_seed_gives_the_same_fields(fields):
    for first, again in zip(fields, islice(training_fields(5, shape=(128, 160)), 3), strict=False):
        np.testing.assert_array_equal(first.image, again.image)
        np.testing.assert_array_equal(first.centres, again.centres)
    assert not np.array_equal(next(training_fields(6, shape=(128, 160))).image, fields[0].image)


def test_fields_are_of_the_asked_size_and_particles_inside(fields):
    for field in fields:
        assert field.image.shape == (128, 160)
        assert field.image.dtype == np.float32
        assert np.isfinite(field.image).all()
        assert np.ptp(field.image) > 0
        assert 11 <= field.diameter <= 22
        assert ((field.centres > -0.51) & (field.centres < (127.51, 159.51))).all()


def contrast(field: Simulated) -> float:
    """Mean grey value at the particles over the field's, in deviations; above 0 where they are lighter."""
    y, x = np.clip(np.rint(field.centres).astype(int), 0, (127, 159)).T
    return float((field.image[y, x].mean() - np.median(field.image)) / field.image.std())


def test_particles_are_where_they_are_said_to_be_and_as_light_as_said(fields):
    clear = [field for field in fields if field.snr > 0.3 and len(field.centres) > 10]
    clear = [field for field in clear if "ring" not in field.kind and "hollow" not in field.kind]
    assert len(clear) > 5
    right = [(contrast(field) > 0) == field.light for field in clear]
    assert np.mean(right) > 0.9


def test_there_is_everything_in_a_hundred_and_fifty_fields(fields):
    words = {word for field in islice(training_fields(0, shape=(64, 64)), 150) for word in field.kind}
    assert words >= {"carbon", "ice", "gold", "aggregates", "dead", "smeared", "light", "8-bit", "coloured"}
    assert words >= {"low-pass", "bilateral", "non-local", "empty", "hollow", "rod", "ring", "disc", "lobed"}
    assert words >= {"C1", "I", "O", "T"}


def test_a_field_takes_a_fraction_of_a_second():
    start = time.process_time()
    assert len(list(islice(training_fields(1), 20))) == 20
    # 0.09 s each on an idle core; processors that share theirs with others take twice as long
    assert time.process_time() - start < 20 * 0.3
