"""What the contamination mask takes away: false picks on carbon and ice, and true particles.

Needs the labelled micrographs in ``../shared/data`` or in the folder that ``CRYOPICK_DATA`` names. Pickers
know 30 clicks on one field: the first look at them, and a small network trained on them.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from benchmarks.clicks import clicked
from benchmarks.machine import save
from benchmarks.real import HERE, data_folder, load
from cryopick_napari.config import PickerConfig, training_config
from cryopick_napari.contamination import contamination, resampled
from cryopick_napari.examples import new_picker
from cryopick_napari.fields import inside
from cryopick_napari.first_look import first_look
from cryopick_napari.labels import Example, Labels, areas_mask
from cryopick_napari.masks import Mask, read_mask
from cryopick_napari.metrics import STRICT, Score, matched, score
from cryopick_napari.micrograph import Micrograph, read_micrograph
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import seen
from cryopick_napari.simulate import SAMPLE_DIAMETER, Scene, sample, samples, simulate
from cryopick_napari.training import completed, train

CLICKS = "30"
BOX = 46.0  # px, of the particles of the MicrographCleaner's field
SCENES = {
    "empty, carbon": {"carbon": True},
    "empty, ice": {"ice": 6},
    "empty, gold": {"gold": 8},
    "empty, all three": {"carbon": True, "ice": 4, "gold": 4},
    "empty, clean": {},
}


@dataclass(frozen=True)
class Counted:
    """What became of a picker's answers without the mask, and with it."""

    name: str
    bad: tuple[int, int]  # false picks on contaminated ground
    total: tuple[int, int]
    f1: tuple[float, float] | None = None

    def row(self) -> str:
        f1 = "" if self.f1 is None else f"{self.f1[0]:.3f} / {self.f1[1]:.3f}"
        return f"| {self.name} | {self.bad[0]} / {self.bad[1]} | {self.total[0]} / {self.total[1]} | {f1} |"


def pickers(example: Example, diameter: float) -> Iterator[tuple[str, Picker]]:
    """Make the first look, and a small network, of a few clicks spread over a field."""
    clicks = clicked([example], CLICKS, 0)
    untrained = new_picker(clicks, diameter)
    yield "first look", first_look(clicks, untrained.config)
    config = training_config("small", True, {"first_look": False})
    yield "network", completed(train(untrained, clicks, config))


def both(picker: Picker, micrograph: Micrograph) -> tuple[Picks, Picks]:
    """Pick without the mask and with it."""
    ways = (replace(picker.config, contamination_mask=avoids) for avoids in (False, True))
    without, avoiding = (replace(picker, config=config).pick(micrograph) for config in ways)
    return without, avoiding


def near_carbon(polygon: list[list[int]] | None, shape: tuple[int, int], diameter: float) -> Mask:
    """Draw carbon and half a diameter around it."""
    if polygon is None:
        return np.zeros(shape, bool)
    drawn = areas_mask((np.asarray(polygon, np.float32),), shape, (1.0, 1.0))
    return cv2.distanceTransform((~drawn).astype(np.uint8), cv2.DIST_L2, 5) <= diameter / 2


def on_carbon(name: str, picker: Picker, fields: list[Example], film: dict[str, list[list[int]]]) -> Counted:
    """Count false picks on and at the film of real fields, and score all fields."""
    bad, total, scores = [0, 0], [0, 0], [Score(0, 0, 0), Score(0, 0, 0)]
    diameter = picker.config.diameter
    for example in fields:
        micrograph, truth = example.micrograph, example.labels.positives
        assert micrograph.path is not None
        area = near_carbon(film.get(micrograph.path.stem), micrograph.shape, diameter)
        for way, picks in enumerate(both(picker, micrograph)):
            is_false = ~matched(picks, truth, STRICT * diameter)
            bad[way] += int((is_false & inside(picks.yx, area)).sum())
            total[way] += len(picks)
            scores[way] += score(picks, truth, STRICT * diameter)
    return Counted(name, (bad[0], bad[1]), (total[0], total[1]), (scores[0].f1, scores[1].f1))


def on_all(name: str, picker: Picker, micrograph: Micrograph, area: Mask) -> Counted:
    """Count picks of a field without labels, and those in an area of it."""
    found = both(picker, micrograph)
    bad = [int(inside(picks.yx, area).sum()) for picks in found]
    return Counted(name, (bad[0], bad[1]), (len(found[0]), len(found[1])))


