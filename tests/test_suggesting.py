from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from cryopick_napari.curriculum import Simulated, training_fields
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.suggesting import suggested_diameter

SPACING = 6.0  # Å/px, at which all of these particles are between 60 and 450 Å long
LEAST = 15  # particles
WITHIN = 1.3


@pytest.fixture(scope="module")
def unseen() -> list[Simulated]:
    """Give fields of ordinary signal with particles of a different kind each."""
    stream = training_fields(77, shape=(512, 512), diameter=(18.0, 45.0))
    clear = (field for field in stream if field.snr > 0.3 and len(field.centres) >= LEAST)
    return list(islice(clear, 6))


def micrograph(field: Simulated, spacing: float | None = SPACING, sign: int = 1) -> Micrograph:
    return Micrograph(np.ascontiguousarray(sign * field.image), spacing)


def close(fields: list[Simulated], suggestions) -> int:
    """Count suggestions near the true diameter."""
    ratios = [
        0.0 if found is None else found.diameter / field.diameter
        for field, found in zip(fields, suggestions, strict=True)
    ]
    print([round(ratio, 2) for ratio in ratios])
    return sum(1 / WITHIN <= ratio <= WITHIN for ratio in ratios)


def test_the_diameter_is_seen_on_most_fields(unseen):
    assert close(unseen, [suggested_diameter(micrograph(field)) for field in unseen]) >= 4


def test_dark_or_light_makes_no_difference(unseen):
    one, other = (suggested_diameter(micrograph(unseen[0], sign=sign)) for sign in (1, -1))
    assert one.diameter == pytest.approx(other.diameter, rel=0.02)


def test_it_needs_no_pixel_size(unseen):
    suggestions = [suggested_diameter(micrograph(field, spacing=None)) for field in unseen]
    assert close(unseen, suggestions) >= 3


def test_clicks_are_listened_to(unseen):
    clicked = [suggested_diameter(micrograph(field), field.centres[:3]) for field in unseen]
    assert close(unseen, clicked) >= 4
    field = unseen[0]
    place = np.array(field.image.shape) / 2
    empty = np.float32([place, place + 1, place - 1])
    confirmed = suggested_diameter(micrograph(field), field.centres[:3])
    beside = suggested_diameter(micrograph(field), empty + np.float32(0.5) * field.diameter)
    assert beside is None or beside.sureness <= confirmed.sureness


def test_nothing_is_suggested_where_nothing_is_seen():
    noise = np.random.default_rng(0).standard_normal((900, 900)).astype(np.float32)
    assert suggested_diameter(Micrograph(noise, 4.0)) is None
    assert suggested_diameter(Micrograph(noise[:60, :80], None)) is None
    assert suggested_diameter(Micrograph(noise[:4, :4], 4.0)) is None
    assert suggested_diameter(Micrograph(noise[:300, :300], 60.0)) is None  # a particle would be a few pixels
    masked = replace(Micrograph(noise, 4.0), mask=np.ones(noise.shape, bool))
    assert suggested_diameter(masked) is None
