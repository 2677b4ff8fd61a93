"""Methods side by side: the same labels, the same test, the same time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cryopick_napari
from cryopick_napari.baselines import transformers
from cryopick_napari.baselines.method import Budget, Learned, Method, Stage
from cryopick_napari.baselines.scoring import Outcome, outcome
from cryopick_napari.config import PRESETS, TrainingConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.examples import new_picker
from cryopick_napari.files import read_json, write_json
from cryopick_napari.labels import Example
from cryopick_napari.picker import Picker

METHODS = {
    "unet": "Standard U-Net",
    "attention": "Attention U-Net",
    "fixmatch": "ResNet FixMatch",
    "detr": "Transformer (DETR)",
}
BORROWED = ("fixmatch", "detr")  # these need the extra


@dataclass(frozen=True)
class Plan:
    """What is compared, and how.

    Attributes
    ----------
    budget : Budget
        Of each method.
    methods : tuple of str
        Keys of `METHODS`.
    seeds : tuple of int
    preset : str
        Of the U-Nets; DETR has sizes of the same names.
    diameter : float or None
        Of a particle, Å.
    radius : float or None
        Instead: half of it, in px of the micrographs.
    device : str
    """

    budget: Budget
    methods: tuple[str, ...] = tuple(METHODS)
    seeds: tuple[int, ...] = (42,)
    preset: str = "small"
    diameter: float | None = None
    radius: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        if not self.budget.seconds > 0:
            raise CryopickError(f"the budget must be above 0 s, not {self.budget.seconds:g}")
        for name in self.methods:
            if name not in METHODS:
                raise CryopickError(f"there is no method {name!r}: choose from {', '.join(METHODS)}")
        for seed in self.seeds:
            TrainingConfig(seed=seed)


@dataclass(frozen=True)
class Step:
    """Where a comparison stands.

    Attributes
    ----------
    method : str
    seed : int
    stage : Stage or None
        None once its outcome is there.
    outcome : Outcome or None
    """

    method: str
    seed: int
    stage: Stage | None = None
    outcome: Outcome | None = None


def compare(
    training: Sequence[Example], test: Sequence[Example], plan: Plan, folder: Path | None = None
) -> Generator[Step, bool | None, list[Outcome]]:
    """Train every method on the same labels for the same time, and score each on the same fields.

    Parameters
    ----------
    training, test : sequence of Example
        Every particle of the test's fields is labelled.
    plan : Plan
    folder : Path, optional
        Outcomes are kept there, and those of the same labels and plan taken from there.

    Yields
    ------
    Step
        Send True to stop; the outcomes so far are returned.

    Raises
    ------
    CryopickError
        If a library is missing, or the labels cannot be learned from.
    """
    if set(plan.methods) & set(BORROWED):
        transformers()  # before minutes are spent on the others
    subject = subject_of(training, test, plan)
    done: list[Outcome] = []
    for seed in plan.seeds:
        for name in plan.methods:
            kept = None if folder is None else folder / f"{name}-{seed}.json"
            result = _recalled(kept, subject)
            if result is None:
                result = yield from _run(name, seed, training, test, plan)
                if result is None:
                    return done
                if kept is not None:
                    write_json(kept, {"subject": subject, "outcome": dataclasses.asdict(result)})
            done.append(result)
            if (yield Step(name, seed, outcome=result)):
                return done
    return done


def _run(
    name: str, seed: int, training: Sequence[Example], test: Sequence[Example], plan: Plan
) -> Generator[Step, bool | None, Outcome | None]:
    """Train and score one method; None if it was stopped, as less time is no fair comparison."""
    method, picker = method_of(name, seed, training, plan)
    job = method.fit(training, plan.budget)
    answer: bool | None = None
    while True:
        try:
            stage = job.send(answer)
        except StopIteration as end:
            learned: Learned = end.value
            break
        if (yield Step(name, seed, stage)):
            job.close()
            return None
    if (yield Step(name, seed, Stage("testing", learned.seconds))):
        return None
    return outcome(name, seed, learned, test, picker.config.diameter)


def method_of(name: str, seed: int, examples: Sequence[Example], plan: Plan) -> tuple[Method, Picker]:
    """Make a method, and the untrained picker whose scale and polarity all methods share."""
    settings = {"gate": "none" if name == "unet" else "additive"}
    picker = new_picker(
        examples, plan.diameter, radius=plan.radius, preset=plan.preset, settings=settings, seed=seed
    )
    # Networks are compared: none of them gets the first look's help.
    own = {"seed": seed, "device": plan.device, "first_look": False, "neighbours": False}
    config = TrainingConfig(**{**PRESETS[plan.preset].training, **own})
    return _MAKERS[name](picker, config, plan.preset), picker


def _unet(picker: Picker, config: TrainingConfig, _preset: str) -> Method:
    from cryopick_napari.baselines.unet import UNetMethod

    return UNetMethod(picker, config)


def _fixmatch(picker: Picker, config: TrainingConfig, _preset: str) -> Method:
    from cryopick_napari.baselines.fixmatch import FixMatch

    return FixMatch(picker.config, config)


def _detr(picker: Picker, config: TrainingConfig, preset: str) -> Method:
    from cryopick_napari.baselines.detecting import Detr

    return Detr(picker.config, config, preset)


_MAKERS: dict[str, Callable[[Picker, TrainingConfig, str], Method]] = {
    "unet": _unet,
    "attention": _unet,
    "fixmatch": _fixmatch,
    "detr": _detr,
}


def subject_of(training: Sequence[Example], test: Sequence[Example], plan: Plan) -> str:
    """Digest what is compared on what: version, pixels, labels, and the plan but for methods and seeds."""
    shared: dict[str, Any] = dataclasses.asdict(replace(plan, methods=(), seeds=()))
    shared["version"] = cryopick_napari.__version__
    digest = hashlib.sha256(json.dumps(shared, sort_keys=True).encode())
    for part in (training, test):
        digest.update(f"{len(part)} fields".encode())
        for example in part:
            labels = example.labels
            digest.update(f"{example.micrograph.spacing} {bool(labels.complete)}".encode())
            digest.update(example.micrograph.image.tobytes())
            digest.update(labels.positives.yx.tobytes())
    return digest.hexdigest()


def _recalled(path: Path | None, subject: str) -> Outcome | None:
    """Read the outcome of an earlier run of the same; None if there is none."""
    if path is None or not path.is_file():
        return None
    content = read_json(path)
    if content.get("subject") != subject:
        return None
    try:
        return Outcome(**{name: _tuples(value) for name, value in content["outcome"].items()})
    except (TypeError, KeyError, AttributeError) as error:
        raise CryopickError(f"{path} is damaged: remove it") from error


def _tuples(value: Any) -> Any:
    return tuple(tuple(pair) for pair in value) if isinstance(value, list) else value
