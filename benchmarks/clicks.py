"""F1 against the number of clicks: the first look and a training, on the splits of `splits.toml`.

Up to 30 clicks lie on one training field, chosen by the seed, more on all of them; "all" are three
fully labelled fields. A training starts from the general model, and once more from nothing. With 30 clicks
it also goes on by itself on the fields that were not clicked, and lasts four times as long. Cells are kept
beside the table and not computed again as long as the general model is the same (``--fresh`` drops them, as
a change of the training must). Needs the labelled micrographs, as `benchmarks.real` does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
import tomllib
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from benchmarks.machine import RESULTS, save
from benchmarks.real import HERE, load
from cryopick_napari.config import training_config
from cryopick_napari.examples import new_picker
from cryopick_napari.first_look import first_look
from cryopick_napari.general import general_file
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import STRICT, Score, best_threshold, score
from cryopick_napari.picker import Picker
from cryopick_napari.selftraining import self_train
from cryopick_napari.training import completed
from cryopick_napari.words import counted

COUNTS = ("10", "30", "100", "300", "all")
ON_ONE_FIELD = 30  # clicks
ROUNDS = 2  # of self-training
METHODS = ("first look", "trained", "from scratch")
SELF_TRAINED, LONGER = "self-trained", "4 times longer"
EXTRA = {SELF_TRAINED: ("30",), LONGER: ("30", "all")}  # and the counts they are measured with
CACHE = RESULTS / "clicks.jsonl"
SETS = ("empiar-10017", "empiar-10146", "empiar-10146-frame")
COMPARED = (
    ("the general model", "trained", "from scratch"),
    (f"{ROUNDS} rounds of self-training on the other fields", SELF_TRAINED, "trained"),
    ("training 4 times as long", LONGER, "trained"),
)
# Floor and goal of F1 on each.
WANTED = {
    ("first look", "10"): ((0.70, 0.75), (0.94, 0.97), (0.42, 0.50)),
    ("trained", "30"): ((0.76, 0.81), (0.96, 0.98), (0.52, 0.60)),
    ("trained", "100"): ((0.78, 0.83), (0.96, 0.98), (0.55, 0.65)),
    ("trained", "all"): ((0.84, 0.87), (0.96, 0.98), (0.62, 0.70)),
}
Fields = dict[str, list[Example]]


@dataclass(frozen=True)
class Cell:
    """One run: what was measured, and how."""

    set: str
    clicks: str
    seed: int
    method: str
    f1: float
    precision: float
    recall: float
    best_f1: float
    seconds: float
    answer: str
    general: str = ""  # model it began with: the head of its checksum

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.set, self.clicks, self.seed, self.method


def clicked(fields: list[Example], clicks: str, seed: int) -> list[Example]:
    """Choose the labels that a person would have clicked."""
    if clicks == "all":
        return fields
    count = int(clicks)
    chosen = [fields[seed % len(fields)]] if count <= ON_ONE_FIELD else fields
    rng = np.random.default_rng(seed)
    examples = []
    for share, field in zip(np.array_split(np.arange(count), len(chosen)), chosen, strict=True):
        truth = field.labels.positives
        examples.append(
            Example(field.micrograph, Labels(truth.where(rng.permutation(len(truth))[: len(share)])))
        )
    return examples


def measure(name: str, split: dict[str, Any], fields: Fields, clicks: str, seed: int, method: str) -> Cell:
    """Take a first look, or train, and score on the test fields."""
    examples = clicked(fields["train"], clicks, seed)
    is_new = method in ("first look", "from scratch")
    unclicked = [
        field.micrograph
        for field in fields["train"]
        if all(field.micrograph is not example.micrograph for example in examples)
    ]
    start = time.perf_counter()
    picker = new_picker(examples, split["diameter"], preset="small", seed=seed, from_scratch=is_new)
    if method == "first look":  # as the window makes it
        picker = first_look(examples, picker.config)
    else:
        settings = {"seed": seed, "from_scratch": is_new}
        config = training_config("small", clicks != "all", settings)
        if method == LONGER:
            config = replace(config, initial_epochs=4 * config.initial_epochs)
        if method == SELF_TRAINED:
            config = replace(config, self_training_iterations=ROUNDS)
        picker = completed(self_train(picker, examples, unclicked, config))
    seconds = time.perf_counter() - start
    return replace(scored(picker, fields["test"], (name, clicks, seed, method), seconds), general=general())


@cache
def general() -> str:
    """Tell the general model from others."""
    return hashlib.sha256(general_file().read_bytes()).hexdigest()[:8]


def scored(picker: Picker, test: list[Example], key: tuple[str, str, int, str], seconds: float) -> Cell:
    """Score a picker at the threshold it chose, and at the best one."""
    found = [(picker.pick(example.micrograph, threshold=0.0), example.labels.positives) for example in test]
    reach = STRICT * picker.config.diameter
    chosen = sum(
        (score(picks.above(picker.config.threshold), truth, reach) for picks, truth in found), Score(0, 0, 0)
    )
    _, best = best_threshold(found, reach)
    answer = picker.training.get("answer", "")
    return Cell(*key, chosen.f1, chosen.precision, chosen.recall, best.f1, seconds, answer)


def cached() -> dict[tuple[str, str, int, str], Cell]:
    lines = CACHE.read_text(encoding="utf-8").splitlines() if CACHE.exists() else []
    cells = (Cell(**json.loads(line)) for line in lines)
    return {cell.key: cell for cell in cells if cell.general == general()}


def table(cells: list[Cell], sets: list[str]) -> str:
    """Lay out medians and ranges over seeds."""
    lines = [
        "| set | clicks | | F1, median (range) | at the best threshold | floor / goal | s | ended with |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sets:
        for clicks in COUNTS:
            for method in (*METHODS, *EXTRA):
                runs = [c for c in cells if (c.set, c.clicks, c.method) == (name, clicks, method)]
                if runs:
                    lines.append(row(name, clicks, method, runs))
    return "\n".join(lines)


def pairs(cells: list[Cell], sets: list[str], what: str, one: str, other: str) -> str:
    """Lay out what one method gains over another, cell by cell."""
    lines = [f"| set | clicks | gained by {what}, mean F1 (range) | seeds |", "|---|---|---|---|"]
    known = {cell.key: cell.f1 for cell in cells}
    for name in sets:
        for clicks in COUNTS:
            gains = [
                f1 - known[name, clicks, seed, other]
                for (of, count, seed, method), f1 in known.items()
                if (of, count, method) == (name, clicks, one) and (name, clicks, seed, other) in known
            ]
            if gains:
                mean = f"{statistics.mean(gains):+.3f} ({min(gains):+.3f} to {max(gains):+.3f})"
                lines.append(f"| {name} | {clicks} | {mean} | {len(gains)} |")
    return "\n".join(lines)


def row(name: str, clicks: str, method: str, runs: list[Cell]) -> str:
    f1 = sorted(run.f1 for run in runs)
    best = statistics.median(run.best_f1 for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    wanted = dict(zip(SETS, WANTED.get((method, clicks), ()), strict=False)).get(name)
    bounds = f"{wanted[0]:.2f} / {wanted[1]:.2f}" if wanted else ""
    answers = sorted({run.answer for run in runs if run.answer})
    ended = ", ".join(f"{answer} ({sum(run.answer == answer for run in runs)})" for answer in answers)
    middle = f"{statistics.median(f1):.3f} ({f1[0]:.3f}-{f1[-1]:.3f})"
    return f"| {name} | {clicks} | {method} | {middle} | {best:.3f} | {bounds} | {seconds:.1f} | {ended} |"


def plot(cells: list[Cell], sets: list[str], path: Path) -> None:
    """Draw the medians, with ranges, against the number of clicks."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(sets), figsize=(4 * len(sets), 3.4), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], sets, strict=True):
        for method in METHODS:
            some = {
                clicks: [c.f1 for c in cells if (c.set, c.clicks, c.method) == (name, clicks, method)]
                for clicks in COUNTS
            }
            places = [number for number, clicks in enumerate(COUNTS) if some[clicks]]
            values = [some[COUNTS[number]] for number in places]
            axis.plot(places, [statistics.median(value) for value in values], marker="o", label=method)
            axis.fill_between(places, [min(v) for v in values], [max(v) for v in values], alpha=0.2)
        axis.set(title=name, xlabel="clicks", xticks=range(len(COUNTS)), xticklabels=COUNTS, ylim=(0, 1))
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("F1 on other fields, half a radius")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--sets", nargs="+", choices=splits, default=list(splits))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--clicks", nargs="+", choices=COUNTS, default=list(COUNTS))
    methods = (*METHODS, *EXTRA)
    parser.add_argument("--methods", nargs="+", choices=methods, default=list(methods))
    parser.add_argument("--quick", action="store_true", help="one seed, 10 and 30 clicks")
    parser.add_argument("--fresh", action="store_true", help="drop what was measured before")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.clicks = [0], ["10", "30"]
    if options.fresh:
        CACHE.unlink(missing_ok=True)
    known = cached()
    fields = {
        name: {part: load(name, splits[name], part) for part in ("train", "test")} for name in options.sets
    }
    wanted = [
        (name, clicks, seed, method)
        for seed in options.seeds
        for clicks in options.clicks
        for name in options.sets
        for method in options.methods
        if clicks in EXTRA.get(method, COUNTS)
        and (clicks, method) != ("all", "from scratch")  # whole fields are always learned from nothing
        and ((clicks, method) != ("all", LONGER) or seed == 0)  # minutes each
    ]
    for name, clicks, seed, method in wanted:
        if (name, clicks, seed, method) in known:
            continue
        cell = measure(name, splits[name], fields[name], clicks, seed, method)
        known[cell.key] = cell
        print(row(name, clicks, cell.method, [cell]), flush=True)
        with CACHE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(cell)) + "\n")
    cells = [
        cell
        for cell in known.values()
        if cell.set in options.sets and cell.seed in options.seeds and cell.clicks in options.clicks
    ]
    loss = statistics.median(cell.best_f1 - cell.f1 for cell in cells)
    text = table(cells, options.sets) + f"\n\nLost by the choice of the threshold, median: {loss:.3f} of F1."
    text += (
        "\nF1: one-to-one, centres within half a particle radius, at the threshold the program chose itself."
    )
    text += f"\nSeconds: with {counted(torch.get_num_threads(), 'thread')}."
    for what, one, other in COMPARED:
        text += f"\n\n{pairs(cells, options.sets, what, one, other)}"
    command = f"python -m benchmarks.clicks --seeds {' '.join(map(str, options.seeds))}"
    command += f" --clicks {' '.join(options.clicks)}"
    save("clicks", command, text)
    plot(cells, options.sets, RESULTS / "clicks.png")


if __name__ == "__main__":
    main()
