"""F1 on real micrographs: train on three whole fields, test on the others.

Needs the labelled micrographs in ``../shared/data`` or in the folder that ``CRYOPICK_DATA`` names.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.machine import save
from cryopick_napari.config import PRESETS, ParticleSize, TrainingConfig
from cryopick_napari.evaluation import Agreement, Compared, agreement
from cryopick_napari.examples import load_examples, new_picker
from cryopick_napari.labels import Example
from cryopick_napari.metrics import STRICT, best_threshold, calibration_error
from cryopick_napari.training import completed, train

HERE = Path(__file__).parent
MEDIANS = "| set | F1 | floor / goal | F1 at the best threshold | training, s | allowed, s |"
HEAD = (
    "| set | seed | F1 | F1 at the best threshold | F1 within a radius | flipped | chance "
    "| calibration error | training, s |"
)
RULE = "|---|---|---|---|---|---|---|---|---|"


def data_folder() -> Path:
    folder = Path(os.environ.get("CRYOPICK_DATA", HERE.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(f"no labelled micrographs in {folder}: set CRYOPICK_DATA")
    return folder


def load(name: str, split: dict[str, Any], part: str) -> list[Example]:
    folder = data_folder() / name
    wanted = set(split[part])
    micrographs = sorted(path for path in (folder / "micrographs").iterdir() if path.stem in wanted)
    size = ParticleSize(split["diameter"])
    return load_examples(micrographs, folder / "coordinates", size, split["spacing"], "fully")[0]


def measure(
    split: dict[str, Any], fields: dict[str, list[Example]], preset: str, seed: int
) -> tuple[Agreement, float, float]:
    """Train once; return the figures at the threshold the program chose, the calibration error of those
    picks, and the seconds of training.
    """
    config = TrainingConfig(seed=seed, **PRESETS[preset].training)
    picker = new_picker(fields["train"], split["diameter"], preset=preset, seed=seed)
    start = time.perf_counter()
    picker = completed(train(picker, fields["train"], config))
    seconds = time.perf_counter() - start
    compared, everything = [], []
    for example in fields["test"]:
        truth, shape = example.labels.positives, example.micrograph.shape
        found = picker.pick(example.micrograph, threshold=0.0)
        everything.append((found, truth))
        chosen = found.above(picker.config.threshold)
        compared.append(Compared("", chosen, truth, picker.config.diameter, shape))
    reach = STRICT * picker.config.diameter
    threshold, best = best_threshold(everything, reach)
    error = calibration_error([(one.picks, one.truth) for one in compared], reach)
    return replace(agreement(compared, "test"), best_f1=best.f1, best_threshold=threshold), error, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--sets", nargs="+", choices=splits, default=list(splits))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--preset", choices=PRESETS, default="small")
    options = parser.parse_args()
    rows, medians = [], []
    for name in options.sets:
        split = splits[name]
        fields = {part: load(name, split, part) for part in ("train", "test")}
        runs = []
        for seed in options.seeds:
            figures, error, seconds = measure(split, fields, options.preset, seed)
            runs.append((figures, seconds))
            rows.append(
                f"| {name} | {seed} | {figures.f1:.3f} (P {figures.precision:.3f}, R {figures.recall:.3f}) "
                f"| {figures.best_f1:.3f} | {figures.f1_full_radius:.3f} | {figures.flipped:.3f} "
                f"| {figures.chance:.3f} | {error:.3f} | {seconds:.0f} |"
            )
            print(rows[-1], flush=True)
        f1, best, seconds = (
            statistics.median(values) for values in zip(*((f.f1, f.best_f1, s) for f, s in runs), strict=True)
        )
        medians.append(
            f"| {name} | {f1:.3f} | {split['floor']} / {split['goal']} | {best:.3f} "
            f"| {seconds:.0f} | {split['budget']} |"
        )
    table = "\n".join([MEDIANS, "|---|---|---|---|---|---|", *medians, "", HEAD, RULE, *rows])
    table += (
        "\n\nF1: one-to-one, centres within half a particle radius, at the threshold chosen on held-out parts"
    )
    table += (
        " of the training fields. Medians over the seeds above, every run below. Calibration error: of the"
    )
    table += " scores of the picks, in ten bins."
    command = (
        f"python -m benchmarks.real --preset {options.preset} --seeds {' '.join(map(str, options.seeds))}"
    )
    save("real" if options.preset == "small" else f"real-{options.preset}", command, table)


if __name__ == "__main__":
    main()
