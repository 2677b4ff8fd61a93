"""What is known of the micrographs of a project, and which particles of it are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryopick_napari.config import ParticleSize
from cryopick_napari.errors import CryopickError
from cryopick_napari.judging import judged, near
from cryopick_napari.labels import Labels, outside
from cryopick_napari.micrograph import read_size
from cryopick_napari.peaks import spaced
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

Source = Literal["corrected", "picks", "labels"]

SAME_PARTICLE = 0.5  # diameters: a pick nearer than this to a label
ROUNDING = 0.98  # of the least distance: the network's scale is not quite the same along rows and columns


@dataclass(frozen=True, eq=False)
class Material:
    """What is known of one micrograph of a project.

    Attributes
    ----------
    path : Path
    labels : Labels
    picks : Picks or None
        All picks of the model in use, whatever their score; None where it has not picked yet.
    shape : (int, int)
        Rows and columns, px.
    spacing : float or None
        Å/px.
    problem : str
        Why its file cannot be read; then ``shape`` says nothing.
    """

    path: Path
    labels: Labels
    picks: Picks | None = None
    shape: tuple[int, int] = (0, 0)
    spacing: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Choice:
    """Which particles are written.

    Attributes
    ----------
    source : str
        ``corrected``: picks, without those at places marked "not a particle", and labelled particles
        that were not picked; ``picks``: as the model made them; ``labels``: what a person said.
        Excluded areas are left out, but of ``picks``.
    threshold : float
        Least score of a pick.
    min_distance : float or None
        Least distance of picks in diameters; None takes them as they were made.
    border : float
        Least distance from an edge, px of the micrograph.
    size : ParticleSize or None
        Of a particle.
    """

    source: Source = "corrected"
    threshold: float = 0.5
    min_distance: float | None = None
    border: float = 0.0
    size: ParticleSize | None = None

    def diameter(self, spacing: float | None) -> float | None:
        """Diameter in px at a pixel size (Å/px); None where nobody knows it."""
        if self.size is None or (self.size.in_angstrom and spacing is None):
            return None
        return self.size.in_pixels(spacing)


def gathered(
    project: Project,
    paths: Iterable[Path],
    model: str | None,
    spacing: float | None = None,
    labels: Mapping[Path, Labels] | None = None,
) -> Iterator[Material]:
    """Read what is known of micrographs, but none of their pixels.

    Parameters
    ----------
    project : Project
    paths : iterable of Path
    model : str or None
        The model in use; picks of another one do not count.
    spacing : float, optional
        Å/px, where the files do not say it.
    labels : mapping, optional
        Labels that are newer than those on the disk.
    """
    for path in paths:
        try:
            said = (labels or {}).get(path) or project.labels(path)
        except CryopickError as error:
            yield Material(path, Labels(Picks.of([])), problem=in_short(error, path))
            continue
        picks = picks_of(project, path, model)
        try:
            shape, size = read_size(path, spacing)
        except CryopickError as error:
            yield Material(path, said, picks, problem=in_short(error, path))
            continue
        yield Material(path, said, picks, shape, size)


def in_short(error: CryopickError, path: Path) -> str:
    """Say what is wrong with a micrograph, without its folders: a panel has little room."""
    return str(error).replace(str(path), path.name)


def picks_of(project: Project, path: Path, model: str | None) -> Picks | None:
    """Read the picks that a model made of a micrograph; None if it has not."""
    known = project.picks(path)
    return known[0] if known is not None and known[1] == model else None


def chosen(material: Material, choice: Choice) -> Picks | None:
    """Choose the particles of a micrograph; None where there is nothing to choose from.

    Raises
    ------
    CryopickError
        If the micrograph cannot be read, or picks cannot be corrected without the particle's size.
    """
    picks = material.labels.positives if choice.source == "labels" else material.picks
    if picks is None or (choice.source == "labels" and not len(picks)):
        return None
    if material.problem:
        raise CryopickError(material.problem)
    diameter = choice.diameter(material.spacing)
    if choice.source != "labels":
        picks = picks.above(choice.threshold)
        if choice.min_distance is not None and diameter is not None:
            picks = picks.where(spaced(picks.yx.astype(float), ROUNDING * choice.min_distance * diameter))
    if choice.source == "corrected":
        if diameter is None:
            raise CryopickError(f"{material.path.name}: say the particle's size and the pixel size first")
        picks = corrected(picks, material.labels, diameter)
    if choice.source != "picks":
        picks = outside(picks, material.labels.excluded, material.shape)
    return picks.within(material.shape, choice.border)


def corrected(picks: Picks, labels: Labels, diameter: float) -> Picks:
    """Take picks at places marked "not a particle" away, and add labelled particles that were not picked.

    Parameters
    ----------
    picks : Picks
    labels : Labels
    diameter : float
        Of a particle, px.
    """
    _, rejected = judged(picks, labels, diameter)
    right = picks.where(~rejected)
    # A pick this near to a label is of the same particle: it would be cut out twice.
    found = near(labels.positives.yx, right.yx, SAME_PARTICLE * diameter)
    return right.joined(labels.positives.where(~found))
