"""What the files of a project hold, read as if a stranger had written them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import ArrayLike

from cryopick_napari.config import ParticleSize
from cryopick_napari.display import DisplayFilter
from cryopick_napari.errors import CryopickError
from cryopick_napari.labels import Labels, Polygon
from cryopick_napari.picks import Picks

ABOVE_0 = 1e-6  # Å or px
LARGEST_POSITION = 1e6  # px; what is beyond cannot be of a micrograph
LARGEST_PICKS = 64 << 20  # bytes of memory; 5 million picks


@dataclass(frozen=True)
class Settings:
    """What a project is about.

    Attributes
    ----------
    micrographs : tuple of str
        Absolute paths, in the order they were opened.
    spacing : float or None
        Å/px, where the files do not say it.
    diameter : float or None
        Of the particle, as it was given: in Å or px.
    in_angstrom : bool
    model : str or None
        The model in use.
    threshold : float or None
        Least score of a pick; None takes the model's own.
    min_distance : float or None
        Least distance of picks in diameters; None takes the model's own.
    contamination_mask : bool or None
        Whether to pick nothing on contamination; None does as the model.
    rejected : tuple of str
        Those of the micrographs that are neither learned from nor picked nor exported.
    """

    micrographs: tuple[str, ...] = ()
    spacing: float | None = None
    diameter: float | None = None
    in_angstrom: bool = True
    model: str | None = None
    threshold: float | None = None
    min_distance: float | None = None
    contamination_mask: bool | None = None
    rejected: tuple[str, ...] = ()

    @property
    def size(self) -> ParticleSize | None:
        """The particle's size, once it was given."""
        return None if self.diameter is None else ParticleSize(self.diameter, self.in_angstrom)

    def picked_by(self, model: str | None) -> str | None:
        """Name what picks a model makes under these settings, so that others are not taken for them."""
        if model is None or self.contamination_mask is None:
            return model
        return f"{model}, {'without' if self.contamination_mask else 'with'} contamination"


@dataclass(frozen=True)
class View:
    """Where a person was in a project when its window was closed.

    Attributes
    ----------
    current : str or None
        The micrograph that was looked at.
    panel : str or None
        The panel that was in front.
    display : DisplayFilter or None
        How micrographs were shown; None is what suits the particle.
    border : int
        How near to an edge particles are left out of an export, px.
    format : str or None
        In which coordinates were exported.
    overlays : mapping
        By the names of layers: whether each is shown, and its opacity from 0 to 1.
    sorting : (str, bool) or None
        Title of the column that micrographs are sorted by, and whether from the largest down.
    gallery : str or None
        In which order picks are shown there.
    """

    current: str | None = None
    panel: str | None = None
    display: DisplayFilter | None = None
    border: int = 0
    format: str | None = None
    overlays: Mapping[str, tuple[bool, float]] = field(default_factory=dict)
    sorting: tuple[str, bool] | None = None
    gallery: str | None = None

    def before(self, other: View) -> View:
        """Take from another view what this one leaves open."""
        known = {name: value for name, value in vars(self).items() if value != getattr(View(), name)}
        return replace(other, **known)


def view_from(content: Mapping[str, Any]) -> View:
    """Make a view of what a file holds; what is no view is none, for nothing is lost with it."""
    current, panel, display = (content.get(name) for name in ("current", "panel", "display"))
    try:
        shown = None if display is None else DisplayFilter(**display)
    except (TypeError, CryopickError):
        shown = None
    border, format, gallery = (content.get(name) for name in ("border", "format", "gallery"))
    return View(
        current if isinstance(current, str) and current else None,
        panel if isinstance(panel, str) else None,
        shown,
        border if isinstance(border, int) and border > 0 else 0,
        format if isinstance(format, str) else None,
        _overlays(content.get("overlays")),
        _sorting(content.get("sorting")),
        gallery if isinstance(gallery, str) else None,
    )


