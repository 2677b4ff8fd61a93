"""Do attention maps show the particles, and what does it cost? Learned from three whole fields.

For each way to weigh the skip connections: area under the ROC curve of every level's map, and of the
probability beside it, against discs of half a radius around the true particles; and F1 of the picks. The
labels of the test fields are only compared with. Needs the same micrographs as ``benchmarks.real``.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tomllib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import save
from benchmarks.real import HERE, load
from cryopick_napari.config import PRESETS, TrainingConfig
from cryopick_napari.examples import new_picker
from cryopick_napari.files import replacing
from cryopick_napari.labels import Example
from cryopick_napari.metrics import STRICT, Score, best_threshold, discs, roc_auc, score
from cryopick_napari.picker import Picker
from cryopick_napari.rescale import Scaled
from cryopick_napari.training import completed, train

IMAGES = HERE.parent / "docs" / "images" / "attention"
# By name: what differs from the preset, of the picker and of its training.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "additive": ({}, {}),
    "additive, supervision 0.1": ({}, {"attention_supervision": 0.1}),
    "additive, supervision 0.3": ({}, {"attention_supervision": 0.3}),
    "multihead": ({"gate": "multihead"}, {}),
    "additive + spatial": ({"spatial_attention": True}, {}),
    "additive, focal-dice": ({}, {"loss": "focal-dice"}),
    "none": ({"gate": "none"}, {}),
}
PICTURED = ("additive", "additive, supervision 0.3")
ABOUT = """AUC: of the map's pixels against discs of half a radius, mean over the test fields. 0.5 says
nothing; below it the map is dark on particles. F1: centres within half a particle radius, at the threshold
chosen on held-out parts of the training fields. First the medians over the seeds, then every run."""
SHOWN = 160  # side of what a picture shows, network px
TILE = 240  # side of each of its tiles, px


@dataclass(frozen=True, eq=False)
class Run:
    """Mean AUC of each map over the test fields, and F1 at the chosen and at the best threshold."""

    auc: dict[str, float]
    f1: float
    best_f1: float
    seconds: float


def trained(variant: str, examples: list[Example], diameter: float, preset: str, seed: int) -> Picker:
    settings, schedule = VARIANTS[variant]
    # The network alone: what a first look adds has no attention maps.
    config = TrainingConfig(**{**PRESETS[preset].training, "seed": seed, "first_look": False, **schedule})
    picker = new_picker(examples, diameter, preset=preset, settings=settings, seed=seed)
    return completed(train(picker, examples, config))


def enlarged(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Repeat the pixels of a coarse map (h, w) until it covers the network's field."""
    times = round(shape[0] / plane.shape[0])
    return np.kron(plane, np.ones((times, times), np.float32))[: shape[0], : shape[1]]


def maps_of(picker: Picker, scaled: Scaled) -> dict[str, NDArray[np.float32]]:
    """All maps of a field at the network's full resolution."""
    maps = {**picker.attention(scaled), "probability": picker.probability(scaled)}
    shape = (scaled.image.shape[0], scaled.image.shape[1])
    return {name: enlarged(plane, shape) for name, plane in maps.items()}


def measure(picker: Picker, fields: list[Example]) -> Run:
    """Compare maps and picks with the labels of the test fields."""
    auc: dict[str, list[float]] = {}
    everything, total = [], Score(0, 0, 0)
    reach = STRICT * picker.config.diameter
    for example in fields:
        scaled = picker.upright(picker.scale(example.micrograph))
        truth, valid = example.labels.positives, scaled.valid.cpu().numpy()
        centres = discs(valid.shape, scaled.from_source(truth.yx), STRICT * scaled.diameter)
        for name, plane in maps_of(picker, scaled).items():
            auc.setdefault(name, []).append(roc_auc(plane[valid], centres[valid]))
        found = picker.picks(picker.probability(scaled), scaled)
        everything.append((found, truth))
        total += score(found.above(picker.config.threshold), truth, reach)
    means = {name: statistics.fmean(values) for name, values in auc.items()}
    return Run(means, total.f1, best_threshold(everything, reach)[1].f1, 0.0)


