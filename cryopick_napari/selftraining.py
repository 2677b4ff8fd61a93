"""Self-training: confident picks of unlabelled ground become labels, as long as held-out labels agree."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from cryopick_napari.checkpoint import Checkpoint
from cryopick_napari.choosing import at_one_scale, calibrated, network_alone
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.devices import resolve_device
from cryopick_napari.distribution import anyone, of_first, picker_of_first
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import Field, labelled_fields, prepare
from cryopick_napari.labels import Example, Labels, no_picks
from cryopick_napari.masks import masked
from cryopick_napari.micrograph import Micrograph, read_micrograph
from cryopick_napari.patches import Canvas
from cryopick_napari.picker import Picker
from cryopick_napari.pseudolabels import has_spare_ground, pseudo_labelled
from cryopick_napari.training import DEFAULTS, Job, Progress, canvas, canvases_of, fit, train

Unlabelled = Micrograph | Path | str
Result = TypeVar("Result")


def self_train(
    picker: Picker,
    examples: Sequence[Example],
    unlabelled: Sequence[Unlabelled] = (),
    config: TrainingConfig = DEFAULTS,
    validation: Sequence[Example] = (),
    resume: Checkpoint | None = None,
    masks: Path | None = None,
) -> Job:
    """Train a picker on labels, then in rounds on labels and its own confident picks.

    A round is kept only if it is not worse on the held-out labels, which are the same throughout
    and never picks; the first that is worse ends the rounds, as the next one would learn from the
    same picks. A ``Progress.message`` says how each went.

    Parameters
    ----------
    picker : Picker
        Where to start from; it is never changed. A trained one goes straight to the rounds.
    examples : sequence of Example
        With at least two labelled particles; the unlabelled ground of those labelled in part is
        learned from, too.
    unlabelled : sequence of Micrograph, Path or str
        Files are read one at a time, and kept at the network's scale. Those that are labelled are
        left out, and those that cannot be read, with a message.
    config : TrainingConfig, optional
        Without ``self_training_iterations`` this is `train`.
    validation : sequence of Example
        As for `train`.
    resume : Checkpoint, optional
        As for `train`: of the supervised part. An interrupted self-training begins its rounds anew.
    masks : Path, optional
        A folder of masks of contamination of the unlabelled files.

    Yields
    ------
    Progress
        Steps and epochs count on from the supervised training. Send True to stop.

    Returns
    -------
    Picker
        The best on the held-out labels, with its threshold.

    Raises
    ------
    CryopickError
        As `train` does, and if no label can be held out or nothing is unlabelled.
    """
    if not (config.self_training_iterations and picker.config.depth):
        return (yield from train(picker, examples, config, validation, resume))
    relay = _Relay()
    picker = network_alone(picker)
    device = resolve_device(config.device)
    fields = labelled_fields(examples, validation, picker.config, config, device)
    labelled = {_path(example.micrograph) for example in (*examples, *validation)} - {None}
    others = yield from relay.through(_prepared(unlabelled, labelled, picker.config, device, masks))
    _check(fields, others)
    if picker.training and resume is None:
        moved = replace(picker, network=copy.deepcopy(picker.network).to(device))
        best = picker_of_first(calibrated(moved, fields, config))
    else:
        best = yield from relay.through(
            fit(picker, canvases_of(picker, fields, config), fields, config, resume)
        )
    kept = 0
    while kept < config.self_training_iterations and not relay.stopped:
        tried = yield from _round(best, picker, fields, others, config, kept + 1, relay)
        if tried is best:  # another round would learn from the same picks
            break
        best, kept = tried, kept + 1
    record = {**best.training, **dataclasses.asdict(config), "rounds_kept": kept}
    return replace(best, training=record)


class _Relay:
    """Hands progress on, and remembers the last and whether to stop."""

    def __init__(self) -> None:
        self.last = Progress("preparing")
        self.stopped = False

    def through(
        self,
        part: Generator[Progress, bool | None, Result],
        change: Callable[[Progress], Progress] = lambda progress: progress,
    ) -> Generator[Progress, bool | None, Result]:
        """Run a part to its end; once told to stop, tell it so each time."""
        answer: bool | None = None
        while True:
            try:
                self.last = change(part.send(answer))
            except StopIteration as end:
                result: Result = end.value
                return result
            self.stopped |= anyone(bool((yield self.last)))
            answer = self.stopped or None


def _prepared(
    unlabelled: Sequence[Unlabelled],
    labelled: set[Path | None],
    config: PickerConfig,
    device: torch.device,
    masks: Path | None,
) -> Generator[Progress, bool | None, list[Field]]:
    """Bring unlabelled micrographs to the network's scale, one at a time."""
    fields: list[Field] = []
    plan = Progress("preparing", steps=len(unlabelled))
    stop = bool((yield plan))
    for number in range(len(unlabelled)):
        if stop:
            break
        message = ""
        try:
            fields += _unlabelled_field(unlabelled[number], labelled, config, device, masks)
        except CryopickError as error:
            message = f"left out of self-training: {error}"
        stop = bool((yield replace(plan, step=number + 1, message=message)))
    return fields


