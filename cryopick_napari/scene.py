"""What to simulate, and where everything lies in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.camera import IDEAL, Camera
from cryopick_napari.errors import CryopickError
from cryopick_napari.optics import filtered
from cryopick_napari.specimen import Hole, hole

BEAD = 100.0  # diameter of a gold bead in Å
Points = NDArray[np.float64]


class Structure(Protocol):
    """A particle about its centre of mass, as `Phantom` and `Volume` are."""

    @property
    def diameter(self) -> float:
        """Longest side in Å."""

    def rotated(self, rng: np.random.Generator) -> Self:
        """Turn it at random."""

    def draw(self, canvas: NDArray[np.float32], centre: Points, spacing: float) -> None:
        """Add its projection to a canvas, in place; see `Phantom.draw`."""


@dataclass(frozen=True)
class Scene:
    """What a simulated micrograph shows, and how it was taken.

    Attributes
    ----------
    shape : (h, w)
        Size of the field in px.
    spacing : float
        Pixel size in Å/px.
    diameter : float
        Longest side of the particle in Å.
    particles : int or None
        How many have their centre in the field; None: as ``coverage`` says.
        Fewer where they do not fit.
    coverage : float
        Share of the field under discs of ``diameter``; it ends at about 0.6.
    protein : int
        Which protein: the same number is the same structure in every field.
    gap : float
        Least distance between the centres of two particles, in diameters.
    debris : float
        Smaller proteins and unfolded chains a particle; they are not in the truth.
    defocus : float
        Underfocus in µm.
    dose : float
        Electrons per Å²; infinite is a detector without noise, whose image is the transmission.
    amorphous : float
        Noise by the structure of the ice: deviation of the phase in rad, averaged over 1 Å².
    undulation : float
        Deviation of the logarithm of the transmission by uneven ice.
    ripples : (float, float)
        Least and largest wavelength of uneven ice in Å.
    gradient : float
        Change of the logarithm of the transmission from one side of the field to the opposite one.
    carbon : bool
        Whether the edge of the carbon film crosses the field; no particle lies on the film.
    ice : int
        Number of ice crystals.
    gold : int
        Number of gold beads of 100 Å.
    aggregates : int
        Number of heaps of unfolded protein.
    light : bool
        Whether particles are light: the negative image. Raw micrographs show them dark.
    voltage, aberration, amplitude : float
        Of the microscope: kV, mm, and the fraction of amplitude contrast.
    astigmatism, azimuth : float
        Difference of the largest and the least underfocus in µm, and the direction of the largest in
        degrees, from the columns' axis towards the rows'.
    b_factor : float
        Decay of the envelope in Å².
    structure : Structure or None
        The particle; None: the ``protein`` of that number.
    camera : Camera
        What the detector and the file make of it.
    """

    shape: tuple[int, int] = (1024, 1024)
    spacing: float = 3.0
    diameter: float = 165.0
    particles: int | None = None
    coverage: float = 0.27
    protein: int = 0
    gap: float = 0.8
    debris: float = 0.5
    defocus: float = 1.5
    dose: float = 30.0
    amorphous: float = 0.6
    undulation: float = 0.01
    ripples: tuple[float, float] = (150.0, 750.0)
    gradient: float = 0.03
    carbon: bool = False
    ice: int = 0
    gold: int = 0
    aggregates: int = 0
    light: bool = False
    voltage: float = 300.0
    aberration: float = 2.7
    amplitude: float = 0.07
    astigmatism: float = 0.0
    azimuth: float = 0.0
    b_factor: float = 100.0
    structure: Structure | None = None
    camera: Camera = IDEAL

    def __post_init__(self) -> None:
        sizes = (*self.shape, self.spacing, self.diameter, self.dose, self.voltage)
        amounts = (
            self.particles or 0,
            self.coverage,
            self.gap,
            self.debris,
            self.ice,
            self.gold,
            self.aggregates,
        )
        if min(sizes) <= 0 or min(amounts) < 0:
            raise CryopickError("a simulated field needs sizes above 0, and amounts of at least 0")

    @property
    def width(self) -> float:
        """Longest side of the particle in px."""
        return self.diameter / self.spacing

    @property
    def count(self) -> int:
        """Particles wanted in the field."""
        if self.particles is not None:
            return self.particles
        return round(self.coverage * math.prod(self.shape) / (math.pi * self.width**2 / 4))

    def imaged(self, phase: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pass a projected phase (h, w) in rad through the microscope."""
        return filtered(
            phase,
            self.spacing,
            self.defocus,
            self.voltage,
            self.aberration,
            self.amplitude,
            self.b_factor,
            self.astigmatism,
            self.azimuth,
        )


