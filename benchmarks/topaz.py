"""Beside Topaz: time, memory and F1 on the same fields, each program by its own commands from the same files.

F1 is that at the best threshold of each, so that neither is blamed for its choice. Topaz picks with the
model that comes with it, and with ``--finetune`` also with one that its own command has trained on the
three fields that cryopick learns from. Topaz is installed by pip into a temporary folder, from where it
finds the PyTorch and SciPy of this environment. It wants torchvision for three functions, which
would bring another PyTorch: they are written out here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import save
from benchmarks.real import HERE, load
from cryopick_napari.coordinates import match, read_coordinates
from cryopick_napari.evaluation import Compared, agreement
from cryopick_napari.labels import Example, no_picks
from cryopick_napari.micrograph import write_mrc

PACKAGES = ("topaz-em==0.3.20", "h5py", "scikit-learn", "joblib", "threadpoolctl", "narwhals", "future")
SHIM = """
from scipy.ndimage import rotate as _rotate
import torch

def rotate(image, angle):
    return torch.from_numpy(_rotate(image.numpy(), angle, (-1, -2), reshape=False, order=0).copy())

def hflip(image):
    return image.flip(-1)

def vflip(image):
    return image.flip(-2)
"""
MEASURED = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
SCALE = 8  # by which Topaz reduces the fields: its particles are then 13.5 px across, as cryopick's are
HEAD = (
    "| | learning, s (CPU s) | picking a field, s (CPU s) | micrographs a minute "
    "| memory to learn, GiB | to pick, GiB | F1 |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Cost:
    """What commands have taken: s, s of all processors, GiB at most."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


def timed(words: Sequence[object], environment: dict[str, str] | None = None) -> Cost:
    """Run Python with some words."""
    with tempfile.TemporaryFile() as said:
        # Through a process of its own: a child begins with the memory of the one that it is split from.
        command = [sys.executable, "-S", "-c", MEASURED, sys.executable, *map(str, words)]
        process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=said, check=False)
        if process.returncode:
            said.seek(0)
            raise SystemExit(said.read().decode()[-2000:])
    wall, cpu, peak = map(float, process.stdout.split())
    return Cost(wall, cpu, peak / 2**20)


