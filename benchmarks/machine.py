"""The machine that figures were taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Name the processor, its cores, and the versions that matter."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        text = cpuinfo.read_text()
        lines = (line for line in text.splitlines() if line.startswith("model name"))
        model = next(lines, f":{model}").split(":")[1].strip()
        if "avx512_bf16" in text or "amx_bf16" in text:
            model += " with bfloat16"  # the precision of a training there
    if torch.cuda.is_available():
        model += f", {torch.cuda.get_device_name()}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores; Python {platform.python_version()}, PyTorch {torch.__version__}"


def save(name: str, command: str, table: str) -> None:
    """Print a table and keep it, with its command and machine, in ``results/``."""
    text = f"# {name}\n\n`{command}`\n\n{machine()}\n\n{table}\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
