"""Masks of contamination as excluded areas, which a person sees and edits, and the way back to masks."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from cryopick_napari.coordinates.naming import absolute, place
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import make_folder
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
MOST = 200  # pieces and holes; more of them are no contamination but noise
MOST_CORNERS = 2000  # of all outlines together: napari takes its time to draw an area


@dataclass(frozen=True, eq=False)
class Masked:
    """What came of the mask of one micrograph.

    Attributes
    ----------
    path : Path
        The micrograph.
    areas : tuple of (n, 2) float32, or None
        Outlines of what is contaminated, px of the micrograph; None where no mask was read.
    problem : str
        Why it was left out.
    done, total : int
        Micrographs.
    """

    path: Path
    areas: tuple[Polygon, ...] | None = None
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
        If it is in more than 200 pieces.
    """
    factor = max(1, math.ceil(FINE / max(mask.shape)))
    fine = np.kron(mask, np.ones((factor, factor), bool)).astype(np.uint8)
    contours, levels = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    large = [
        number for number, contour in enumerate(contours) if cv2.contourArea(contour) >= LEAST * fine.size
    ]
    if len(large) > MOST:
        raise CryopickError(
            f"it is in {len(large):,} pieces, as noise is: a mask of contamination is 0 where there is none"
        )
    scale = np.asarray(shape) / fine.shape
    lines = _all_simple(
        {number: np.asarray(contours[number], np.int32) for number in large},
        max(TOLERANCE * max(fine.shape), STEPS * factor),
    )
    areas = []
    for number in lines:
        if levels[0][number][3] < 0:
            holes = (line for other, line in lines.items() if levels[0][other][3] == number)
            corners = _cut(lines[number], *holes)
            areas.append(((corners + 0.5) * scale - 0.5).astype(np.float32))
    return tuple(areas)


def _all_simple(
    contours: Mapping[int, NDArray[np.int32]], tolerance: float
) -> dict[int, NDArray[np.float64]]:
    """Simplify outlines until they have few enough corners; those that are then no area are left out."""
    while True:
        lines = {number: _simple(contour, tolerance) for number, contour in contours.items()}
        if sum(map(len, lines.values())) <= MOST_CORNERS:
            return {number: line for number, line in lines.items() if len(line) > 2}
        tolerance *= 1.5


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
        As each micrograph's mask is looked for, and as each mask is read. Send True to stop.

    Raises
    ------
    CryopickError
        If none of them has one.
    """
    files: dict[Path, Path] = {}
    for number, path in enumerate(micrographs, 1):
        if (file := find_mask(folder, path)) is not None:
            files[path] = file
        if (yield Masked(path, None, "", number, len(micrographs))):
            return
    if not files:
        check_masks(folder, micrographs)  # says why
    owners = Counter(files.values())
    for number, (path, file) in enumerate(files.items(), 1):
        try:
            if owners[file] > 1:
                raise CryopickError(
                    f"{file} may be of {owners[file]} micrographs: put the masks of each folder of "
                    "micrographs into a folder of that name"
                )
            shape, _ = read_size(path)
            found = Masked(path, _traced(file, shape), "", number, len(files))
        except CryopickError as error:
            found = Masked(path, None, in_short(error, path), number, len(files))
        if (yield found):
            return


def _traced(file: Path, shape: tuple[int, int]) -> tuple[Polygon, ...]:
    mask = read_mask(file, shape)
    try:
        return outlines(mask, shape)
    except CryopickError as error:
        raise CryopickError(f"{file}: {error}") from error


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

    Raises
    ------
    CryopickError
        If a file is there already, or two micrographs would have the same one.
    """
    targets = _targets(paths, folder)
    for number, path in enumerate(paths, 1):
        try:
            save_mask(targets[path], _left_out(project, path, picker, spacing))
            found = Masked(path, None, "", number, len(paths))
        except CryopickError as error:
            found = Masked(path, None, in_short(error, path), number, len(paths))
        if (yield found):
            return


def _targets(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    root = Path(os.path.commonpath([absolute(path).parent for path in paths]))
    targets: dict[Path, Path] = {}
    owners: dict[Path, Path] = {}
    for path in paths:
        target = place(absolute(path).as_posix(), folder, ".png", root)
        if other := owners.get(target):
            raise CryopickError(f"{other} and {path} would have the same mask {target}: reject one of them")
        # It may be a micrograph, or a mask that somebody drew.
        if target.exists():
            raise CryopickError(f"{target} is there already: choose another folder")
        targets[path], owners[target] = target, path
    for parent in {target.parent for target in targets.values()}:
        make_folder(parent)
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
