"""``cryopick simulate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE
from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.scene import Scene, Structure

SHAPES = ("compact", "elongated", "hollow", "lobed", "ring", "rod", "disc")
DENOISING = ("none", "low-pass", "bilateral", "non-local")
DIAMETER = 150.0  # Å
SMALLEST = 8  # px of a particle; what is smaller cannot be picked
AMORPHOUS = 0.3  # as in real micrographs whose spectra were compared, see `Scene`
LARGEST = 1 << 28  # px of a field: 16384 x 16384


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets micrographs/ and coordinates/"
    )
    _count(parser, "--fields", 1, "micrographs (default 1)")
    _count(parser, "--seed", 0, "the same one gives the same files (default 0)")
    parser.add_argument(
        "--shape",
        type=int,
        nargs=2,
        default=(4096, 4096),
        metavar=("H", "W"),
        help="rows and columns, px (default 4096 4096)",
    )
    parser.add_argument("--spacing", type=float, default=1.0, metavar="Å/PX", help="pixel size (default 1)")
    group = parser.add_argument_group("the particle")
    group.add_argument(
        "--structure",
        default="auto",
        metavar="WHAT",
        help=f"auto (invented), {', '.join(SHAPES)}; or a density map (.mrc, .map) "
        "or a model (.pdb, .cif; needs the extra 'simulate')",
    )
    group.add_argument(
        "--symmetry", metavar="GROUP", help="of an invented one: C1 (default), C2, ..., D7, T, O, I"
    )
    group.add_argument(
        "--diameter", type=float, metavar="Å", help="longest side of an invented one (default 150)"
    )
    group.add_argument("--voxel-size", type=float, metavar="Å", help="of a map that does not say it")
    group = parser.add_argument_group("what a field shows")
    _count(group, "--particles", None, "a field (default: about a quarter of its area)")
    group.add_argument(
        "--gap",
        type=float,
        default=0.8,
        metavar="N",
        help="least distance of two centres, in diameters (default 0.8)",
    )
    group.add_argument("--carbon", action="store_true", help="the edge of the carbon film")
    _count(group, "--ice", 0, "ice crystals")
    _count(group, "--gold", 0, "gold beads")
    _count(group, "--aggregates", 0, "heaps of unfolded protein")
    group = parser.add_argument_group("how it is taken")
    group.add_argument(
        "--defocus",
        type=float,
        nargs=2,
        default=(0.8, 2.5),
        metavar=("LOW", "HIGH"),
        help="range of the underfocus, µm (default 0.8 2.5)",
    )
    group.add_argument("--dose", type=float, default=40.0, metavar="E/Å²", help="electrons (default 40)")
    group.add_argument("--voltage", type=float, default=300.0, metavar="KV", help="default 300")
    group.add_argument("--light", action="store_true", help="particles lighter than the ice")
    _count(group, "--dead", 0, "dead rows and columns")
    group.add_argument("--denoising", choices=DENOISING, default="none", help="of the picture (default none)")
    group.add_argument(
        "--strength", type=float, default=0.5, metavar="N", help="of that, 0 to 1 (default 0.5)"
    )
    group.add_argument("--eight-bit", action="store_true", help="only 256 grey values")


def _count(parser: argparse._ActionsContainer, name: str, default: int | None, words: str) -> None:
    parser.add_argument(name, type=int, default=default, metavar="N", help=words)


def run(options: argparse.Namespace) -> int:
    """Simulate micrographs and write them with their truth; return the exit code."""
    from cryopick_napari.simulated_sets import write_fields

    _check(options)
    structure, words = _structure(options)
    scene = _scene(options, structure)
    print(f"{words}, {structure.diameter:.0f} Å; {scene.width:.0f} px in the micrographs")
    count = 0
    for rows in write_fields(options.output, scene, options.fields, options.seed, tuple(options.defocus)):
        count += len(rows.picks)
        print(f"{rows.micrograph}: {len(rows.picks)} particles", flush=True)
    print(f"{count} particles on {options.fields} micrographs in {options.output}")
    return EXIT_DONE


def _check(options: argparse.Namespace) -> None:
    low, high = options.defocus
    if options.fields < 1 or options.seed < 0:
        raise CryopickError("--fields must be at least 1, --seed at least 0")
    if options.shape[0] * options.shape[1] > LARGEST:
        raise CryopickError(f"a field of {options.shape[0]} x {options.shape[1]} px is too large: say less")
    if not 0 <= low <= high < 100:
        raise CryopickError(f"--defocus {low:g} {high:g}: say the least and the largest underfocus, in µm")


def _structure(options: argparse.Namespace) -> tuple[Structure, str]:
    """Invent the particle or read it, and say in words what it is."""
    import numpy as np

    from cryopick_napari.structures import invented

    rng = np.random.default_rng(options.seed)
    shape = options.structure
    if shape == "auto":
        shape = SHAPES[rng.integers(len(SHAPES))]
    if shape in SHAPES:
        if options.voxel_size is not None:
            raise CryopickError("--voxel-size is of a density map: give one as --structure, or drop it")
        group = (options.symmetry or "C1").upper()
        diameter = DIAMETER if options.diameter is None else options.diameter
        return invented(shape, group, diameter, rng), f"{shape} particle, {group}"
    from cryopick_napari.structure_files import read_structure

    if options.symmetry is not None or options.diameter is not None:
        raise CryopickError(f"{shape} says itself how the particle is: drop --symmetry and --diameter")
    return read_structure(Path(shape), options.voxel_size), Path(shape).name


def _scene(options: argparse.Namespace, structure: Structure) -> Scene:
    from cryopick_napari.camera import Camera
    from cryopick_napari.scene import Scene

    if options.spacing > 0 and structure.diameter / options.spacing < SMALLEST:
        raise CryopickError(f"a particle would be less than {SMALLEST} px wide: give a smaller --spacing")
    return Scene(
        tuple(options.shape),
        options.spacing,
        structure.diameter,
        particles=options.particles,
        gap=options.gap,
        dose=options.dose,
        amorphous=AMORPHOUS,
        carbon=options.carbon,
        ice=options.ice,
        gold=options.gold,
        aggregates=options.aggregates,
        light=options.light,
        voltage=options.voltage,
        structure=structure,
        camera=Camera(
            dead=options.dead,
            denoising=options.denoising,
            strength=options.strength,
            eight_bit=options.eight_bit,
        ),
    )
