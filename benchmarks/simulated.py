"""What users have: 5760 x 4092 fields at 0.83 Å/px, particles of 100 to 200 Å, dark and light, some empty."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from benchmarks.machine import save
from cryopick_napari.config import PRESETS, TrainingConfig
from cryopick_napari.evaluation import Compared, agreement
from cryopick_napari.examples import new_picker
from cryopick_napari.labels import Example, Labels
from cryopick_napari.simulate import LARGE, simulate
from cryopick_napari.training import completed, train

DIAMETERS = 100.0, 150.0, 200.0  # Å
HEAD = "| Å | particles are | F1, unseen field | precision | recall | picks, empty field | training, s |"


def measure(diameter: float, light: bool, fields: int, preset: str) -> str:
    scene = replace(LARGE, diameter=diameter, light=light)
    examples = []
    for seed in range(fields):
        micrograph, truth = simulate(scene, seed)
        examples.append(Example(micrograph, Labels.of_whole_field(truth, micrograph.shape)))
    start = time.perf_counter()
    config = TrainingConfig(**PRESETS[preset].training)
    picker = completed(train(new_picker(examples, diameter, preset=preset), examples, config))
    seconds = time.perf_counter() - start
    micrograph, truth = simulate(scene, 100)
    found = Compared("", picker.pick(micrograph), truth, picker.config.diameter, micrograph.shape)
    figures = agreement([found], "unseen")
    empty, _ = simulate(replace(scene, coverage=0.0, particles=0), 101)
    return (
        f"| {diameter:.0f} | {'light' if light else 'dark'} | {figures.f1:.3f} | {figures.precision:.3f} "
        f"| {figures.recall:.3f} | {len(picker.pick(empty))} (full: {len(truth)}) | {seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=2, help="whole fields to learn from")
    parser.add_argument("--preset", choices=PRESETS, default="small")
    options = parser.parse_args()
    rows = [HEAD, "|---|---|---|---|---|---|---|"]
    for number, diameter in enumerate(DIAMETERS):
        rows.append(measure(diameter, bool(number % 2), options.fields, options.preset))
        print(rows[-1], flush=True)
    command = f"python -m benchmarks.simulated --fields {options.fields} --preset {options.preset}"
    save("simulated", command, "\n".join(rows))


if __name__ == "__main__":
    main()
