"""Start one training process a CUDA card, on this computer and heard by nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from cryopick_napari.distribution import STORE

GRACE = 10.0  # s in which the others may end by themselves when one has failed


def launch(words: Sequence[str], processes: int) -> int:
    """Run a command in several processes that train together.

    They find each other by a file rather than a port, and talk over the loopback device. A stop
    (Ctrl-C or SIGTERM) is one for all of them.

    Parameters
    ----------
    words : sequence of str
        What follows ``cryopick``.
    processes : int

    Returns
    -------
    int
        The exit code of the first process that failed, or of the first.
    """
    loopback = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    threads = max(1, (os.cpu_count() or 1) // processes)
    with tempfile.TemporaryDirectory(prefix="cryopick-") as folder:
        same = {"OMP_NUM_THREADS": str(threads)} | os.environ | loopback
        same |= {"WORLD_SIZE": str(processes), STORE: str(Path(folder) / "store")}
        team = [
            subprocess.Popen(
                [sys.executable, "-m", "cryopick_napari", *words],
                env=same | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(processes)
        ]

        def pass_on(number: int, _frame: FrameType | None) -> None:
            # A terminal's Ctrl-C has reached them already.
            if number == signal.SIGTERM:
                for process in team:
                    process.send_signal(number)

        before = {int(number): signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return awaited(team)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def awaited(team: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; when one has failed, end those that wait for it in vain."""
    codes = [process.poll() for process in team]
    while None in codes:
        failed = [code for code in codes if code]
        if failed:
            end = time.monotonic() + GRACE
            while time.monotonic() < end and None in [process.poll() for process in team]:
                time.sleep(0.1)
            for process in team:
                process.kill()
                process.wait()
            return failed[0]
        time.sleep(0.1)
        codes = [process.poll() for process in team]
    return next((code for code in codes if code), 0)
