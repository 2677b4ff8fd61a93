"""Sets of simulated micrographs of one particle, written as those of a microscope are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryopick_napari.coordinates import CoordinateSet, write_index, write_one
from cryopick_napari.files import make_folder
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.scene import Scene
from cryopick_napari.simulate import simulate

ASTIGMATISM = 0.05  # µm, its mean: what is left where somebody has taken care


def write_fields(
    folder: Path, scene: Scene, count: int, seed: int, defocus: tuple[float, float]
) -> Iterator[CoordinateSet]:
    """Simulate micrographs and write them, one at a time.

    ``folder/micrographs`` gets `field-0000.mrc` and so on, in electrons a pixel; ``folder/coordinates``
    a RELION `.star` file of each with its particles, exactly, and `autopick.star` with all of them.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    scene : Scene
        What all of them show.
    count : int
        How many.
    seed : int
        At least 0. The same seed gives the same files, and the first of many are the same as of few.
    defocus : (float, float)
        Least and largest underfocus, µm.

    Yields
    ------
    CoordinateSet
        The truth of each, when its files are written.

    Raises
    ------
    CryopickError
        If anything cannot be written.
    """
    micrographs, coordinates = folder / "micrographs", folder / "coordinates"
    make_folder(micrographs)
    names = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        taken = replace(
            scene,
            defocus=float(rng.uniform(*defocus)),
            astigmatism=float(rng.exponential(ASTIGMATISM)),
            azimuth=float(rng.uniform(0, 180)),
        )
        micrograph, truth = simulate(taken, int(rng.integers(2**31)))
        names.append(f"field-{number:04d}.mrc")
        write_mrc(micrographs / names[-1], micrograph.image, micrograph.spacing)
        rows = CoordinateSet(names[-1], truth, micrograph.shape, micrograph.spacing, scene.width)
        write_one(rows, coordinates, "relion")
        yield rows
    write_index(names, coordinates, "relion")
