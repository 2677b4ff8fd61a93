"""The README's example, run as it stands, and what its picker is good for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryopick_napari.metrics import STRICT, Score, score
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.simulate import SAMPLE_DIAMETER, Scene, sample, simulate

README = Path(__file__).parent.parent / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="no README.md beside the tests")


@pytest.fixture(scope="module")
def example() -> Mapping[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_the_example_picks_unseen_micrographs(example: Mapping[str, Any]) -> None:
    total = Score(0, 0, 0)
    for number in (2, 3):
        micrograph, truth = sample(number)
        found = example["picker"].pick(micrograph)
        total += score(found, truth, STRICT * SAMPLE_DIAMETER / micrograph.spacing)
    assert total.f1 > 0.8


def test_light_particles_are_picked_like_dark_ones(example: Mapping[str, Any]) -> None:
    micrograph, _ = sample(2)
    dark = example["picker"].pick(micrograph)
    light = example["picker"].pick(Micrograph(-micrograph.image, micrograph.spacing))
    np.testing.assert_array_equal(dark.yx, light.yx)


def test_an_empty_field_collects_few_picks(example: Mapping[str, Any]) -> None:
    micrograph, truth = simulate(Scene(diameter=SAMPLE_DIAMETER, coverage=0.0), seed=77)
    assert not len(truth)
    assert len(example["picker"].pick(micrograph)) <= 15  # a full field of this size holds about 100
