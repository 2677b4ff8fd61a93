"""Particles from files: density maps (MRC), and models (PDB, mmCIF) by gemmi."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cryopick_napari.errors import CryopickError
from cryopick_napari.image_header import decoding, header_spacing
from cryopick_napari.micrograph import MRC_SUFFIXES, first_bytes
from cryopick_napari.mrc import is_plausible, mrc_header, mrc_volume
from cryopick_napari.phantom import PHASE
from cryopick_napari.volume import Volume

if TYPE_CHECKING:
    import gemmi

MODEL_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
STRUCTURE_SUFFIXES = (*MRC_SUFFIXES, *MODEL_SUFFIXES)
LARGEST_MAP = 2048  # voxels on a side
LARGEST_MODEL = 1 << 30  # bytes
MOST_ATOMS = 20_000_000  # three times those of the largest virus with a model
LONGEST_MODEL = 5000.0  # Å; the largest virus of known structure is half of it
VOXELS = 160  # on the longest side, at most: with the padding of the transform, 0.5 GB
NOISE = 3.0  # robust deviations from the middle of a map below which a voxel is empty
BLUR = 1.5  # Å, of an atom: thermal motion and its own size
VOLUME = 1.21  # Å3/Da of protein: 0.73 cm3/g (Harpaz, Gerstein & Chothia 1994)


def read_structure(path: Path, voxel_size: float | None = None) -> Volume:
    """Read a particle from a density map or a model.

    Parameters
    ----------
    path : Path
        `.mrc`, `.map`, or `.pdb`, `.ent`, `.cif`, `.mmcif`. Of a model the first biological assembly
        is taken, without water.
    voxel_size : float, optional
        Å a voxel, for maps that do not say it or say it wrongly.

    Raises
    ------
    CryopickError
        If it is none of these, is damaged, shows nothing, or has no voxel size; or if gemmi is not there
        to read a model.
    """
    suffix = path.suffix.lower()
    if suffix not in STRUCTURE_SUFFIXES:
        raise CryopickError(f"{path}: is neither a map nor a model: give {' '.join(STRUCTURE_SUFFIXES)}")
    if voxel_size is not None and not (math.isfinite(voxel_size) and voxel_size > 0):
        raise CryopickError(f"the size of a voxel must be a number of Å above 0, not {voxel_size:g}")
    if suffix in MODEL_SUFFIXES:
        if voxel_size is not None:
            raise CryopickError(f"{path}: a model has no voxels: drop the voxel size")
        return _from_atoms(*_atoms(path))
    density, spacing = read_map(path, voxel_size)
    return _from_map(path, density, spacing)


def read_map(path: Path, voxel_size: float | None = None) -> tuple[NDArray[Any], float]:
    """Read a density map (z, y, x) in the file's own unit, and its voxel size in Å.

    Raises
    ------
    CryopickError
        See `read_structure`.
    """
    head, size = first_bytes(path, "a density map")
    if not is_plausible(head):
        raise CryopickError(f"{path}: is not an MRC file, or is damaged: give another map, or copy it again")
    with decoding(path, "MRC"):
        header = mrc_header(path, head)
        sides = (header.frames, *header.shape)
        if min(sides) < 2 or max(sides) > LARGEST_MAP:
            raise CryopickError(
                f"{path}: holds {' x '.join(map(str, sides))} voxels: "
                f"give a density map of 2 to {LARGEST_MAP} voxels on a side"
            )
        if header.least > size:
            raise CryopickError(
                f"{path}: is cut short: {header.least} bytes or more, not {size}: copy it again"
            )
        spacing = voxel_size or header_spacing(path, header.spacing)
        if spacing is None:
            raise CryopickError(f"{path}: does not say how large a voxel is: give --voxel-size")
        return mrc_volume(path, head), spacing


def _from_map(path: Path, density: NDArray[Any], spacing: float) -> Volume:
    """Take what rises over a map's background, at the mean density of protein."""
    with np.errstate(all="ignore"):
        voxels, step = _coarser(path, density)
        if not np.isfinite(voxels).all():
            raise CryopickError(f"{path}: holds numbers that are not finite: export it again")
        middle = np.median(voxels)
        spread = 1.4826 * np.median(np.abs(voxels - middle))
        particle = np.clip(voxels - middle - NOISE * spread, 0, None)
    # a padded map's background has no noise at all, but rounding and ripples of its making
    particle[particle < 0.02 * particle.max()] = 0
    if not particle.any():
        raise CryopickError(f"{path}: shows nothing but background: give a map of a particle")
    # most of the density, not most of the voxels, is as dense as protein: a map's edge is soft
    return Volume.of(particle * (PHASE / np.average(particle, weights=particle)), spacing * step)


