from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cryopick_napari.errors import CryopickError
from cryopick_napari.phantom import PHASE
from cryopick_napari.structures import KINDS, invented
from cryopick_napari.symmetry import symmetric

ORDERS = {"C1": 1, "C2": 2, "c12": 12, "D2": 4, "D8": 16, "T": 12, "O": 24, "I": 60}


@pytest.mark.parametrize("name", ORDERS)
def test_a_point_group_is_closed_and_of_its_order(name):
    group = symmetric(name)
    assert len(group) == ORDERS[name]
    for turn in group[:5]:
        products = (turn * group).as_matrix().reshape(-1, 9)
        assert cKDTree(group.as_matrix().reshape(-1, 9)).query(products)[0].max() < 1e-9


@pytest.mark.parametrize("name", ["C0", "D", "C61", "X", "", "I2", "C-3", "C٣x"])
def test_other_point_groups_are_refused(name):
    with pytest.raises(CryopickError, match="no point group"):
        symmetric(name)


@pytest.mark.parametrize("name", ORDERS)
def test_a_symmetric_particle_looks_the_same_after_each_of_its_turns(name):
    particle = invented("compact", name, 150.0, np.random.default_rng(1))
    for turn in symmetric(name):
        distance, _ = cKDTree(particle.zyx).query(turn.apply(particle.zyx))
        assert distance.max() < 1e-6
    if name != "C1":
        other = symmetric("C5" if name != "I" else "C7")[1]
        assert cKDTree(particle.zyx).query(other.apply(particle.zyx))[0].max() > 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_invented_particle_is_as_long_as_asked_and_as_dense_as_protein(kind):
    particle = invented(kind, "C3", 200.0, np.random.default_rng(0))
    assert particle.diameter == pytest.approx(200, abs=1)
    np.testing.assert_allclose(np.average(particle.zyx, axis=0, weights=particle.mass), 0, atol=1e-9)
    volume = particle.mass.sum() / PHASE
    assert 0.01 < volume / (np.pi / 6 * 200**3) < 1


def test_shapes_differ_as_their_names_say():
    def axes(kind, symmetry="C1"):
        return np.sqrt(
            np.linalg.eigvalsh(np.cov(invented(kind, symmetry, 1.0, np.random.default_rng(3)).zyx.T))
        )

    def emptiness(kind):
        zyx = invented(kind, "C1", 1.0, np.random.default_rng(3)).zyx
        return (np.linalg.norm(zyx, axis=1) < 0.15).mean()

    assert axes("rod")[2] > 3 * axes("rod")[1]
    assert axes("elongated")[2] > 1.5 * axes("elongated")[1]
    assert axes("disc")[0] < 0.7 * axes("disc")[1]
    assert emptiness("hollow") == emptiness("ring") == 0 < emptiness("compact")


def test_an_unknown_shape_or_size_is_refused():
    for size in (0.0, -5.0, np.nan):
        with pytest.raises(CryopickError, match="above 0 Å"):
            invented("rod", "C1", size, np.random.default_rng(0))
    with pytest.raises(CryopickError, match="choose one of compact, "):
        invented("cube", "C1", 100.0, np.random.default_rng(0))
