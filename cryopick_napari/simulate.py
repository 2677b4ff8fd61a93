"""Micrographs with known particles: simulated ones, and four that come with the package.

``python -m cryopick_napari.simulate FOLDER`` writes the four again.
"""

from __future__ import annotations

import math
import sys
from importlib import resources
from pathlib import Path

import mrcfile
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_napari.camera import recorded
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph, read_micrograph
from cryopick_napari.optics import exposed
from cryopick_napari.phantom import debris, protein
from cryopick_napari.picks import Picks
from cryopick_napari.scene import BEAD, LARGE, Layout, Scene, Structure, arrange
from cryopick_napari.specimen import Hole, bead, crystal, stamp, waves

__all__ = ["LARGE", "SAMPLES", "SAMPLE_DIAMETER", "Scene", "sample", "samples", "simulate", "write_samples"]

SAMPLE_DIAMETER = 165.0  # Å, longest side of the particle in the samples
SAMPLES = {
    "sample-0-plain": Scene(diameter=SAMPLE_DIAMETER),
    "sample-1-crowded": Scene((960, 1120), diameter=SAMPLE_DIAMETER, coverage=0.33, gap=0.75, defocus=1.3),
    "sample-2-carbon": Scene(diameter=SAMPLE_DIAMETER, carbon=True, defocus=1.7),
    "sample-3-ice": Scene((960, 1120), diameter=SAMPLE_DIAMETER, ice=5),
}
Image = NDArray[np.float32]


def simulate(scene: Scene, seed: int) -> tuple[Micrograph, Picks]:
    """Simulate a micrograph of one kind of particle in random orientations.

    Projected phases of proteins, film, crystals and amorphous ice go through the contrast
    transfer function; uneven thickness absorbs; the detector counts electrons.

    Parameters
    ----------
    scene : Scene
        What it shows, and how it was taken.
    seed : int
        At least 0. The same scene and seed give the same micrograph.

    Returns
    -------
    Micrograph
        (h, w) electrons per pixel, negated where the scene is ``light``.
    Picks
        The truth: the projected centre of mass of every particle whose centre lies in the field, in px.
    """
    layout = arrange(scene, seed)
    phase, thickness = _specimen(scene, layout, np.random.default_rng([seed, 4]))
    exponent = scene.imaged(phase)
    margin = _margin(scene)
    field = tuple(slice(margin, margin + n) for n in scene.shape)
    # the weak phase approximation, 1 - 2 phase * psf - thickness, kept positive where it does not hold
    intensity = np.exp(-2 * exponent[field] - thickness[field])
    image = exposed(intensity, scene.dose * scene.spacing**2, np.random.default_rng([seed, 5]))
    image = recorded(-image if scene.light else image, scene.camera, np.random.default_rng([seed, 7]))
    truth = layout.particles[(layout.particles >= scene.camera.smeared - 0.5).all(axis=1)]
    return Micrograph(image, scene.spacing), Picks.of(truth)


def _margin(scene: Scene) -> int:
    """Border around the field in px: particles beyond the edge reach in, and the filter wraps around."""
    return math.ceil(scene.width)


def _specimen(scene: Scene, layout: Layout, rng: np.random.Generator) -> tuple[Image, Image]:
    """Draw the field and a border: projected phase in rad and absorption, each (h', w')."""
    margin = _margin(scene)
    height, width = (scipy.fft.next_fast_len(n + 2 * margin, real=True) for n in scene.shape)
    shape = height, width
    phase = rng.standard_normal(shape, np.float32)
    phase *= scene.amorphous / scene.spacing
    shortest, longest = (length / scene.spacing for length in scene.ripples)
    thickness = scene.undulation * waves(shape, shortest, longest, rng)
    thickness += scene.gradient * _slope(shape, rng)
    if scene.carbon:
        _draw_film(phase, thickness, layout.film, scene, rng)
    _draw_proteins(phase, layout, scene, rng)
    _draw_dirt(phase, thickness, layout, scene, rng)
    return phase, thickness


def _slope(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Make a plane (h, w) that rises by 1 across the field in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape)
    return np.asarray(math.sin(angle) * rows[:, None] + math.cos(angle) * columns)


