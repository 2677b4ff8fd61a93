"""Endless simulated fields at the network's scale, of every kind, for a model that has seen much."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.camera import Camera, Denoising
from cryopick_napari.scene import Scene, Structure
from cryopick_napari.simulate import simulate
from cryopick_napari.structures import KINDS, invented

ANGSTROM = 80.0, 400.0  # longest side of a particle in Å: what is picked is rarely smaller or larger
SNR = 0.04, 6.0  # power of a particle over that of the noise, from single movie frames to sums of all
SHAPES = (*KINDS, "compact", "compact", "elongated", "hollow")  # the commonest more often
AXIAL = *(f"C{n}" for n in range(2, 13)), *(f"D{n}" for n in range(2, 9))
POLYHEDRAL = "T", "O", "I"
DENOISING: tuple[Denoising, ...] = ("low-pass", "low-pass", "bilateral", "non-local")
# of the noise's power, the most that the structure of the ice makes; the rest is electrons
ICE_NOISE = 0.5
UNEVEN = 0.02, 0.4  # deviation of uneven ice over that of the noise


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated field, and what is in it.

    Attributes
    ----------
    image : (h, w) float32
        Grey values of no particular unit, neither flattened nor normalised.
    centres : (n, 2) float32
        Row and column in px, pixel centres at integers, of every particle whose centre of mass lies in
        the field, however crowded; never of contamination.
    diameter : float
        Longest side of a particle in px.
    light : bool
        Whether particles are lighter than what surrounds them.
    snr : float
        Power of a particle's signal over that of the noise, within its disc.
    kind : tuple of str
        What it shows: the shape and point group of the particle, then contamination, then how the
        picture was treated.
    """

    image: NDArray[np.float32]
    centres: NDArray[np.float32]
    diameter: float
    light: bool
    snr: float
    kind: tuple[str, ...]


def training_fields(
    seed: int,
    *,
    shape: tuple[int, int] = (256, 256),
    diameter: tuple[float, float] = (11.0, 22.0),
) -> Iterator[Simulated]:
    """Simulate fields of a different particle each, without end.

    Parameters
    ----------
    seed : int
        At least 0. The same seed gives the same fields in the same order.
    shape : (int, int)
        Rows and columns of a field, px.
    diameter : (float, float)
        Least and largest longest side of a particle, px.
    """
    for number in count():
        rng = np.random.default_rng([seed, number])
        scene, snr, kind = _surprise(shape, float(rng.uniform(*diameter)), rng)
        micrograph, truth = simulate(scene, int(rng.integers(2**31)))
        yield Simulated(micrograph.image, truth.yx, scene.width, scene.light, snr, kind)


def _surprise(
    shape: tuple[int, int], width: float, rng: np.random.Generator
) -> tuple[Scene, float, tuple[str, ...]]:
    """Think of a scene whose particle is ``width`` px across."""
    diameter = _between(ANGSTROM, rng)
    kind = SHAPES[rng.integers(len(SHAPES))]
    symmetry = _symmetry(kind, rng)
    scene = Scene(
        shape,
        spacing=diameter / width,
        diameter=diameter,
        coverage=0.0 if rng.random() < 0.08 else float(rng.uniform(0.02, 0.6)),
        gap=float(rng.uniform(0.45, 1.2)),
        debris=float(rng.choice([0.0, rng.uniform(0, 1.5)])),
        defocus=_between((0.5, 3.5), rng),
        astigmatism=float(rng.exponential(0.05)),
        azimuth=float(rng.uniform(0, 180)),
        b_factor=_between((30.0, 400.0), rng),
        voltage=float(rng.choice([200.0, 300.0])),
        amplitude=float(rng.uniform(0.07, 0.15)),
        ripples=(diameter * _between((0.7, 4.0), rng), 20 * diameter),
        gradient=float(rng.uniform(0, 0.15)),
        carbon=_chance(0.15, rng),
        ice=int(rng.integers(1, 5)) if _chance(0.25, rng) else 0,
        gold=int(rng.integers(1, 6)) if _chance(0.12, rng) else 0,
        aggregates=int(rng.integers(1, 4)) if _chance(0.15, rng) else 0,
        light=_chance(0.25, rng),
        structure=invented(kind, symmetry, diameter, rng),
        camera=_camera(width, rng),
    )
    snr = _between(SNR, rng)
    return _as_noisy(scene, snr, rng), snr, (kind, symmetry, *_words(scene))


