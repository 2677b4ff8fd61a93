"""particles.star: the picks of all micrographs in one RELION STAR file with optics groups.

What RELION 3.1 to 5 read for re-extraction, and cryoSPARC as a particle stack without images. Positions are
those of `relion`. Columns of microscope and defocus are written where every micrograph has them; what nobody
knows is left out rather than invented, for both programs have a place to type it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cryopick_napari.coordinates import relion
from cryopick_napari.coordinates.base import CoordinateSet
from cryopick_napari.coordinates.optics import (
    CTF,
    GROUP,
    GROUP_NAME,
    MICROSCOPE,
    ORIGINAL_PIXEL_SIZE,
    PIXEL_SIZE,
)
from cryopick_napari.coordinates.star import star_head, star_rows, star_text

LABELS = (relion.MICROGRAPH, relion.X, relion.Y, relion.SCORE, relion.CLASS, relion.PSI, GROUP)
Optics = tuple[float | None, ...]  # pixel size, and what of MICROSCOPE everybody has


def write(*sets: CoordinateSet) -> str:
    """Write the picks of any number of micrographs.

    Micrographs that differ in pixel size or microscope are in optics groups of their own. A micrograph
    without picks has no row, and so is not in the file.
    """
    full = [rows for rows in sets if len(rows.picks)]
    shared = [name for name in (*MICROSCOPE, *CTF) if full and all(name in rows.extra for rows in full)]
    microscope, ctf = ([name for name in shared if name in part] for part in (MICROSCOPE, CTF))
    groups: dict[Optics, int] = {}
    group_of = [groups.setdefault(_optics(rows, microscope), len(groups) + 1) for rows in full]
    labels = [*LABELS, *ctf]
    # Micrograph by micrograph: the words of millions of particles at once would take gigabytes.
    text = (star_rows(_columns(rows, group, ctf)) for rows, group in zip(full, group_of, strict=True))
    optics = relion.HEADER + _optics_text(groups, microscope)
    return "".join([optics, relion.HEADER, star_head("particles", labels), *text, "\n"])


def _optics(rows: CoordinateSet, microscope: list[str]) -> Optics:
    return (rows.spacing, *(float(rows.extra[name][0]) for name in microscope))


def _optics_text(groups: Mapping[Optics, int], microscope: list[str]) -> str:
    columns = {
        GROUP_NAME: [f"opticsGroup{number}" for number in groups.values()],
        GROUP: [str(number) for number in groups.values()],
    }
    if groups and all(optics[0] is not None for optics in groups):
        for name in (PIXEL_SIZE, ORIGINAL_PIXEL_SIZE):
            columns[name] = [f"{optics[0]:.6f}" for optics in groups]
    for place, name in enumerate(microscope, 1):
        columns[name] = [f"{optics[place]:.6f}" for optics in groups]
    return star_text("optics", columns)


def _columns(rows: CoordinateSet, group: int, ctf: Sequence[str]) -> list[list[str]]:
    count = len(rows.picks)
    known = (np.asarray(rows.extra[name], dtype=np.float64) for name in ctf)
    return [
        [rows.micrograph] * count,
        *relion.pick_columns(rows).values(),
        [str(group)] * count,
        *([f"{value:.6f}" for value in column] for column in known),
    ]
