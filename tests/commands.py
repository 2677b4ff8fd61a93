"""Run commands, and the machine's bad days they must survive."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from drawing import drawn_micrograph

from cryopick_napari.cli import main
from cryopick_napari.micrograph import write_mrc

DIAMETER, SPACING, SHAPE = 9, 2.0, (96, 118)  # px, Å/px, px
GRID = np.stack(np.meshgrid(np.arange(12, 90, 20), np.arange(12, 110, 20), indexing="ij"), -1).reshape(-1, 2)
DAC_OVERRIDE, DAC_READ_SEARCH = 1 << 1, 1 << 2  # Linux: what lets root read and write everything


def run(*words: object) -> int:
    return main([str(word) for word in words])


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail with a single line; return the line without the command's name."""
    capsys.readouterr()
    code = run(*words)
    lines = [
        line
        for line in capsys.readouterr().err.splitlines()
        if not line.startswith(("note: ", "epoch ", "round "))
    ]
    assert (code, len(lines)) == (1, 1), lines
    assert lines[0].startswith(f"cryopick {words[0]}: ")
    return lines[0].partition(": ")[2]


def usage_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command line that is no command line; return what is said about it."""
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: cryopick")
    return said


def write_fields(folder: Path, names: Sequence[str] = "ab", spacing: float | None = SPACING) -> Path:
    """Write micrographs/ and coordinates/ of twenty particles each."""
    for part in ("micrographs", "coordinates"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        centres = GRID + np.random.default_rng(seed).uniform(-4, 4, GRID.shape)
        write_mrc(
            folder / "micrographs" / f"{name}.mrc", drawn_micrograph(centres, SHAPE, seed=seed).image, spacing
        )
        rows = "".join(f"{x:.3f},{y:.3f}\n" for y, x in centres)
        (folder / "coordinates" / f"{name}.csv").write_text("x,y\n" + rows)
    return folder


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond a size (bytes)."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def like_anybody() -> Iterator[None]:
    """Take from root the right to read and write what is closed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    version, all_caps = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(version, all_caps) == 0
    fewer = (ctypes.c_uint32 * 6)(*all_caps)
    fewer[0] &= ~(DAC_OVERRIDE | DAC_READ_SEARCH)
    assert libc.capset(version, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(version, all_caps) == 0
