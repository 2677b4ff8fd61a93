"""Picking many: micrographs a minute, memory, time to the first picks, and the roof above them.

Fields are 4096 x 4096 float32 MRC files of noise, read from the disk rather than from the memory that
the system keeps of it. The roof is what reading a file and one forward pass cost alone: nothing that
reads every file and averages over eight flips and turns can take less than the first plus eight times
the second. Each measurement has a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import save
from cryopick_napari.batch import PickSettings
from cryopick_napari.config import PRESETS, PickerConfig
from cryopick_napari.devices import autocast, resolve_device
from cryopick_napari.folding import folded
from cryopick_napari.micrograph import read_micrograph, write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.runs import pick_files

SIDE, SPACING, DIAMETER = 4096, 1.77, 108
HEAD = (
    "| preset, device | fields | first picks after, s | a field, s (of all processors) "
    "| micrographs a minute | peak memory, GiB | reading alone, s "
    "| one pass alone, s (of all processors) | roof, a minute |\n|---|---|---|---|---|---|---|---|---|"
)
MANY = (
    "| micrographs of 32 x 32 px | a minute | memory after the first 500, MiB | at the end, MiB "
    "| second run, all done, s of all processors |\n|---|---|---|---|---|"
)


def memory() -> float:
    """Most memory this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget(path: Path) -> None:
    """Ask the system to keep nothing of a file in memory."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def picker_of(preset: str) -> Picker:
    config = PickerConfig(DIAMETER, SPACING, 13.5, **PRESETS[preset].picker)
    return Picker.new(config).to(resolve_device())


def measure_fields(folder: Path, preset: str, started: float) -> dict[str, float]:
    """Pick the fields of a folder; times in s, memory in GiB."""
    paths = sorted(folder.glob("*.mrc"))
    picker = picker_of(preset)
    job = pick_files(picker, paths, folder / preset, PickSettings())
    ends = [(time.time(), time.process_time()) for _ in job]
    peak = memory() / 1024
    quick = folded(picker)
    image = quick.scale(read_micrograph(paths[0])).image[None, None]
    forget(paths[0])
    reading, _ = seconds(lambda: read_micrograph(paths[0]), 1)
    forward, alone = seconds(lambda: passed(quick, image), 5)
    return {
        "first": ends[0][0] - started,
        "field": (ends[-1][0] - ends[0][0]) / (len(ends) - 1),
        "processors": (ends[-1][1] - ends[0][1]) / (len(ends) - 1),
        "memory": peak,
        "reading": reading,
        "forward": forward,
        "alone": alone,
    }


@torch.inference_mode()
def passed(picker: Picker, image: torch.Tensor) -> float:
    with autocast(image.device, "auto"):
        return float(picker.network(image).sum())  # which waits for the device


def seconds(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Measure how long work takes: s, and s of all processors; medians."""
    wall, processors = [], []
    for _ in range(times):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        processors.append(time.process_time() - start[1])
    return statistics.median(wall), statistics.median(processors)


def measure_many(folder: Path, count: int) -> dict[str, float]:
    """Pick very many very small files; what counts is what is not picking."""
    (folder / "many").mkdir()
    write_mrc(folder / "one.mrc", np.random.default_rng(0).standard_normal((32, 32), np.float32), SPACING)
    paths = [folder / "many" / f"m{number:06d}.mrc" for number in range(count)]
    for path in paths:
        path.write_bytes((folder / "one.mrc").read_bytes())
    picker = Picker.new(PickerConfig(9, SPACING, 9, depth=0, averaging=False))
    start, early = time.perf_counter(), 0.0
    for number, _ in enumerate(pick_files(picker, paths, folder / "out", PickSettings()), 1):
        early = memory() if number == 500 else early
    taken, late = time.perf_counter() - start, memory()
    start = time.process_time()
    again = {each.state for each in pick_files(picker, paths, folder / "out", PickSettings())}
    assert again == {"skipped"}, again
    return {"rate": 60 * count / taken, "early": early, "late": late, "again": time.process_time() - start}


def in_process(*words: object) -> dict[str, float]:
    """Run a measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.throughput", *map(str, words), "--started", str(time.time())]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, float] = json.loads(said)
    return found


def table(options: argparse.Namespace, folder: Path) -> str:
    rng, rows = np.random.default_rng(0), [HEAD]
    for number in range(options.fields):
        path = folder / f"field{number:03d}.mrc"
        write_mrc(path, rng.standard_normal((SIDE, SIDE), np.float32), SPACING)
    for preset in options.presets:
        for path in folder.glob("*.mrc"):
            forget(path)
        m = in_process("--measure", preset, "--folder", folder)
        roof = 60 / (m["reading"] + 8 * m["forward"])
        rows.append(
            f"| {preset}, {resolve_device()} | {options.fields} | {m['first']:.1f} | {m['field']:.2f} "
            f"({m['processors']:.2f}) | {60 / m['field']:.0f} | {m['memory']:.2f} | {m['reading']:.2f} "
            f"| {m['forward']:.3f} ({m['alone']:.3f}) | {roof:.0f} |"
        )
        print(rows[-1], flush=True)
    m = in_process("--measure", "many", "--folder", folder, "--many", options.many)
    rows += ["", MANY, f"| {options.many:,} | {m['rate']:,.0f} | {m['early']:.0f} | {m['late']:.0f} "]
    rows[-1] += f"| {m['again']:.1f} |"
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    own = ["small", "medium"] + (["full"] if torch.cuda.is_available() else [])
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=own)
    parser.add_argument("--fields", type=int, default=16)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="4 fields, and 1000 small ones")
    parser.add_argument("--note", default="", help="what to say of the machine")
    for name in ("measure", "folder", "started"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder = Path(options.folder)
        if options.measure == "many":
            print(json.dumps(measure_many(folder, options.many)))
        else:
            print(json.dumps(measure_fields(folder, options.measure, float(options.started))))
        return
    if options.quick:
        options.fields, options.many = 4, 1000
    with tempfile.TemporaryDirectory() as folder:
        text = table(options, Path(folder))
    about = "\n\n".join((__doc__ or "").strip().split("\n\n")[1:]).replace("\n", " ")
    command = "python -m benchmarks.throughput" + (" --quick" if options.quick else "")
    save("throughput", command, f"{text}\n\n{about} {options.note}".rstrip())


if __name__ == "__main__":
    main()
