"""What RELION knows of a micrograph beside its picks: pixel size, microscope, defocus.

Since RELION 3.1 the microscope stands in a table of its own, `data_optics`, one row a group; before, every
row of a micrograph or particle had it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates.star import Table
from cryopick_napari.errors import CryopickError

GROUP, GROUP_NAME = "rlnOpticsGroup", "rlnOpticsGroupName"
PIXEL_SIZE = "rlnMicrographPixelSize"  # Å/px of the micrograph; the movie's is "Original", and may be another
ORIGINAL_PIXEL_SIZE = "rlnMicrographOriginalPixelSize"
DETECTOR, MAGNIFICATION = (
    "rlnDetectorPixelSize",
    "rlnMagnification",
)  # µm, and how many times; up to RELION 3.0
MICROSCOPE = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")  # kV, mm, a fraction
CTF = (
    *("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnPhaseShift"),  # Å, Å, degrees, degrees
    *("rlnCtfMaxResolution", "rlnCtfFigureOfMerit"),  # Å, none
)

Numbers = NDArray[np.float64]


def known_of(tables: Sequence[Table], table: Table, path: Path) -> dict[str, Numbers]:
    """Give what the rows of a table know of microscope and defocus, by label; absent is what they do not.

    Parameters
    ----------
    tables : sequence of Table
        All tables of the file; that of the optics groups among them, or not.
    table : Table
        Of micrographs or particles.
    path : Path
        For messages.

    Returns
    -------
    dict of str to (n,) float64
        Units as RELION has them; pixel sizes in Å/px.

    Raises
    ------
    CryopickError
        If a value is not a number, or a row is of an optics group that the file does not describe.
    """
    wanted = [PIXEL_SIZE, DETECTOR, MAGNIFICATION, *MICROSCOPE, *CTF]
    columns = table.columns(wanted, path)
    known = {name: columns.numbers(name) for name in columns.names}
    known |= {name: column for name, column in _of_groups(tables, table, path) if name not in known}
    if PIXEL_SIZE not in known and {DETECTOR, MAGNIFICATION} <= set(known):
        with np.errstate(divide="ignore", invalid="ignore"):
            known[PIXEL_SIZE] = known[DETECTOR] * 1e4 / known[MAGNIFICATION]
    return {name: column for name, column in known.items() if name not in (DETECTOR, MAGNIFICATION)}


def _of_groups(tables: Sequence[Table], table: Table, path: Path) -> Iterator[tuple[str, Numbers]]:
    groups = next((one for one in tables if one.name == "optics" and GROUP in one.labels), None)
    if groups is None or GROUP not in table.labels:
        return
    described = groups.columns([GROUP, PIXEL_SIZE, *MICROSCOPE], path)
    place = {word: row for row, word in enumerate(described.words(GROUP))}
    own = table.columns([GROUP], path)
    try:
        rows = [place[word] for word in own.words(GROUP)]
    except KeyError as error:
        raise CryopickError(
            f"{path}: optics group {error.args[0]!r} is not in its table data_optics; write the file again"
        ) from None
    for name in described.names:
        if name != GROUP:
            yield name, described.numbers(name)[rows]


def one_spacing(sizes: Numbers | None) -> float | None:
    """Give the pixel size (Å/px) of one micrograph's rows; None if they do not say one that makes sense."""
    if sizes is None or not len(sizes) or not np.isfinite(sizes).all() or not (sizes > 0).all():
        return None
    return float(sizes[0]) if np.allclose(sizes, sizes[0], rtol=1e-4, atol=0) else None