def install(folder: Path) -> dict[str, str]:
    """Install Topaz into a folder; return the environment that finds it."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *PACKAGES]
    subprocess.run(pip, check=True)
    transforms = folder / "torchvision" / "transforms"
    transforms.mkdir(parents=True)
    (folder / "torchvision" / "__init__.py").write_text("from torchvision import transforms\n")
    (transforms / "__init__.py").write_text("from torchvision.transforms import functional\n")
    (transforms / "functional.py").write_text(SHIM)
    return {**os.environ, "PYTHONPATH": str(folder)}


def topaz(environment: dict[str, str], *words: object) -> Cost:
    return timed(["-c", "from topaz.main import main; main()", *words], environment)


def cryopick(*words: object) -> Cost:
    return timed(["-m", "cryopick_napari", *words])


def written(examples: Sequence[Example], folder: Path) -> list[Path]:
    """Write fields as MRC files, and their particles as csv files beside the folder."""
    labels = folder.with_name(f"{folder.name}-coordinates")
    for part in (folder, labels):
        part.mkdir()
    files = []
    for example in examples:
        name = file_of(example).stem
        files.append(folder / f"{name}.mrc")
        write_mrc(files[-1], example.micrograph.image, example.micrograph.spacing)
        rows = "".join(f"{x:.2f},{y:.2f}\n" for y, x in example.labels.positives.yx)
        (labels / f"{name}.csv").write_text("x,y\n" + rows)
    return files


def copied(path: Path, number: int) -> Path:
    """Give a file another name beside its own."""
    target = path.with_name(f"{path.stem}_{number}{path.suffix}")
    target.hardlink_to(path)
    return target


def f1(picks: Path, examples: Sequence[Example], diameter: float) -> float:
    """Score a folder or a file of picks at its best threshold."""
    found, _ = match(read_coordinates(picks), [file_of(example) for example in examples])
    compared = []
    for example in examples:
        rows = found.get(file_of(example))
        ours = no_picks() if rows is None else rows.picks
        truth, shape = example.labels.positives, example.micrograph.shape
        compared.append(Compared("", ours, truth, diameter, shape))
    return agreement(compared, "test").best_f1


def file_of(example: Example) -> Path:
    assert example.micrograph.path is not None
    return example.micrograph.path


def of_cryopick(folder: Path, test: Sequence[Path], split: dict[str, Any], quick: bool) -> tuple[Cost, Cost]:
    labels = ("--coordinates", folder / "train-coordinates", "--diameter", split["diameter"])
    words = ["--output-dir", folder / "model", "--preset", "small", "--labelled", "fully"]
    words += ["--initial-epochs", 1] if quick else []
    learning = cryopick("train", "--micrographs", folder / "train", *labels, *words)
    model = ("--model", folder / "model" / "model.safetensors", "--threshold", 0.02)
    picking = cryopick("pick", *test, *model, "--format", "csv", "--output", folder / "cryopick")
    return learning, picking


def of_topaz(
    environment: dict[str, str], folder: Path, test: Sequence[Path], radius: int, model: str
) -> Cost:
    reduced = folder / "reduced"
    cost = topaz(environment, "preprocess", "-s", SCALE, "-o", reduced, *test)
    files = [reduced / path.name for path in test]
    output = ("-o", folder / f"topaz-{Path(model).name}.txt")
    return cost + topaz(
        environment, "extract", "-d", -1, "-r", radius, "-x", SCALE, "-m", model, *output, *files
    )


def finetuned(
    environment: dict[str, str], folder: Path, train: Sequence[Example], radius: int
) -> tuple[Cost, str]:
    """Train Topaz by its own command; return the model's file."""
    reduced = folder / "reduced-train"
    cost = topaz(environment, "preprocess", "-s", SCALE, "-o", reduced, *sorted((folder / "train").iterdir()))
    rows = ["image_name\tx_coord\ty_coord\n"]
    for example in train:
        name = file_of(example).stem
        rows += [f"{name}\t{x / SCALE:.0f}\t{y / SCALE:.0f}\n" for y, x in example.labels.positives.yx]
    (folder / "targets.txt").write_text("".join(rows))
    number = (len(rows) - 1) // len(train)
    words = ("--train-images", reduced, "--train-targets", folder / "targets.txt", "-n", number)
    cost += topaz(environment, "train", "-d", -1, "-r", max(1, radius // 2), *words,
                  "--save-prefix", folder / "finetuned", "-o", folder / "log.txt")  # fmt: skip
    return cost, str(max(folder.glob("finetuned_epoch*.sav"), key=lambda path: path.stat().st_mtime))


def row(name: str, learning: Cost | None, picking: Cost, fields: int, score: float) -> str:
    learned = "" if learning is None else f"{learning.wall:.0f} ({learning.cpu:.0f})"
    taken = "" if learning is None else f"{learning.peak:.2f}"
    each = f"{picking.wall / fields:.2f} ({picking.cpu / fields:.2f})"
    rate = f"{60 * fields / picking.wall:.0f}"
    return f"| {name} | {learned} | {each} | {rate} | {taken} | {picking.peak:.2f} | {score:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--set", choices=splits, default="empiar-10017")
    parser.add_argument("--finetune", action="store_true", help="also train Topaz: a quarter of an hour")
    parser.add_argument(
        "--times", type=int, default=8, help="that each field is picked, so that starting counts less"
    )
    parser.add_argument("--quick", action="store_true", help="one test field, and one epoch")
    parser.add_argument("--note", default="", help="what to say of the machine")
    options = parser.parse_args()
    split = splits[options.set]
    train, test = (load(options.set, split, part) for part in ("train", "test"))
    test = test[:1] if options.quick else test
    options.times = 1 if options.quick else options.times
    diameter = split["diameter"] / split["spacing"]
    radius = round(diameter / 2 / SCALE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = install(folder / "site")
        written(train, folder / "train")
        files = written(test, folder / "test")
        files += [copied(path, number) for number in range(1, options.times) for path in files]
        learning, ours = of_cryopick(folder, files, split, options.quick)
        score = f1(folder / "cryopick", test, diameter)
        rows = [HEAD, row("cryopick, small", learning, ours, len(files), score)]
        theirs = of_topaz(environment, folder, files, radius, "resnet16")
        beside = f1(folder / "topaz-resnet16.txt", test, diameter)
        rows += [row("Topaz 0.3.20, its own model", None, theirs, len(files), beside)]
        if options.finetune:
            taught, model = finetuned(environment, folder, train, radius)
            theirs = of_topaz(environment, folder, files, radius, model)
            beside = f1(folder / f"topaz-{Path(model).name}.txt", test, diameter)
            rows += [row("Topaz 0.3.20, trained on the same", taught, theirs, len(files), beside)]
    rows += ["", f"The last Topaz takes {theirs.wall / ours.wall:.1f} times as long to pick "
             f"({theirs.cpu / ours.cpu:.1f} times the processors' time), {theirs.peak / ours.peak:.1f} times "
             f"the memory, and has {beside / score:.2f} times the F1."]  # fmt: skip
    about = f"{options.set}: {len(train)} fields to learn from, {len(test)} to pick, each {options.times} "
    about += "times, starting included. " + " ".join((__doc__ or "").split("\n\n")[1].split())
    words = "".join(f" --{name}" for name in ("finetune", "quick") if getattr(options, name))
    table = "\n".join(rows)
    save("topaz", f"python -m benchmarks.topaz{words}", f"{table}\n\n{about} {options.note}".rstrip())


if __name__ == "__main__":
    main()