def _symmetry(kind: str, rng: np.random.Generator) -> str:
    """Choose a point group that a shape can have."""
    if kind in ("compact", "hollow") and _chance(0.25, rng):
        return POLYHEDRAL[rng.integers(len(POLYHEDRAL))]
    return AXIAL[rng.integers(len(AXIAL))] if _chance(0.5, rng) else "C1"


def _camera(width: float, rng: np.random.Generator) -> Camera:
    denoising = DENOISING[rng.integers(len(DENOISING))] if _chance(0.25, rng) else "none"
    # a stronger low-pass would leave nothing of particles of this many pixels
    strongest = 0.4 if denoising == "low-pass" else 1.0
    return Camera(
        blur=float(rng.uniform(0, 0.6)) if _chance(0.6, rng) else 0.0,
        coloured=float(rng.uniform(0.05, 0.35)) if _chance(0.25, rng) else 0.0,
        dead=int(rng.integers(1, 4)) if _chance(0.08, rng) else 0,
        smeared=int(rng.uniform(0.3, 1) * width) if _chance(0.06, rng) else 0,
        denoising=denoising,
        strength=strongest * float(rng.random()),
        eight_bit=_chance(0.3, rng),
    )


def _words(scene: Scene) -> tuple[str, ...]:
    camera = scene.camera
    said = {
        "empty": scene.count == 0,
        "carbon": scene.carbon,
        "ice": scene.ice,
        "gold": scene.gold,
        "aggregates": scene.aggregates,
        "coloured": camera.coloured,
        "dead": camera.dead,
        "smeared": camera.smeared,
        camera.denoising: camera.denoising != "none",
        "8-bit": camera.eight_bit,
        "light": scene.light,
    }
    return tuple(word for word, true in said.items() if true)


def _as_noisy(scene: Scene, snr: float, rng: np.random.Generator) -> Scene:
    """Choose dose and amorphous noise so that a particle has this ratio of signal to noise."""
    assert scene.structure is not None
    noise = signal_power(scene.structure, scene, rng) / snr
    of_ice = float(rng.uniform(0, ICE_NOISE))
    # deviation of the picture by ice of which each pixel has a phase of unit deviation
    white = rng.standard_normal((128, 128), dtype=np.float32)
    response = 2 * float(scene.imaged(white).std())
    return replace(
        scene,
        dose=1 / ((1 - of_ice) * noise * scene.spacing**2),
        amorphous=math.sqrt(of_ice * noise) / response * scene.spacing,
        undulation=_between(UNEVEN, rng) * math.sqrt(noise),
    )


def signal_power(structure: Structure, scene: Scene, rng: np.random.Generator) -> float:
    """Compute the variance of a noiseless picture of a particle over its disc; the background is 1."""
    side = math.ceil(3 * scene.width)
    middle = (side - 1) / 2
    powers = []
    for _ in range(3):  # views differ
        phase = np.zeros((side, side), np.float32)
        structure.rotated(rng).draw(phase, np.full(2, middle), scene.spacing)
        y, x = np.indices(phase.shape) - middle
        disc = np.hypot(y, x) < scene.width / 2
        powers.append(float(((2 * scene.imaged(phase)[disc]) ** 2).mean()))
    return float(np.mean(powers))


def _between(ends: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(math.log(ends[0]), math.log(ends[1]))))


def _chance(probability: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < probability)