def _draw_film(phase: Image, thickness: Image, film: Hole, scene: Scene, rng: np.random.Generator) -> None:
    """Add the carbon film, in place: its phase, its absorption, and stronger amorphous noise."""
    rows, columns = (np.arange(n, dtype=np.float32) - _margin(scene) for n in phase.shape)
    depth = film.depth(rows[:, None], columns) * scene.spacing
    shape = rows.size, columns.size
    depth += 8 * waves(shape, 100 / scene.spacing, 2000 / scene.spacing, rng)  # Å: a rough edge
    carbon = np.clip(0.5 - depth / 30, 0, 1).astype(np.float32)
    phase *= 1 + 0.7 * carbon
    phase += 0.5 * carbon
    thickness += 0.08 * carbon


def _draw_proteins(phase: Image, layout: Layout, scene: Scene, rng: np.random.Generator) -> None:
    """Add the particles and the debris, in place."""
    margin = _margin(scene)
    particle: Structure = scene.structure or protein(scene.diameter, scene.protein)
    for centre in np.concatenate([layout.particles, layout.outside]):
        particle.rotated(rng).draw(phase, centre + margin, scene.spacing)
    for centre in layout.debris:
        debris(scene.diameter, rng).draw(phase, centre + margin, scene.spacing)
    for centre, spread in zip(layout.heaps, layout.spreads, strict=True):
        # a ball of chains that lie over each other
        for _ in range(round(6 * (spread / scene.width) ** 2)):
            place = centre + margin + rng.normal(0, spread / 5, 2)
            debris(scene.diameter, rng).draw(phase, place, scene.spacing)


def _draw_dirt(
    phase: Image, thickness: Image, layout: Layout, scene: Scene, rng: np.random.Generator
) -> None:
    """Add ice crystals and gold beads, in place."""
    margin = _margin(scene)
    for centre, size in zip(layout.crystals, layout.sizes, strict=True):
        # larger ones are thicker
        mark = crystal(size, rng) * np.float32(rng.uniform(0.4, 1) * min(1.0, 0.2 + size / scene.width / 3))
        stamp(phase, 0.8 * mark, centre + margin)
        stamp(thickness, 0.35 * mark, centre + margin)
    for centre in layout.beads:
        ball = bead(BEAD / scene.spacing)
        stamp(phase, 2 * ball, centre + margin)
        stamp(thickness, ball, centre + margin)


def samples() -> list[Path]:
    """List the micrographs that come with the package; next to each lies its truth, ``<stem>.csv``."""
    folder = Path(str(resources.files("cryopick_napari"))) / "resources" / "samples"
    return [folder / f"{name}.mrc" for name in SAMPLES]


def sample(number: int) -> tuple[Micrograph, Picks]:
    """Read a micrograph that comes with the package, and its particles.

    Parameters
    ----------
    number : int
        0 to 3.

    Raises
    ------
    CryopickError
        If there is no such sample.
    """
    if not 0 <= number < len(SAMPLES):
        raise CryopickError(f"there is no sample {number}: they are numbered 0 to {len(SAMPLES) - 1}")
    path = samples()[number]
    xy = np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1, ndmin=2)
    return read_micrograph(path), Picks.of(xy[:, ::-1])


def write_samples(folder: Path) -> None:
    """Simulate the samples and write them to a folder: 8-bit MRC, and CSV with the columns ``x,y`` in px."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, scene) in enumerate(SAMPLES.items()):
        micrograph, truth = simulate(scene, seed)
        with mrcfile.new(folder / f"{name}.mrc", _eight_bit(micrograph.image), overwrite=True) as file:
            file.voxel_size = scene.spacing
            # instead of the time: every run writes the same bytes
            file.header.label[0] = "simulated by cryopick-napari"
        rows = "".join(f"{x:.2f},{y:.2f}\n" for y, x in truth.yx)
        (folder / f"{name}.csv").write_text(f"x,y\n{rows}")


def _eight_bit(image: Image) -> NDArray[np.int8]:
    """Round to 8 bits, four deviations each side of the median; what is beyond is cut off."""
    scaled = (image - np.median(image)) * (127 / 4 / image.std())
    return np.asarray(np.clip(np.rint(scaled), -127, 127), np.int8)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else samples()[0].parent)