def lost(fields: list[Example], config: PickerConfig) -> tuple[int, int, float]:
    """Count labelled particles in the mask, all of them, and the largest part of a field that is left out."""
    gone, total, largest = 0, 0, 0.0
    for example in fields:
        scaled = seen(example.micrograph, config)
        area = (scaled.live & scaled.dirt[0]).numpy()
        gone += int(inside(scaled.from_source(example.labels.positives.yx), area).sum())
        total += len(example.labels.positives)
        largest = max(largest, float(area.mean()))
    return gone, total, largest


def seconds() -> float:
    """Time the search for contamination in a network field of 512 x 512 on a core, the best of five."""
    image = np.random.default_rng(0).standard_normal((512, 512), np.float32)
    times = []
    for _ in range(5):
        start = time.process_time()
        contamination(image, np.ones((512, 512), bool), 13.5)
        times.append(time.process_time() - start)
    return min(times)


def real_rows(splits: dict[str, Any]) -> tuple[list[str], list[str]]:
    film = tomllib.loads((HERE / "contamination.toml").read_text(encoding="utf-8"))
    rows, losses = [], []
    for name, split in splits.items():
        parts = {part: load(name, split, part) for part in ("train", "test")}
        for kind, picker in pickers(parts["train"][1], split["diameter"]):
            for part, fields in parts.items():
                counted = on_carbon(f"{name}, {part} fields: {kind}", picker, fields, film.get(name, {}))
                rows.append(counted.row())
                print(rows[-1], flush=True)
        for part, fields in parts.items():
            gone, total, largest = lost(fields, picker.config)
            losses.append(
                f"| {name}, {part} fields | {gone} of {total} ({gone / total:.2%}) | {largest:.1%} |"
            )
            print(losses[-1], flush=True)
    return rows, losses


def simulated_rows() -> tuple[list[str], list[str]]:
    rows, losses = [], []
    micrograph, truth = sample(0)
    example = Example(micrograph, Labels(truth))
    folder = data_folder() / "micrograph-cleaner"
    ice = read_micrograph(folder / "micrograph.mrc")
    marked = read_mask(folder / "contamination.mrc", ice.shape)
    for kind, picker in pickers(example, SAMPLE_DIAMETER):
        for number, (name, scene) in enumerate(SCENES.items()):
            field, _ = simulate(Scene(diameter=SAMPLE_DIAMETER, coverage=0.0, **scene), seed=500 + number)
            rows.append(on_all(f"simulated, {name}: {kind}", picker, field, np.ones(field.shape, bool)).row())
        other = replace(picker, config=replace(picker.config, diameter=BOX, spacing=None))
        area = resampled(marked, ice.shape, ice.shape)
        rows.append(on_all(f"MicrographCleaner's field: {kind}", other, ice, area).row())
        given = replace(ice, mask=marked)
        rows.append(on_all(f"the same with its own mask (`--masks`): {kind}", other, given, area).row())
        print(*rows[-7:], sep="\n", flush=True)
    known = map(sample, range(len(samples())))
    fields = [Example(micrograph, Labels(truth)) for micrograph, truth in known]
    gone, total, largest = lost(fields, picker.config)
    losses.append(
        f"| the four samples (simulated) | {gone} of {total} ({gone / total:.2%}) | {largest:.1%} |"
    )
    return rows, losses


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    rows, losses = (
        real + simulated for real, simulated in zip(real_rows(splits), simulated_rows(), strict=True)
    )
    table = "\n".join(
        [
            "| fields: picker | false picks on contamination, mask off / on | all picks | F1 |",
            "|---|---|---|---|",
            *rows,
            "",
            "On contamination: on or within half a diameter of the film marked in `contamination.toml`, in "
            "the ice that MicrographCleaner marks, anywhere in an empty field. Of labelled fields only picks "
            "count there that are no labelled particle. Smeared borders are dead areas, where nothing is "
            "picked either way.",
            "",
            "| fields | labelled particles in the mask | largest part of a field left out |",
            "|---|---|---|",
            *losses,
            "",
            f"Looking for contamination in 512 x 512 network px takes {seconds():.2f} s of a core.",
        ]
    )
    save("contamination", "python -m benchmarks.contamination", table)


if __name__ == "__main__":
    main()
