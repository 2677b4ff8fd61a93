"""Coordinates of other programs as labels of a project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_napari.config import UNKNOWN_DIAMETER, ParticleSize
from cryopick_napari.coordinates import CoordinateSet, match, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.flip import CHECKED, FlipCheck, flip_check
from cryopick_napari.judging import near
from cryopick_napari.labelling import SAME
from cryopick_napari.labels import Labels, look_complete
from cryopick_napari.material import picks_of
from cryopick_napari.metrics import mirrored
from cryopick_napari.micrograph import Micrograph, read_micrograph, read_size
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings

Size = tuple[tuple[int, int], float | None]  # rows and columns in px, and Å/px where that is known


@dataclass(frozen=True, eq=False)
class Found:
    """Positions that were read for the micrographs of a project.

    Attributes
    ----------
    source : Path
        The file or folder they are from.
    picks : mapping of Path to Picks
        By micrograph.
    shapes : mapping of Path to (int, int)
        Rows and columns of those micrographs, px.
    diameters : mapping of Path to float
        Of a particle, px of each; 50 where nobody knows.
    strangers : tuple of str
        Names in the file that are none of the project's micrographs.
    problems : tuple of str
        Why micrographs are left out.
    flip : FlipCheck or None
    looks_complete : bool
        Whether these seem to be all particles of their micrographs.
    """

    source: Path
    picks: Mapping[Path, Picks]
    shapes: Mapping[Path, tuple[int, int]]
    diameters: Mapping[Path, float]
    strangers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    flip: FlipCheck | None = None
    looks_complete: bool = False


def find_labels(
    source: Path, micrographs: Sequence[Path], spacing: float | None = None, size: ParticleSize | None = None
) -> Found:
    """Read coordinates and find out which micrographs they are of, and whether rows count from the top.

    Parameters
    ----------
    source : Path
        A coordinate file, or a folder of them.
    micrographs : sequence of Path
        Of the project.
    spacing : float, optional
        Å/px, where the files do not say it.
    size : ParticleSize, optional
        Of a particle.

    Raises
    ------
    CryopickError
        If they cannot be read, belong to none of the micrographs, or lie outside of theirs.
    """
    sizes, problems = _sizes(micrographs, spacing)
    matched, strangers = _matched(source, sizes, micrographs, problems)
    if not any(len(rows.picks) for rows in matched.values()):
        raise CryopickError(f"{source} holds no positions of this project's micrographs: nothing to import")
    picks = _inside(matched, sizes)
    diameters = {path: _diameter(rows, sizes[path][1], size) for path, rows in matched.items()}
    shapes = {path: sizes[path][0] for path in picks}
    complete = sum(look_complete(picks[path], shapes[path], diameters[path]) for path in picks)
    flip = flip_check(looked_at(picks, diameters, spacing))
    known = size is not None or any(rows.diameter for rows in matched.values())
    return Found(
        source,
        picks,
        shapes,
        diameters,
        tuple(strangers),
        tuple(problems),
        flip,
        known and complete > len(picks) / 2,
    )


def find_positions(
    source: Path, micrographs: Sequence[Path], spacing: float | None = None
) -> dict[Path, Picks]:
    """Read coordinates of micrographs as they are in the file, without asking whether they are mirrored.

    Parameters
    ----------
    source : Path
        A coordinate file, or a folder of them.
    micrographs : sequence of Path
    spacing : float, optional
        Å/px, where the files do not say it.

    Raises
    ------
    CryopickError
        If they cannot be read, or belong to none of the micrographs.
    """
    sizes, problems = _sizes(micrographs, spacing)
    matched, _ = _matched(source, sizes, micrographs, problems)
    return _inside(matched, sizes)


def find_in_project(
    folder: Path, micrographs: Sequence[Path], spacing: float | None = None, labels: bool = True
) -> dict[Path, Picks]:
    """Read the particles of another project for the micrographs of this one.

    Parameters
    ----------
    folder : Path
        The other project; its micrographs may lie elsewhere, on another computer.
    micrographs : sequence of Path
    spacing : float, optional
        Å/px, where the files do not say it.
    labels : bool
        Its labels; else the picks of its model in use, at its threshold or the model's own.

    Raises
    ------
    CryopickError
        If it is no project, is damaged, or its particles lie outside of these micrographs.
    """
    project = Project.existing(folder)
    settings = project.settings()
    made_by, threshold = settings.picked_by(settings.model), 0.0 if labels else _threshold(project, settings)
    sets = []
    for name in settings.micrographs:
        path = Path(name)
        found = project.labels(path).positives if labels else picks_of(project, path, made_by)
        found = None if found is None else found.above(threshold)
        if found is not None and len(found):
            sets.append(CoordinateSet(name, found))
    sizes, _ = _sizes(micrographs, spacing)
    return _inside(match(sets, list(sizes))[0], sizes)


def _threshold(project: Project, settings: Settings) -> float:
    """Say from which score on a project's picks count."""
    if settings.threshold is not None or settings.model is None:
        return settings.threshold or 0.0
    return Picker.load(project.models.file(settings.model)).config.threshold


