"""Several processes on one job: Dask workers that pick, and processes that train one network together.

Two workers with a thread and a core each pick 4096 x 4096 float32 MRC fields of noise, and so does one
alone, under a real scheduler; the time is from the first field handed out to the last result, workers being
there and warm.
Two processes train by PyTorch's DistributedDataParallel over gloo, each with one thread and half of every
batch, and one with two threads; F1 is that on the test fields of `splits.toml`.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clicks import scored
from benchmarks.machine import save
from benchmarks.real import HERE, data_folder, load
from benchmarks.throughput import SIDE, SPACING, picker_of
from cryopick_napari.batch import PickSettings
from cryopick_napari.cluster import CHUNK, connected, on_cluster
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picker import Picker
from cryopick_napari.runs import pick_files

TOGETHER = "import sys; from cryopick_napari.launching import launch; sys.exit(launch(sys.argv[1:], 2))"


@contextmanager
def workers(count: int) -> Iterator[str]:
    """Start a scheduler and workers of one thread, on this host only; yield its address."""
    here = ("--host", "127.0.0.1", "--no-dashboard")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}

    def started(kind: str, *words: str, core: int | None = None) -> subprocess.Popen[str]:
        # A worker also reads and scales ahead: without a core of its own it would take part of another's.
        pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        command = [*pinned, sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, *here]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)

    scheduler = started("scheduler", "--port", "0")
    assert scheduler.stderr is not None
    found = re.search(r"tcp://\S+", next(line for line in scheduler.stderr if "Scheduler at:" in line))
    assert found
    cores = sorted(os.sched_getaffinity(0))[:count]
    team = [started("worker", found[0], "--no-nanny", "--nthreads", "1", core=core) for core in cores]
    try:
        yield found[0]
    finally:
        for process in (*team, scheduler):
            process.kill()
            process.communicate()


def picking(folder: Path, count: int, paths: list[Path]) -> float:
    """Pick fields by so many workers; return the seconds it takes."""
    picker, model = picker_of("small"), folder / "model.safetensors"
    picker.save(model)
    with workers(count) as address, connected(address) as client:
        client.wait_for_workers(count)
        runner = partial(on_cluster, client, model, "cpu", threading.Event())
        warm = folder / f"warm{count}"
        list(pick_files(picker, paths[: 2 * CHUNK], warm, PickSettings(), runner=runner))
        start = time.perf_counter()
        done = list(pick_files(picker, paths, folder / f"out{count}", PickSettings(), runner=runner))
        assert all(each.state == "picked" for each in done), done
        return time.perf_counter() - start


def training(
    folder: Path, name: str, split: dict[str, Any], seed: int, processes: int
) -> tuple[float, float]:
    """Train by the command line; return F1 on the test fields, at the chosen threshold, and seconds."""
    data, out = data_folder() / name, folder / f"{processes}-{seed}"
    micrographs = sorted(path for path in (data / "micrographs").iterdir() if path.stem in split["train"])
    words = [
        "train",
        "--micrographs",
        *micrographs,
        "--coordinates",
        data / "coordinates",
        "--output-dir",
        out,
    ]
    words += ["--diameter", split["diameter"], "--spacing", split["spacing"], "--labelled", "fully"]
    words += ["--seed", seed, "--device", "cpu"]
    command = ["-c", TOGETHER] if processes > 1 else ["-m", "cryopick_napari"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(2 // processes)}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *command, *map(str, words)], check=True, env=environment, capture_output=True
    )
    seconds = time.perf_counter() - start
    picker = Picker.load(out / "model.safetensors")
    return scored(picker, load(name, split, "test"), (name, "all", seed, ""), seconds).f1, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    splits = tomllib.loads((HERE / "splits.toml").read_text(encoding="utf-8"))
    parser.add_argument("--fields", type=int, default=6 * CHUNK)
    parser.add_argument("--sets", nargs="+", choices=splits, default=["empiar-10146", "empiar-10017"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, rng = Path(temporary), np.random.default_rng(0)
        (folder / "fields").mkdir()
        one = folder / "fields" / "field000.mrc"
        write_mrc(one, rng.standard_normal((SIDE, SIDE), np.float32), SPACING)
        paths = [one, *(one.with_name(f"field{number:03d}.mrc") for number in range(1, options.fields))]
        for path in paths[1:]:
            path.hardlink_to(one)
        alone, both = (picking(folder, count, paths) for count in (1, 2))
        rows = ["| Dask workers, one core each | fields | s | micrographs a minute |", "|---|---|---|---|"]
        for count, seconds in ((1, alone), (2, both)):
            rows.append(f"| {count} | {len(paths)} | {seconds:.1f} | {60 * len(paths) / seconds:.0f} |")
        rows += ["", f"Two workers pick {alone / both:.2f} times as many as one.", ""]
        print("\n".join(rows), flush=True)
        rows += ["| set | seed | F1, one process (s) | F1, two (s) | difference |", "|---|---|---|---|---|"]
        differences = []
        for name in options.sets:
            for seed in options.seeds:
                (single, s1), (double, s2) = (training(folder, name, splits[name], seed, n) for n in (1, 2))
                differences.append(double - single)
                rows.append(
                    f"| {name} | {seed} | {single:.3f} ({s1:.0f}) | {double:.3f} ({s2:.0f}) "
                    f"| {double - single:+.3f} |"
                )
                print(rows[-1], flush=True)
        rows += ["", f"Two processes differ from one by {statistics.mean(differences):+.3f} in the mean."]
    about = " ".join((__doc__ or "").split("\n\n")[1].split())
    command = f"python -m benchmarks.together --fields {options.fields} --sets {' '.join(options.sets)}"
    command += f" --seeds {' '.join(map(str, options.seeds))}"
    save("together", command, "\n".join(rows) + f"\n\n{about}")


if __name__ == "__main__":
    main()
