"""PyTorch beside a window that stays quick."""

from __future__ import annotations

import os

from cryopick_napari.cli import spin_little


def import_torch() -> None:
    """Import PyTorch (2 s) and leave a core to the window; only in the thread of a job."""
    spin_little()
    import torch

    torch.set_num_threads(max(1, cores() - 1))


def cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, nor Windows
        return os.cpu_count() or 1