LARGE = Scene(shape=(4092, 5760), spacing=0.83, diameter=150.0)  # a whole field of a large detector


@dataclass(frozen=True, eq=False)
class Layout:
    """Where everything lies: rows and columns (n, 2) in px of the field.

    ``sizes`` (n,) are those of the crystals, ``spreads`` (n,) those of the heaps, in px.
    """

    film: Hole
    particles: Points
    outside: Points
    debris: Points
    crystals: Points
    sizes: NDArray[np.float64]
    beads: Points
    heaps: Points
    spreads: NDArray[np.float64]


def scatter(
    count: int,
    margin: float,
    scene: Scene,
    room: Callable[[Points], bool],
    gap: float,
    rng: np.random.Generator,
) -> Points:
    """Throw points (n, 2) into the field and ``margin`` px around it, one by one.

    ``room`` says whether a point (2,) may lie where it fell; ``gap`` is the least distance in px
    between two. Fewer than ``count`` come back where they do not fit: after 400 failures in a row.
    """
    points = np.empty((count, 2))
    found = failures = 0
    while found < count and failures < 400:
        point = rng.uniform(-margin, np.asarray(scene.shape) - 1 + margin)
        failures += 1
        if clear(point, points[:found], gap) and room(point):
            points[found] = point
            found, failures = found + 1, 0
    return points[:found]


def clear(point: Points, others: Points, gap: float | NDArray[np.float64]) -> bool:
    """Tell whether a point (2,) is at least ``gap`` px from all others (n, 2)."""
    return bool((((others - point) ** 2).sum(axis=1) >= np.square(gap)).all())


def arrange(scene: Scene, seed: int) -> Layout:
    """Choose where everything lies; particles lie on ice, clear of film, crystals and gold."""
    # a generator for each ingredient: one more crystal does not move the film
    where, ice, crowd, rest, heap = (np.random.default_rng([seed, n]) for n in (0, 1, 2, 3, 6))
    film = hole(scene.shape, scene.spacing, where) if scene.carbon else Hole()
    last = np.asarray(scene.shape) - 1.0
    crystals = ice.uniform(0, last, (scene.ice, 2))
    sizes = scene.width * np.exp(ice.uniform(math.log(0.8), math.log(4), scene.ice))
    beads = ice.uniform(0, last, (scene.gold, 2))
    heaps = heap.uniform(0, last, (scene.aggregates, 2))
    spreads = scene.width * np.exp(heap.uniform(math.log(1.2), math.log(3), scene.aggregates))
    dirt = np.concatenate([crystals, beads, heaps])
    radii = [0.65 * sizes, np.full(scene.gold, BEAD / scene.spacing / 2), 0.5 * spreads]
    reach = np.concatenate(radii) + scene.width / 2
    gap = scene.gap * scene.width

    def on_ice(point: Points) -> bool:
        return clear(point, dirt, reach) and bool(film.depth(point[0], point[1]) > scene.width / 2)

    particles = scatter(scene.count, 0.0, scene, on_ice, gap, crowd)

    def beyond(point: Points) -> bool:
        in_field = bool(((point > -0.5) & (point < last + 0.5)).all())
        return not in_field and on_ice(point) and clear(point, particles, gap)

    frame = math.prod(n + scene.width for n in scene.shape) / math.prod(scene.shape) - 1
    outside = scatter(round(frame * len(particles)), scene.width / 2, scene, beyond, gap, rest)
    everyone = np.concatenate([particles, outside])

    def between(point: Points) -> bool:
        return on_ice(point) and clear(point, everyone, 0.7 * scene.width)

    count = round(scene.debris * len(everyone))
    scraps = scatter(count, scene.width / 2, scene, between, 0.3 * scene.width, rest)
    return Layout(film, particles, outside, scraps, crystals, sizes, beads, heaps, spreads)
