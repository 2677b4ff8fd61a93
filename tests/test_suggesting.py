from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryopick_napari.micrograph import Micrograph
from cryopick_napari.scene import Scene
from cryopick_napari.simulate import simulate
from cryopick_napari.suggesting import suggested_diameter

SCENE = Scene((1100, 1000), spacing=4.0, diameter=180.0, protein=77, dose=120.0, debris=0.0, coverage=0.2)
WITHIN = 1.35  # times; this particle is longer in one direction than in the others


@pytest.fixture(scope="module")
def unseen():
    return simulate(SCENE, 123)


def is_close(suggestion, spacing: float | None = SCENE.spacing) -> bool:
    angstrom = suggestion.diameter * (spacing or SCENE.spacing)
    print(f"{angstrom:.0f} Å, {suggestion.sureness:.2f}")
    return SCENE.diameter / WITHIN <= angstrom <= SCENE.diameter * WITHIN


def test_the_diameter_is_seen_on_the_field_dark_or_light(unseen):
    micrograph, _ = unseen
    assert is_close(suggested_diameter(micrograph))
    assert is_close(suggested_diameter(replace(micrograph, image=-micrograph.image)))


def test_it_needs_no_pixel_size(unseen):
    micrograph, _ = unseen
    assert is_close(suggested_diameter(replace(micrograph, spacing=None)))


def test_clicks_are_listened_to(unseen):
    micrograph, truth = unseen
    clicks = truth.yx[truth.yx.max(axis=1) < 600][:3]
    asked = suggested_diameter(micrograph, clicks)
    assert is_close(asked)
    between = np.float32([(20, 20), (25, 30), (30, 20)])  # nothing is there
    contradicted = suggested_diameter(micrograph, between)
    assert contradicted is None or contradicted.sureness < asked.sureness


def test_nothing_is_suggested_where_nothing_is_seen():
    noise = np.random.default_rng(0).standard_normal((900, 900)).astype(np.float32)
    assert suggested_diameter(Micrograph(noise, 4.0)) is None
    assert suggested_diameter(Micrograph(noise[:60, :80], None)) is None
    assert suggested_diameter(Micrograph(noise[:4, :4], 4.0)) is None
    assert suggested_diameter(Micrograph(noise[:300, :300], 60.0)) is None  # a particle would be a few pixels
