"""Pick the micrographs of a project that the model in use has not picked yet."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopick_napari.errors import CryopickError
from cryopick_napari.material import in_short, picks_of
from cryopick_napari.micrograph import read_micrograph
from cryopick_napari.models import Model
from cryopick_napari.picker import Picker
from cryopick_napari.project import Project, Settings

AT_ONCE = 100  # micrographs of which is seen whether they were picked, before one may say stop


@dataclass(frozen=True)
class Step:
    """Where the picking of a project stands.

    Attributes
    ----------
    done, total : int
        Micrographs.
    path : Path or None
        The one that was done last.
    problem : str
        Why it could not be picked.
    """

    done: int
    total: int
    path: Path | None = None
    problem: str = ""


def pick_as_set(
    project: Project, paths: Sequence[Path], model: Model, settings: Settings, min_distance: float | None
) -> Generator[Step, bool | None, Step]:
    """Pick micrographs with a model of the project as its settings say; else as `pick_remaining`."""
    picker, name = avoiding(model.picker, settings.contamination_mask), model.record.name
    made_by = settings.picked_by(name) or name
    return pick_remaining(project, paths, picker, made_by, settings.spacing, min_distance)


def avoiding(picker: Picker, contamination_mask: bool | None) -> Picker:
    """Let a picker avoid contamination as a project says, or as it does by itself where that says nothing."""
    return picker if contamination_mask is None else picker.configured(contamination_mask=contamination_mask)


def pick_remaining(
    project: Project,
    paths: Sequence[Path],
    picker: Picker,
    model: str,
    spacing: float | None = None,
    min_distance: float | None = None,
) -> Generator[Step, bool | None, Step]:
    """Pick micrographs one after the other, and save all picks of each, whatever their score.

    Parameters
    ----------
    project : Project
    paths : sequence of Path
        Those with saved picks of this model are passed over: a run that was stopped goes on.
    picker : Picker
    model : str
        What its picks are said to be made by in the project.
    spacing : float, optional
        Å/px, where the files do not say it.
    min_distance : float, optional
        Least distance between picks in diameters; the model's own by default.

    Yields
    ------
    Step
        Before the first micrograph and after each. Send True to stop.

    Returns
    -------
    Step
        The last one.

    Raises
    ------
    CryopickError
        If picks cannot be saved.
    """
    missing: list[Path] = []
    for number, path in enumerate(paths, 1):
        if picks_of(project, path, model) is None:
            missing.append(path)
        if number % AT_ONCE == 0 and (yield Step(0, len(paths))):
            return Step(0, len(paths))
    step = Step(0, len(missing))
    for path in missing:
        if (yield step):
            return step
        try:
            scaled, probability = picker.search(read_micrograph(path, spacing))
            picks = picker.picks(probability, scaled, min_distance)
        except CryopickError as error:
            step = Step(step.done + 1, len(missing), path, in_short(error, path))
            continue
        project.save_picks(path, picks, model)
        step = Step(step.done + 1, len(missing), path)
    yield step
    return step
