"""Invented particles: folds of a chain, in many shapes and with point-group symmetry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from cryopick_napari.errors import CryopickError
from cryopick_napari.phantom import PHASE, Phantom, directions, longest_side
from cryopick_napari.symmetry import symmetric

Points = NDArray[np.float64]
Inside = Callable[[Points], NDArray[np.bool_]]
BEADS = 240  # of a whole particle, about


def invented(kind: str, symmetry: str, diameter: float, rng: np.random.Generator) -> Phantom:
    """Invent a particle.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    symmetry : str
        Point group: C1, C2, ..., D2, D3, ..., T, O or I. Symmetric about z and the centre of mass.
    diameter : float
        Longest side in Å, at one sigma of its Gaussians.
    rng : numpy.random.Generator
        The only source of randomness.

    Raises
    ------
    CryopickError
        If there is no such kind or point group, or the diameter is not above 0.
    """
    if not (math.isfinite(diameter) and diameter > 0):
        raise CryopickError(f"a particle's diameter must be above 0 Å, not {diameter:g}")
    if kind not in KINDS:
        raise CryopickError(f"there is no structure {kind!r}: choose one of {', '.join(KINDS)}")
    group = symmetric(symmetry)
    unit = KINDS[kind](max(4, round(BEADS / len(group))), group, rng)
    zyx = np.concatenate([turn.apply(unit) for turn in group])
    # the same weights for every copy: side chains, bound water and flexible loops differ in density
    mass = np.tile(rng.uniform(0.6, 1.4, len(unit)), len(group))
    sigma = np.tile(rng.uniform(0.035, 0.055, len(unit)), len(group))
    zyx -= np.average(zyx, axis=0, weights=mass)
    return filled(_sized(Phantom(zyx, sigma, mass), diameter))


def filled(phantom: Phantom) -> Phantom:
    """Give a phantom the mass of protein of its volume; its masses so far are only relative.

    The volume is that of all balls of 1.5 sigma together, to about three percent.
    """
    reach = np.abs(phantom.zyx).max() + 2 * phantom.sigma.max()
    points = np.random.default_rng(0).uniform(-reach, reach, (5000, 3))
    share = ((cdist(points, phantom.zyx) / phantom.sigma).min(axis=1) < 1.5).mean()
    return replace(phantom, mass=phantom.mass * (PHASE * share * (2 * reach) ** 3 / phantom.mass.sum()))


def _sized(phantom: Phantom, diameter: float) -> Phantom:
    """Scale positions so that the longest side is ``diameter`` Å; sigma comes in diameters."""
    sigma = phantom.sigma * diameter
    scale = (diameter - 2 * sigma.max()) / longest_side(phantom.zyx)
    return Phantom(phantom.zyx * scale, sigma, phantom.mass)


def _fold(count: int, inside: Inside, group: Rotation, rng: np.random.Generator) -> Points:
    """Walk a chain (count, 3) through what is ``inside``, in particle radii, away from itself and its copies.

    So it fills the particle evenly, as protein does. Where it cannot go on, another chain begins where
    there is most room.
    """
    room = rng.uniform(-1, 1, (2000, 3))
    room = room[inside(room)]
    # from one bead to the next where all of them fill that volume
    step = 2 * float(np.cbrt(len(room) / 2000 / (count * len(group))))
    nearest = np.full(len(room), np.inf)
    chain: list[Points] = []
    taken = np.empty((0, 3))
    while len(chain) < count:
        ahead = chain[-1] + step * directions(16, rng) if chain else room[:0]
        ahead = ahead[inside(ahead)]
        apart = cdist(ahead, taken).min(axis=1) if len(ahead) else np.zeros(1)
        chain.append(ahead[apart.argmax()] if apart.max() > 0.9 * step else room[nearest.argmax()])
        copies = group.apply(chain[-1])
        nearest = np.minimum(nearest, cdist(room, copies).min(axis=1))
        taken = np.concatenate([taken, copies])
    return np.asarray(chain)


def _compact(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    axes = np.sort(rng.uniform(0.7, 1.0, 3))
    return _fold(count, lambda p: ((p / axes) ** 2).sum(axis=1) < 1, group, rng)


def _elongated(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    axes = np.asarray([1.0, *rng.uniform(0.3, 0.5, 2)])
    return _fold(count, lambda p: ((p / axes) ** 2).sum(axis=1) < 1, group, rng)


def _hollow(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    hole = rng.uniform(0.5, 0.8)

    def shell(p: Points) -> NDArray[np.bool_]:
        radius = np.linalg.norm(p, axis=1)
        return np.asarray((radius < 1) & (radius > hole))

    return _fold(count, shell, group, rng)


def _lobed(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    big = rng.uniform(0.5, 0.65)
    small = 1.1 - big  # they touch
    first, second = np.asarray([1 - big, 0, 0]), np.asarray([small - 1, 0, rng.uniform(0, 0.3)])

    def inside(p: Points) -> NDArray[np.bool_]:
        return np.asarray(
            (np.linalg.norm(p - first, axis=1) < big) | (np.linalg.norm(p - second, axis=1) < small)
        )

    return _fold(count, inside, group, rng)


def _ring(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    thick, height = rng.uniform(0.15, 0.3), rng.uniform(0.2, 0.6)

    def inside(p: Points) -> NDArray[np.bool_]:
        away = np.abs(np.hypot(p[:, 1], p[:, 2]) - (1 - thick))
        return np.asarray((away < thick) & (np.abs(p[:, 0]) < height))

    return _fold(count, inside, group, rng)


def _rod(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    thick = rng.uniform(0.14, 0.28)
    return _fold(count, lambda p: (np.hypot(p[:, 1], p[:, 2]) < thick) & (np.abs(p[:, 0]) < 1), group, rng)


def _disc(count: int, group: Rotation, rng: np.random.Generator) -> Points:
    """A protein across a round piece of membrane: two dense leaflets of head groups, and what it holds."""
    half = rng.uniform(0.12, 0.2)
    lipids = 2 * count // 3
    number = np.arange(lipids)
    # a sunflower's head, which covers a disc evenly (Vogel 1979)
    angle, radius = number * math.pi * (3 - math.sqrt(5)), np.sqrt((number + 0.5) / lipids)
    side = half * rng.choice([-1.0, 1.0], lipids)
    leaflets = np.stack([side, radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    wide, tall = rng.uniform(0.3, 0.55), rng.uniform(0.4, 0.8)
    core = _fold(
        count - lipids, lambda p: (np.hypot(p[:, 1], p[:, 2]) < wide) & (np.abs(p[:, 0]) < tall), group, rng
    )
    return np.concatenate([leaflets, core])


KINDS: dict[str, Callable[[int, Rotation, np.random.Generator], Points]] = {
    "compact": _compact,
    "elongated": _elongated,
    "hollow": _hollow,
    "lobed": _lobed,
    "ring": _ring,
    "rod": _rod,
    "disc": _disc,
}