def _unlabelled_field(
    entry: Unlabelled,
    labelled: set[Path | None],
    config: PickerConfig,
    device: torch.device,
    masks: Path | None,
) -> list[Field]:
    """Bring one to the network's scale, unless it is labelled: what is held out of it must stay unseen."""
    if _path(entry) in labelled:
        return []
    micrograph = entry if isinstance(entry, Micrograph) else masked(read_micrograph(entry), masks)
    return [prepare(Example(micrograph, Labels(no_picks())), config, device)]


def _path(entry: Unlabelled) -> Path | None:
    path = entry.path if isinstance(entry, Micrograph) else Path(entry)
    return path and path.resolve()


def _check(fields: Sequence[Field], others: Sequence[Field]) -> None:
    """Refuse what has no measure of its success, or nothing to learn from."""
    if not any(field.tested.any() for field in fields):
        raise CryopickError("self-training is judged by labels held out: label at least two particles")
    if not others and not any(map(has_spare_ground, fields)):
        raise CryopickError("self-training needs micrographs without labels: give some (--unlabelled)")


def _round(
    best: Picker,
    start: Picker,
    fields: Sequence[Field],
    others: Sequence[Field],
    config: TrainingConfig,
    number: int,
    relay: _Relay,
) -> Job:
    """Train on labels and confident picks; return the picker that is better on held-out labels."""
    teacher = at_one_scale(best, fields, start.config, config)
    least = max(config.positive_threshold, teacher.config.threshold)  # what is no pick cannot teach as one
    config = replace(config, positive_threshold=least)
    last, rounds = relay.last, config.self_training_iterations
    now = Progress(
        "self-training", last.step, last.steps, last.epoch, last.epochs, round=number, rounds=rounds
    )
    whole = all(field.is_complete for field in fields)
    labelled, count = yield from relay.through(_with_picks(teacher, fields, config, whole, now))
    picked, more = yield from relay.through(_with_picks(teacher, others, config, whole, now))
    if relay.stopped:
        return best
    taught = of_first(count + more)
    if not taught:
        unsure = f"no pick scores {least:g} or more: lower --positive-threshold"
        yield from relay.through(_said(now, f"round {number} left out: {unsure}"))
        return best
    settings = replace(config, initial_epochs=config.retrain_epochs, seed=(config.seed + number) % 2**32)
    # Labels are half of what is learned from: picks must not drown them.
    canvases = labelled * max(1, math.ceil(len(picked) / max(1, len(labelled)))) + picked
    # The first look has no network: a new one learns from its picks.
    job = fit(network_alone(best) if best.config.depth else start, canvases, fields, settings, by_heart=True)
    tried = yield from relay.through(job, lambda progress: _counted_on(now, progress))
    before, after = _loss(best), _loss(tried)
    verdict = "kept" if after <= before else "rejected"
    figures = f"validation loss {before:.4f} -> {after:.4f}, {taught} picks as labels"
    yield from relay.through(_said(relay.last, f"round {number} {verdict}: {figures}"))
    return tried if after <= before else best


def _said(progress: Progress, message: str) -> Generator[Progress, bool | None, None]:
    yield replace(progress, phase="self-training", message=message)


def _with_picks(
    picker: Picker, fields: Sequence[Field], config: TrainingConfig, whole: bool, now: Progress
) -> Generator[Progress, bool | None, tuple[list[Canvas], int]]:
    """Lay out fields with their labels and confident picks; also return how many picks."""
    canvases: list[Canvas] = []
    count = 0
    for field in fields:
        new = _taught(picker, field, config, whole) if has_spare_ground(field) else field
        canvases += _canvases([new], config)
        count += len(new.positives) - len(field.positives)
        if (yield now):
            break
    return canvases, count


def _taught(picker: Picker, field: Field, config: TrainingConfig, whole: bool) -> Field:
    """Add what a picker is sure of; a field without particles may have been taken inverted."""
    scaled = field.scaled if len(field.positives) else picker.upright(field.scaled)
    return pseudo_labelled(replace(field, scaled=scaled), picker.probability(scaled), config, whole)


def _counted_on(now: Progress, progress: Progress) -> Progress:
    """Count steps and epochs on from those before; no round can be resumed half done."""
    left = now.rounds - now.round + 1
    return replace(
        progress,
        phase=now.phase if progress.phase == "training" else progress.phase,
        step=now.step + progress.step,
        steps=now.step + left * progress.steps,
        epoch=now.epoch + progress.epoch,
        epochs=now.epoch + left * progress.epochs,
        checkpoint=None,
        round=now.round,
        rounds=now.rounds,
    )


def _loss(picker: Picker) -> float:
    """Look up the network's loss on held-out labels that its training recorded."""
    return float(picker.training.get("network", picker.training["validation"])["loss"])


def _canvases(fields: Sequence[Field], config: TrainingConfig) -> list[Canvas]:
    """Lay out the fields on which something counts."""
    canvases = [canvas(field, config.target_radius) for field in fields if field.learned.any()]
    return [each for each in canvases if each.planes[2].any()]
