"""Train the general model, which picks before the first click, on simulated fields alone; and score it.

``train`` simulates fields at the network's scale and trains on random crops of them. In part of the
crops the second channel is the matched filter of a few "clicked" particles of the same field, in others
that of a particle guessed without clicks, or empty: so one model serves before the first click and after
it. ``score`` picks the real micrographs of `splits.toml` with the shipped model; none of their labels are
used but for the score.
"""

from __future__ import annotations

import argparse
import copy
import math
import multiprocessing
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.clicks import scored
from benchmarks.machine import save
from benchmarks.real import HERE, load
from cryopick_napari.blind import guessed_profile
from cryopick_napari.config import PickerConfig
from cryopick_napari.curriculum import Simulated, training_fields
from cryopick_napari.devices import resolve_device
from cryopick_napari.general import PRIMING, general_picker
from cryopick_napari.metrics import STRICT, best_threshold, discs
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.optimiser import AdamW
from cryopick_napari.peaks import LEAST_SCORE, find_peaks
from cryopick_napari.picker import Picker, probability_map
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import seen
from cryopick_napari.template import kernel_of, kernel_side, matched_filter, radial_profile
from cryopick_napari.training import schedule

DIAMETER = 13.5  # network px that a user's diameter spans ...
STRAY = 0.2  # ... and how far the real one may be from it, as a fraction
AS_IT_IS = PickerConfig(
    diameter=DIAMETER, network_diameter=DIAMETER, polarity="light"
)  # particles are bright
FIELD, CROP = 256, 192  # px
TARGET = 0.5  # radius of the painted discs, particle radii
EMPTY, GUESSED = 0.2, 0.3  # parts of the crops without a template, and with one that nobody has clicked for
CLICKS = 3, 100  # behind the template of the others
JITTER = 0.05  # standard deviation of a click, diameters
# Floor and goal of F1 before the first click.
WANTED = {"empiar-10017": (0.65, 0.75), "empiar-10146": (0.80, 0.92), "empiar-10146-frame": (0.30, 0.45)}
WORKERS = multiprocessing.cpu_count()


@dataclass(frozen=True, eq=False)
class Lesson:
    """A simulated field as the network sees it.

    Attributes
    ----------
    image : (h, w) float16
    target : (h, w) bool
    centres : (n, 2) float32
    guess : (32,) float64
        Radial profile of a particle, guessed without the centres.
    """

    image: NDArray[np.float16]
    target: NDArray[np.bool_]
    centres: NDArray[np.float32]
    guess: NDArray[np.float64]


def lesson(field: Simulated) -> Lesson:
    """Normalise a field and paint its particles."""
    image = field.image if field.light else -field.image
    micrograph = Micrograph(np.ascontiguousarray(image), None)
    scaled = seen(micrograph, AS_IT_IS)
    target = discs((FIELD, FIELD), field.centres, TARGET * DIAMETER / 2)
    guess = guessed_profile([micrograph], AS_IT_IS)
    return Lesson(scaled.image.numpy().astype(np.float16), target, field.centres, guess)


def lessons(seed_and_count: tuple[int, int]) -> list[Lesson]:
    """Simulate some fields; one call a process."""
    seed, count = seed_and_count
    torch.set_num_threads(1)
    sizes = ((1 - STRAY) * DIAMETER, (1 + STRAY) * DIAMETER)
    stream = training_fields(seed, shape=(FIELD, FIELD), diameter=sizes)
    return [lesson(field) for field, _ in zip(stream, range(count), strict=False)]


def simulated(seed: int, count: int) -> list[Lesson]:
    """Simulate fields on all cores."""
    chunk = 50
    jobs = [(seed * 1_000_003 + number, chunk) for number in range(math.ceil(count / chunk))]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        return [one for part in pool.imap(lessons, jobs) for one in part][:count]