def picture(pickers: dict[str, Picker], example: Example) -> NDArray[np.uint8]:
    """Draw the middle of a field with its labels circled, and beside it the maps: a row for each picker."""
    rows = []
    for picker in pickers.values():
        scaled = picker.upright(picker.scale(example.micrograph))
        corner = [max(0, side // 2 - SHOWN // 2) for side in scaled.image.shape]
        part = np.s_[corner[0] : corner[0] + SHOWN, corner[1] : corner[1] + SHOWN]
        tiles = [circled(scaled, example, corner)]
        for name, plane in maps_of(picker, scaled).items():
            if name != "probability":
                tiles.append(tile(plane[part].clip(0, 1) * 255))
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


def tile(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bring a part of a map (0 to 255) to the size of a tile, with a black rim."""
    square = cv2.resize(plane, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    return np.pad(square.astype(np.uint8)[2:-2, 2:-2], 2)


def circled(scaled: Scaled, example: Example, corner: list[int]) -> NDArray[np.uint8]:
    """Draw the part of the field that the network sees there, with a circle around each particle."""
    image = scaled.image.cpu().numpy()[corner[0] : corner[0] + SHOWN, corner[1] : corner[1] + SHOWN]
    low, high = np.percentile(image, (1, 99))
    drawn = tile(((image - low) / (high - low)).clip(0, 1) * 200)
    times = TILE / SHOWN
    for row, column in (scaled.from_source(example.labels.positives.yx) - corner) * times:
        cv2.circle(
            drawn, (round(column), round(row)), round(scaled.diameter / 2 * times), 255, 1, cv2.LINE_AA
        )
    return drawn


def draw(name: str, pickers: dict[str, Picker], example: Example) -> None:
    """Keep a picture of the maps with and without supervision, if both were trained."""
    if not all(variant in pickers for variant in PICTURED):
        return
    drawn = picture({variant: pickers[variant] for variant in PICTURED}, example)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with replacing(IMAGES / f"{name}.png") as temporary:
        temporary.write_bytes(cv2.imencode(".png", drawn, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())


def row_of(cells: list[str], runs: list[Run]) -> str:
    """Write the medians of runs as a row."""
    names = [name for name in runs[0].auc if name != "probability"]
    medians = [f"{statistics.median(run.auc[name] for run in runs):.3f}" for name in names]
    medians += ["-"] * (3 - len(medians))
    medians.append(f"{statistics.median(run.auc['probability'] for run in runs):.3f}")
    medians += [f"{statistics.median(getattr(run, name) for run in runs):.3f}" for name in ("f1", "best_f1")]
    medians.append(f"{statistics.median(run.seconds for run in runs):.0f}")
    return "| " + " | ".join(cells + medians) + " |"


def table_of(runs: dict[tuple[str, str], dict[int, Run]]) -> str:
    """Write the medians over the seeds, then every run."""
    figures = "AUC att1 | att2 | att3 | probability | F1 | F1 at the best threshold | training, s |"
    lines = [f"| set | attention | {figures}", "|" + "---|" * 9]
    lines += [row_of([*names], list(by_seed.values())) for names, by_seed in runs.items()]
    lines += ["", f"| set | attention | seed | {figures}", "|" + "---|" * 10]
    for names, by_seed in runs.items():
        lines += [row_of([*names, str(seed)], [run]) for seed, run in by_seed.items()]
    return "\n".join([*lines, "", ABOUT])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--sets", nargs="+", choices=splits, default=list(splits))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(PICTURED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--result", default="attention_maps", help="name of the table")
    options = parser.parse_args()
    runs: dict[tuple[str, str], dict[int, Run]] = {}
    for name in options.sets:
        fields = {part: load(name, splits[name], part) for part in ("train", "test")}
        for seed in options.seeds:
            pickers: dict[str, Picker] = {}
            for variant in options.variants:
                start = time.perf_counter()
                diameter = splits[name]["diameter"]
                picker = trained(variant, fields["train"], diameter, options.preset, seed)
                seconds = time.perf_counter() - start
                found = measure(picker, fields["test"])
                run = Run(found.auc, found.f1, found.best_f1, seconds)
                runs.setdefault((name, variant), {})[seed] = run
                pickers[variant] = picker
                print(row_of([name, variant, str(seed)], [run]), flush=True)
            if seed == options.seeds[0]:
                draw(name, pickers, fields["test"][0])
    words = " ".join(f'"{variant}"' for variant in options.variants)
    command = f"python -m benchmarks.attention_maps --variants {words} --preset {options.preset}"
    command += f" --seeds {' '.join(map(str, options.seeds))} --result {options.result}"
    save(options.result, command, table_of(runs))


if __name__ == "__main__":
    main()
