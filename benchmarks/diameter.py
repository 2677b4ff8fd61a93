"""How well the particle's diameter is suggested from a field alone, and after three clicks.

Simulated fields of every kind, with the diameters that their particles were made with; and the real
micrographs of `splits.toml`, whose diameters the data's own description gives.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import save
from benchmarks.real import HERE, load
from cryopick_napari.curriculum import training_fields
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.suggesting import suggested_diameter

CLICKS = 3
LEAST = 15  # particles in a field that counts
CLOSE = 1.2  # ratio to the true diameter
FAINT = 0.2  # signal to noise
COLUMNS = """| fields | number | suggested | of these within 20 % | median ratio | s a field |
|---|---|---|---|---|---|"""


@dataclass(frozen=True, eq=False)
class Case:
    """A field, its particles (n, 2), and their diameter in px."""

    group: str
    micrograph: Micrograph
    particles: NDArray[np.float32]
    diameter: float


def simulated(seed: int, count: int) -> Iterator[Case]:
    stream = training_fields(seed, shape=(512, 512), diameter=(18.0, 45.0))
    for field in islice(stream, count):
        if len(field.centres) >= LEAST:
            group = "simulated, faint" if field.snr < FAINT else "simulated"
            image = np.ascontiguousarray(field.image)
            yield Case(group, Micrograph(image, None), field.centres, field.diameter)


def real(part: str) -> Iterator[Case]:
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    for name, split in splits.items():
        for example in load(name, split, part):
            spacing = example.micrograph.spacing
            assert spacing is not None
            positions = example.labels.positives.yx
            yield Case(f"{name}, {part}", example.micrograph, positions, split["diameter"] / spacing)


def rows(cases: list[Case], clicks: int) -> Iterator[str]:
    found: dict[str, list[tuple[float, float]]] = {}
    for case in cases:
        rng = np.random.default_rng(0)
        clicked = case.particles[rng.permutation(len(case.particles))[:clicks]] if clicks else None
        start = time.perf_counter()
        suggestion = suggested_diameter(case.micrograph, clicked)
        seconds = time.perf_counter() - start
        ratio = float("nan") if suggestion is None else suggestion.diameter / case.diameter
        found.setdefault(case.group, []).append((ratio, seconds))
    for group, pairs in found.items():
        ratios, seconds = np.array(pairs).T
        said = ratios[np.isfinite(ratios)]
        close, middle = "", ""
        if len(said):
            close = f"{(np.abs(np.log(said)) <= np.log(CLOSE)).mean():.0%}"
            middle = f"{np.median(said):.2f}"
        cells = group, len(ratios), len(said), close, middle, f"{np.median(seconds):.1f}"
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=60, help="simulated fields")
    parser.add_argument("--seed", type=int, default=12345)
    parser.add_argument("--part", choices=("train", "test"), default="test")
    options = parser.parse_args()
    cases = [*real(options.part), *simulated(options.seed, options.fields)]
    text = ""
    for clicks, title in ((0, "From the field alone"), (CLICKS, "After three clicks")):
        table = "\n".join([COLUMNS, *rows(cases, clicks)])
        print(f"{title}\n{table}", flush=True)
        text += f"## {title}\n\n{table}\n\n"
    save("diameter", "python -m benchmarks.diameter", text.rstrip())


if __name__ == "__main__":
    main()