def _overlays(found: object) -> dict[str, tuple[bool, float]]:
    """Take those looks of layers that are such."""
    looks: dict[str, tuple[bool, float]] = {}
    for name, look in found.items() if isinstance(found, dict) else ():
        match look:
            case [bool() as visible, float() | int() as opacity] if 0 <= opacity <= 1:
                looks[name] = visible, float(opacity)
    return looks


def _sorting(found: object) -> tuple[str, bool] | None:
    match found:
        case [str() as title, bool() as descends]:
            return title, descends
    return None


def settings_from(content: Mapping[str, Any]) -> Settings:
    """Make settings of what a file holds.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    paths, rejected = (_paths(name, content.get(name, [])) for name in ("micrographs", "rejected"))
    model, in_angstrom = content.get("model"), content.get("in_angstrom", True)
    avoids = content.get("contamination_mask")
    if not isinstance(model, str | None) or not isinstance(in_angstrom, bool):
        raise ValueError("model must be a name, in_angstrom true or false")
    if not isinstance(avoids, bool | None):
        raise ValueError("contamination_mask must be true, false or nothing")
    spacing, diameter, threshold, min_distance = (
        _number(name, content.get(name), lowest)
        for name, lowest in (
            ("spacing", ABOVE_0),
            ("diameter", ABOVE_0),
            ("threshold", 0.0),
            ("min_distance", 0.0),
        )
    )
    return Settings(paths, spacing, diameter, in_angstrom, model, threshold, min_distance, avoids, rejected)


def _paths(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(path, str) and path for path in value):
        raise ValueError(f"{name} must be a list of paths")
    return tuple(dict.fromkeys(value))


def content_of(micrograph: Path, labels: Labels) -> dict[str, Any]:
    """Say the labels of a micrograph as JSON can; `labels_from` reads them."""
    return {
        "micrograph": str(micrograph),
        "positives": labels.positives.yx.tolist(),
        "negatives": labels.negatives.yx.tolist(),
        "complete": [area.tolist() for area in labels.complete],
        "excluded": [area.tolist() for area in labels.excluded],
    }


def labels_from(content: Mapping[str, Any], source: Path) -> Labels:
    """Make labels of what a file holds.

    Raises
    ------
    CryopickError
        If it holds something else; names ``source``.
    """
    try:
        if "positives" not in content:
            raise ValueError("it is another program's")
        positives, negatives = (_positions(content.get(name, ())) for name in ("positives", "negatives"))
        complete, excluded = (
            tuple(map(_positions, content.get(name, ()))) for name in ("complete", "excluded")
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise CryopickError(
            f"the labels in {source} are damaged ({error}): put a copy of that file back, or label again"
        ) from error
    complete, excluded = (tuple(area for area in areas if len(area) > 2) for areas in (complete, excluded))
    return Labels(Picks.of(positives), Picks.of(negatives), complete, excluded)


def _number(name: str, value: Any, lowest: float) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and lowest <= value < LARGEST_POSITION):
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def picks_from(path: Path) -> tuple[Picks, str]:
    """Read picks and the name of their model, and raise anything if they are damaged."""
    with ZipFile(path) as archive:
        if sum(part.file_size for part in archive.infolist()) > LARGEST_PICKS:
            raise ValueError("too large")
    with np.load(path, allow_pickle=False) as content:
        yx, score, model = content["yx"], content["score"], content["model"]
    if yx.dtype.kind != "f" or score.dtype.kind != "f" or not np.isfinite(score).all():
        raise ValueError("no numbers")
    if model.shape != () or model.dtype.kind != "U":
        raise ValueError("no name")
    return Picks.of(_positions(yx), score), str(model)


def _positions(rows: ArrayLike) -> Polygon:
    positions = np.asarray(rows, np.float64)
    if positions.size == 0:
        return np.zeros((0, 2), np.float32)
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(f"positions of the shape {positions.shape}")
    if not (np.abs(positions) < LARGEST_POSITION).all():  # also where one is not a number
        raise ValueError("positions that cannot be")
    return positions.astype(np.float32)
