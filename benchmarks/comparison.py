"""The U-Nets beside ResNet FixMatch and DETR, on real micrographs: `cryopick compare` with the fixed splits.

Needs the labelled micrographs, as `benchmarks.real` does, and the extra `baselines`.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.machine import save
from benchmarks.real import HERE, load
from cryopick_napari.baselines.comparison import METHODS, Plan, compare
from cryopick_napari.baselines.method import Budget
from cryopick_napari.baselines.report import WORDS, as_markdown, write_plot
from cryopick_napari.baselines.scoring import Outcome
from cryopick_napari.config import PRESETS

IMAGES = HERE.parent / "docs" / "images"
CACHE = HERE / "cache" / "comparison"


def measure(name: str, split: dict[str, Any], options: argparse.Namespace) -> list[Outcome]:
    """Compare on one set; runs that were measured before with the same options are taken from the cache."""
    training, test = (load(name, split, part) for part in ("train", "test"))
    plan = Plan(
        Budget(options.budget),
        tuple(options.methods),
        tuple(options.seeds),
        options.preset,
        split["diameter"],
        device=options.device,
    )
    folder: Path = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    job = compare(training, test, plan, folder)
    while True:
        try:
            step = next(job)
        except StopIteration as end:
            outcomes: list[Outcome] = end.value
            return outcomes
        if step.outcome is not None:
            print(f"{name}: {step.method}, seed {step.seed}: F1 {step.outcome.f1:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--sets", nargs="+", choices=splits, default=["empiar-10017", "empiar-10146"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    parts = []
    for name in options.sets:
        outcomes = measure(name, splits[name], options)
        parts.append(f"## {name}: {splits[name]['what']}\n\n{as_markdown(outcomes).removesuffix(WORDS)}")
        write_plot(IMAGES / f"comparison-{name}.png", outcomes)
    words = {
        "sets": " ".join(options.sets),
        "methods": " ".join(options.methods),
        "seeds": " ".join(map(str, options.seeds)),
        "budget": f"{options.budget:g}",
        "preset": options.preset,
    }
    command = "python -m benchmarks.comparison " + " ".join(
        f"--{name} {word}" for name, word in words.items()
    )
    save("comparison", command, "\n".join([*parts, WORDS]))


if __name__ == "__main__":
    main()
