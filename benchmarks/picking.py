"""From file to coordinates: time and memory of picking one 4096 x 4096 float32 MRC field, preset small."""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import save
from cryopick_napari.config import PickerConfig
from cryopick_napari.micrograph import read_micrograph, write_mrc
from cryopick_napari.picker import Picker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=7, help="picked after one that does not count")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.mrc"
        rng = np.random.default_rng(0)
        write_mrc(path, rng.standard_normal((4096, 4096), np.float32), 1.77)
        picker = Picker.new(PickerConfig(diameter=108, spacing=1.77, network_diameter=13.5))
        seconds = []
        for _ in range(options.fields + 1):
            start = time.perf_counter()
            picker.pick(read_micrograph(path))
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table = "\n".join(
        [
            "| first field, s | others, median s (range) | peak memory of the process, GiB |",
            "|---|---|---|",
            f"| {seconds[0]:.2f} | {statistics.median(seconds[1:]):.2f} "
            f"({min(seconds[1:]):.2f}-{max(seconds[1:]):.2f}) | {peak:.2f} |",
            "",
            "Reading, Fourier crop, polarity check, eight passes, peaks; allowed: 1.5 s and 1 GB.",
        ]
    )
    save("picking", "python -m benchmarks.picking", table)


if __name__ == "__main__":
    main()