def clicked(image: Tensor, centres: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Average some particles (32,) as if they had been clicked."""
    count = round(math.exp(rng.uniform(*np.log(CLICKS))))
    clicks = centres[rng.permutation(len(centres))[:count]]
    clicks = clicks + rng.normal(0, JITTER * DIAMETER, clicks.shape).astype(np.float32)
    total, pixels = radial_profile(image, clicks, DIAMETER)
    mean: NDArray[np.float64] = total / np.maximum(pixels, 1)
    return mean


def filtered(image: Tensor, profile: NDArray[np.float64]) -> Tensor:
    """Answer of a profile's matched filter (h, w), of unit deviation."""
    kernel = kernel_of(torch.from_numpy(profile).float(), DIAMETER, kernel_side(DIAMETER))
    response = matched_filter(image[None, None], kernel)[0, 0]
    return response / response.std().clamp(min=1e-3)


def template_channel(image: Tensor, given: Lesson, rng: np.random.Generator) -> Tensor:
    """Draw what the second channel (h, w) holds."""
    chance = rng.random()
    if chance < EMPTY:
        return torch.zeros_like(image)
    if chance < EMPTY + GUESSED or len(given.centres) < CLICKS[0]:
        return filtered(image, given.guess)
    return filtered(image, clicked(image, given.centres, rng))


def crop(given: Lesson, rng: np.random.Generator) -> Tensor:
    """Cut (image, template channel, target), turned and mirrored at random."""
    image = torch.from_numpy(given.image.astype(np.float32))
    planes = torch.stack([image, template_channel(image, given, rng), torch.from_numpy(given.target).float()])
    top, left = rng.integers(0, FIELD - CROP + 1, 2)
    cut = planes[:, top : top + CROP, left : left + CROP].rot90(int(rng.integers(4)), (1, 2))
    cut[0] *= rng.uniform(0.8, 1.25)
    return cut.flip(2) if rng.random() < 0.5 else cut


def trained(
    given: Sequence[Lesson], config: PickerConfig, steps: int, batch: int, rate: float, seed: int, device: str
) -> Iterator[tuple[int, float, Picker]]:
    """Train; after every hundred steps, give the step, the mean loss since, and the picker."""
    rng = np.random.default_rng(seed)
    picker = Picker.new(config, seed).to(resolve_device(device))
    network = picker.network
    assert network.unet is not None
    adamw = AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    losses: list[float] = []
    for step in range(steps):
        network.train()
        for group in adamw.param_groups:
            group["lr"] = rate * schedule(step / steps)
        planes = torch.stack([crop(given[rng.integers(len(given))], rng) for _ in range(batch)])
        planes = planes.to(picker.device)
        logits = network.unet(planes[:, :2].contiguous(memory_format=torch.channels_last))
        loss = F.binary_cross_entropy_with_logits(logits.float(), planes[:, 2:])
        adamw.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adamw.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 100 == 0 or step + 1 == steps:
            network.eval()
            yield step + 1, float(np.mean(losses)), picker
            losses.clear()


@torch.inference_mode()
def held_out_loss(picker: Picker, given: Sequence[Lesson]) -> tuple[float, float, float]:
    """Mean loss on other fields: without a template, with a guessed one, and with one of clicks."""
    assert picker.network.unet is not None
    totals = np.zeros(3)
    for number, one in enumerate(given):
        image = torch.from_numpy(one.image.astype(np.float32))
        target = torch.from_numpy(one.target).float().to(picker.device)
        guess = filtered(image, one.guess)
        has_clicks = len(one.centres) >= CLICKS[0]
        rng = np.random.default_rng(number)
        clicks = filtered(image, clicked(image, one.centres, rng)) if has_clicks else guess
        for which, channel in enumerate((torch.zeros_like(image), guess, clicks)):
            both = torch.stack([image, channel])[None].to(picker.device)
            logits = picker.network.unet(both)[0, 0].float()
            totals[which] += float(F.binary_cross_entropy_with_logits(logits, target))
    empty, guessed, with_clicks = totals / len(given)
    return empty, guessed, with_clicks


def threshold_of(picker: Picker, given: Sequence[Lesson]) -> float:
    """Choose the threshold of the highest F1 on other simulated fields, before the first click."""
    network = copy.deepcopy(picker.network)
    found = []
    for one in given:
        image = torch.from_numpy(one.image.astype(np.float32)).to(picker.device)
        network.take_template(kernel_of(torch.from_numpy(one.guess).float(), DIAMETER), image)
        probability = probability_map(network, image, averaging=True)
        found.append((find_peaks(probability, DIAMETER / 2, LEAST_SCORE), Picks.of(one.centres)))
    return best_threshold(found, STRICT * DIAMETER)[0]


def train_command(options: argparse.Namespace) -> None:
    start = time.perf_counter()
    given = simulated(options.seed, options.fields)
    others = simulated(options.seed + 1, 60)
    print(f"{len(given)} fields simulated in {time.perf_counter() - start:.0f} s", flush=True)
    config = PickerConfig(
        diameter=DIAMETER,
        network_diameter=DIAMETER,
        base_features=options.features,
        depth=options.depth,
        filter_channel=True,
        polarity="light",
    )
    start = time.perf_counter()
    for step, loss, picker in trained(
        given, config, options.steps, options.batch, options.rate, options.seed, options.device
    ):
        line = f"{step:6d} {loss:.4f} {time.perf_counter() - start:.0f} s"
        if step % 500 == 0 or step == options.steps:
            empty, guessed, clicks = held_out_loss(picker, others)
            line += f" held out: {empty:.4f} without a template, {guessed:.4f} guessed, {clicks:.4f} clicked"
            threshold = threshold_of(picker, others)
            picker.configured(threshold=threshold).save(options.output)
            line += f"; threshold {threshold:.3f}"
        print(line, flush=True)


def score_command(options: argparse.Namespace) -> None:
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    lines = [
        "| set | F1 | F1 at the best threshold | floor / goal | s a field |",
        "|---|---|---|---|---|",
    ]
    for name in options.sets:
        split = splits[name]
        examples = load(name, split, "train") + load(name, split, "test")
        spacing = examples[0].micrograph.spacing
        assert spacing is not None
        some = [example.micrograph for example in examples[:: math.ceil(len(examples) / PRIMING)]]
        picker = general_picker(split["diameter"] / spacing, spacing, some)
        start = time.perf_counter()
        cell = scored(picker, examples, (name, "0", 0, "general"), 0.0)
        seconds = (time.perf_counter() - start) / len(examples)
        floor, goal = WANTED[name]
        lines.append(f"| {name} | {cell.f1:.3f} | {cell.best_f1:.3f} | {floor} / {goal} | {seconds:.1f} |")
        print(lines[-1], flush=True)
    text = (
        "\n".join(lines) + "\n\nAll fields of each set: none of their labels were used to train or to choose."
    )
    save("general", "python -m benchmarks.general score", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.add_argument("--fields", type=int, default=3000)
    command.add_argument("--steps", type=int, default=5000)
    command.add_argument("--batch", type=int, default=6)
    command.add_argument("--rate", type=float, default=3e-3)
    command.add_argument("--features", type=int, default=16)
    command.add_argument("--depth", type=int, default=3)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", default="auto")
    command.add_argument("--output", type=Path, default=Path("general.safetensors"))
    command.set_defaults(run=train_command)
    command = commands.add_parser("score")
    command.add_argument("--sets", nargs="+", choices=WANTED, default=list(WANTED))
    command.set_defaults(run=score_command)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
