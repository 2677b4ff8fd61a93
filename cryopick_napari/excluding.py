"""Masks of contamination as excluded areas, which a person sees and edits, and the way back to masks."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from cryopick_napari.coordinates.naming import absolute, place
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Labels, Polygon, areas_mask
from cryopick_napari.masks import Mask, check_masks, find_mask, full_size, read_mask, save_mask
from cryopick_napari.material import in_short
from cryopick_napari.micrograph import read_micrograph, read_size
from cryopick_napari.project import Project

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker

FINE = 1024  # px of the longer side at least: an outline runs through the middles of pixels
# By how much an outline may leave the mask's edge: of the longer side, and in px of the mask (it has steps).
TOLERANCE, STEPS = 0.001, 0.75
LEAST = 1e-5  # of the field; smaller pieces hold no particle back
MOST = 500  # pieces; more of them are no contamination but noise


@dataclass(frozen=True, eq=False)
class Masked:
    """What came of the mask of one micrograph.

    Attributes
    ----------
    path : Path
        The micrograph.
    areas : tuple of (n, 2) float32
        Outlines of what is contaminated, px of the micrograph.
    problem : str
        Why it was left out.
    done, total : int
        Micrographs.
    """

    path: Path
    areas: tuple[Polygon, ...] = ()
    problem: str = ""
    done: int = 0
    total: int = 0


def outlines(mask: Mask, shape: tuple[int, int]) -> tuple[Polygon, ...]:
    """Trace what is masked.

    Parameters
    ----------
    mask : (h, w) bool
        Of the whole field at any scale.
    shape : (int, int)
        Rows and columns of the micrograph, px.

    Returns
    -------
    tuple of (n, 2) float32
        Corners in px of the micrograph, a polygon a piece. A hole is joined to the outside by a cut of no
        width, so that one polygon says all.

    Raises
    ------
    CryopickError
        If it is in more than 500 pieces.
    """
    factor = max(1, math.ceil(FINE / max(mask.shape)))
    fine = np.kron(mask, np.ones((factor, factor), bool)).astype(np.uint8)
    contours, levels = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    large = [
        number for number, contour in enumerate(contours) if cv2.contourArea(contour) >= LEAST * fine.size
    ]
    outer = [number for number in large if levels[0][number][3] < 0]
    if len(outer) > MOST:
        raise CryopickError(
            f"it is in {len(outer):,} pieces, as noise is: a mask of contamination is 0 where there is none"
        )
    scale = np.asarray(shape) / fine.shape
    tolerance = max(TOLERANCE * max(fine.shape), STEPS * factor)
    areas = []
    for number in outer:
        holes = [other for other in large if levels[0][other][3] == number]
        corners = _cut(*(_simple(np.asarray(contours[one], np.int32), tolerance) for one in (number, *holes)))
        if len(corners) > 2:
            areas.append(((corners + 0.5) * scale - 0.5).astype(np.float32))
    return tuple(areas)


def _simple(contour: NDArray[np.int32], tolerance: float) -> NDArray[np.float64]:
    """Leave out corners (n, 1, 2: x, y) of a closed line; rows and columns (m, 2) are left."""
    simple = cv2.approxPolyDP(contour, tolerance, True)
    return np.asarray(simple[:, 0, ::-1], np.float64)


def _cut(outside: NDArray[np.float64], *holes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join holes to the outside, each where it is nearest."""
    for hole in holes:
        apart = cdist(outside, hole)
        there, back = np.unravel_index(apart.argmin(), apart.shape)
        ring = np.concatenate([hole[back:], hole[: back + 1]])
        outside = np.concatenate([outside[: there + 1], ring, outside[there:]])
    return outside


def read_areas(folder: Path, micrographs: Sequence[Path]) -> Generator[Masked, bool | None, None]:
    """Read the masks of micrographs as areas.

    Parameters
    ----------
    folder : Path
        See `cryopick_napari.masks`.
    micrographs : sequence of Path

    Yields
    ------
    Masked
        For each micrograph that has a mask. Send True to stop.

    Raises
    ------
    CryopickError
        If none of them has one.
    """
    bare = set(check_masks(folder, micrographs))
    paths = [path for path in micrographs if path not in bare]
    for number, path in enumerate(paths, 1):
        file = find_mask(folder, path)
        try:
            shape, _ = read_size(path)
            areas = () if file is None else outlines(read_mask(file, shape), shape)
            found = Masked(path, areas, "", number, len(paths))
        except CryopickError as error:
            found = Masked(path, (), in_short(error, path), number, len(paths))
        if (yield found):
            return


def with_areas(labels: Labels, areas: Sequence[Polygon]) -> Labels:
    """Exclude areas too; those that are excluded already are not doubled."""
    new = [area for area in areas if not any(np.array_equal(area, old) for old in labels.excluded)]
    return replace(labels, excluded=(*labels.excluded, *new)) if new else labels


def write_masks(
    project: Project,
    paths: Sequence[Path],
    folder: Path,
    picker: Picker | None = None,
    spacing: float | None = None,
) -> Generator[Masked, bool | None, None]:
    """Write what is left out of micrographs, a PNG each: excluded areas, and contamination that is found.

    Parameters
    ----------
    project : Project
        Its labels hold the areas.
    paths : sequence of Path
    folder : Path
        Made if it is not there; folders of the micrographs are kept below it.
    picker : Picker, optional
        Finds the contamination; without one only the areas are written.
    spacing : float, optional
        Å/px, where the files do not say it.

    Yields
    ------
    Masked
        After each micrograph. Send True to stop.
    """
    targets = _targets(paths, folder)
    for number, path in enumerate(paths, 1):
        try:
            save_mask(targets[path], _left_out(project, path, picker, spacing))
            found = Masked(path, (), "", number, len(paths))
        except CryopickError as error:
            found = Masked(path, (), in_short(error, path), number, len(paths))
        if (yield found):
            return


def _targets(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    root = Path(os.path.commonpath([absolute(path).parent for path in paths]))
    targets = {path: place(absolute(path).as_posix(), folder, ".png", root) for path in paths}
    for parent in {target.parent for target in targets.values()}:
        parent.mkdir(parents=True, exist_ok=True)
    return targets


def _left_out(project: Project, path: Path, picker: Picker | None, spacing: float | None) -> Mask:
    labels = project.labels(path)
    if picker is None:
        shape, _ = read_size(path, spacing)
        return areas_mask(labels.excluded, shape, (1.0, 1.0))
    micrograph = read_micrograph(path, spacing)
    scaled = picker.upright(picker.scale(micrograph))
    found = full_size(scaled.left_out.cpu().numpy(), scaled.ratio, micrograph.shape)
    return found | areas_mask(labels.excluded, micrograph.shape, (1.0, 1.0))