def _inside(matched: Mapping[Path, CoordinateSet], sizes: Mapping[Path, Size]) -> dict[Path, Picks]:
    """Give the positions of micrographs, none of which may lie outside of theirs."""
    for path, rows in matched.items():
        _check_inside(path, rows.picks, sizes[path][0])
    return {path: rows.picks for path, rows in matched.items()}


def with_found(labels: Labels, found: Found, path: Path, is_mirrored: bool, is_complete: bool) -> Labels:
    """Add the positions that were read for a micrograph to its labels.

    Parameters
    ----------
    labels : Labels
        Particles that are labelled already stay as they are; marks "not a particle" at these positions go.
    found : Found
    path : Path
        The micrograph.
    is_mirrored : bool
        Mirror the positions top to bottom.
    is_complete : bool
        Say that these are all particles of the micrograph.
    """
    picks, shape = found.picks[path], found.shapes[path]
    picks = mirrored(picks, shape) if is_mirrored else picks
    apart = SAME * found.diameters[path]
    new = Picks.of(picks.yx[~near(picks.yx, labels.positives.yx, apart)])
    positives = labels.positives.joined(new)
    negatives = labels.negatives.where(~near(labels.negatives.yx, new.yx, apart))
    whole = Labels.of_whole_field(positives, shape).complete if is_complete else labels.complete
    return replace(labels, positives=positives, negatives=negatives, complete=whole)


def _matched(
    source: Path, sizes: Mapping[Path, Size], micrographs: Sequence[Path], problems: Sequence[str]
) -> tuple[Mapping[Path, CoordinateSet], Sequence[str]]:
    """Read coordinates, and find the micrographs they are of, and names that are of none."""
    sets = read_coordinates(source, {str(path): shape for path, (shape, _) in sizes.items()})
    matched, strangers = match(sets, list(sizes))
    if not matched:
        raise CryopickError(_nothing(source, strangers, micrographs, problems))
    return matched, strangers


def _sizes(micrographs: Sequence[Path], spacing: float | None) -> tuple[dict[Path, Size], list[str]]:
    """Read rows, columns and pixel sizes of the micrographs that can be read.

    Raises
    ------
    CryopickError
        If there are none.
    """
    if not micrographs:
        raise CryopickError("there are no micrographs: open some, or accept those that are rejected")
    sizes, problems = {}, []
    for path in micrographs:
        try:
            sizes[path] = read_size(path, spacing)
        except CryopickError as error:
            problems.append(str(error))
    return sizes, problems


def _diameter(rows: CoordinateSet, spacing: float | None, size: ParticleSize | None) -> float:
    if size is not None and not (size.in_angstrom and spacing is None):
        return size.in_pixels(spacing)
    return rows.diameter or UNKNOWN_DIAMETER


def _check_inside(path: Path, picks: Picks, shape: tuple[int, int]) -> None:
    outside = len(picks) - len(picks.within(shape))
    if outside:
        raise CryopickError(
            f"{outside} of {len(picks)} positions of {path.name} lie outside its {shape[0]} rows and "
            f"{shape[1]} columns: are they of another binning? Pick the same micrographs in the other "
            "program, or open those that it used"
        )


def _nothing(source: Path, strangers: Sequence[str], ours: Sequence[Path], problems: Sequence[str]) -> str:
    theirs = ", ".join(map(repr, strangers[:3])) or "no micrograph"
    told = f"{source.name} has positions of {theirs}, and no micrograph of this project is called so"
    if problems and len(problems) == len(ours):
        return problems[0]
    return f"{told}: open those micrographs, or rename the file as its micrograph ({ours[0].stem}...)"


def looked_at(
    picks: Mapping[Path, Picks], diameters: Mapping[Path, float], spacing: float | None
) -> Iterator[tuple[Micrograph, Picks, float]]:
    """Read the few micrographs with the most positions."""
    for path in sorted(picks, key=lambda path: -len(picks[path]))[:CHECKED]:
        try:
            yield read_micrograph(path, spacing), picks[path], diameters[path]
        except CryopickError:
            continue  # its header could be read; whoever looks at it will be told