def _coarser(path: Path, density: NDArray[Any]) -> tuple[NDArray[np.float32], int]:
    """Average blocks until no side is longer than `VOXELS`; tell the blocks' side too."""
    step = math.ceil(max(density.shape) / VOXELS)
    kept = [side // step for side in density.shape]
    if min(kept) < 1:
        raise CryopickError(f"{path}: is {step} times longer than wide or more: give a map of a particle")
    depth, rows, columns = (side * step for side in kept)
    slabs = [
        np.asarray(density[at : at + step, :rows, :columns], np.float32)
        .reshape(step, kept[1], step, kept[2], step)
        .mean(axis=(0, 2, 4))
        for at in range(0, depth, step)
    ]
    return np.asarray(slabs), step


def _atoms(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read positions (n, 3) as (z, y, x) in Å, and masses (n,) in Da."""
    try:
        import gemmi
    except ImportError as error:
        raise CryopickError(
            f"{path}: reading models needs gemmi: pip install 'cryopick-napari[simulate]'"
        ) from error
    _, size = first_bytes(path, "a model")
    if size > LARGEST_MODEL:
        raise CryopickError(f"{path}: has {size >> 20} MB: give a smaller part of the model")
    with decoding(path, "PDB or mmCIF"):
        structure = gemmi.read_structure(str(path))
        structure.remove_waters()
        copies = max((len(part.operators) for part in _assembly(structure)), default=1)
        if copies * sum(model.count_atom_sites() for model in structure) > MOST_ATOMS:
            raise CryopickError(f"{path}: its assembly has over {MOST_ATOMS:.0e} atoms: give a part of it")
        if structure.assemblies:
            name = structure.assemblies[0].name
            structure.transform_to_assembly(name, gemmi.HowToNameCopiedChain.Dup)
        atoms = [
            (*place.atom.pos.tolist(), place.atom.element.weight * place.atom.occ)
            for place in (structure[0].all() if len(structure) else ())
        ]
    table = np.asarray(atoms, float).reshape(-1, 4)
    table = table[np.isfinite(table).all(axis=1) & (table[:, 3] > 0)]
    if not len(table):
        raise CryopickError(f"{path}: holds no atoms: give a PDB or mmCIF file of a model")
    if np.ptp(table[:, :3], axis=0).max() > LONGEST_MODEL:
        raise CryopickError(f"{path}: is longer than {LONGEST_MODEL:.0f} Å: give a single particle")
    return table[:, 2::-1], table[:, 3]


def _assembly(structure: gemmi.Structure) -> list[gemmi.Assembly.Gen]:
    """List how the first assembly of a structure is made, if it says so."""
    return list(structure.assemblies[0].generators) if len(structure.assemblies) else []


def _from_atoms(zyx: NDArray[np.float64], mass: NDArray[np.float64]) -> Volume:
    """Lay atoms on a grid, each as a Gaussian with the phase of as much protein."""
    extent = float(np.ptp(zyx, axis=0).max())
    spacing = max(1.0, extent / (VOXELS - 20))
    at = (zyx - zyx.min(axis=0)) / spacing + 8
    grid = np.zeros([math.ceil(side) + 9 for side in at.max(axis=0)], np.float32)
    low = np.floor(at).astype(int)
    for corner in np.ndindex(2, 2, 2):  # shared among the eight voxels around it
        share = np.abs(1 - np.asarray(corner) - (at - low)).prod(axis=1)
        np.add.at(grid, tuple((low + corner).T), share * mass)
    grid = gaussian_filter(grid, max(BLUR / spacing, 0.6), mode="constant")
    grid[grid < 1e-4 * grid.max()] = 0
    return Volume.of(grid * (VOLUME * PHASE / spacing**3), spacing)
