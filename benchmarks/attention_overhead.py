"""What attention gates cost against a plain U-Net: forward pass, as in picking, and training step."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch

from benchmarks.machine import save
from cryopick_napari.config import PRESETS, PickerConfig
from cryopick_napari.devices import autocast, resolve_device
from cryopick_napari.folding import folded
from cryopick_napari.picker import Picker


def seconds(action: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def actions(
    gate: Literal["additive", "none"],
    preset: str,
    side: int,
    crops: int,
    device: torch.device,
    precision: str,
) -> dict[str, Callable[[], object]]:
    picker = Picker.new(replace(PickerConfig(**PRESETS[preset].picker), gate=gate)).to(device)
    network, quick = picker.network, folded(picker).network
    adamw = torch.optim.AdamW(network.parameters())
    field = torch.randn(1, 1, side, side, device=device)
    batch = torch.randn(crops, 1, 128, 128, device=device)

    def forward() -> None:
        with torch.inference_mode(), autocast(device, precision):
            quick(field)

    def step() -> None:
        network.train()
        adamw.zero_grad()
        with autocast(device, precision):
            logits = network(batch)
        logits.square().mean().backward()
        adamw.step()

    return {"forward, folded": forward, "training step": step}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="full")
    parser.add_argument("--side", type=int, default=512, help="of the field in the forward pass, px")
    parser.add_argument("--crops", type=int, default=4, help="of 128 x 128 px in a training step")
    parser.add_argument("--runs", type=int, default=7, help="in turn, after one that does not count")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16")
    options = parser.parse_args()
    device = resolve_device(options.device)
    sizes = options.preset, options.side, options.crops
    gates: tuple[Literal["additive", "none"], ...] = ("additive", "none")
    both = [actions(gate, *sizes, device, options.precision) for gate in gates]
    rows = ["| | Attention U-Net, s | U-Net, s | ratio (median of pairs) |", "|---|---|---|---|"]
    for name in both[0]:
        pairs = [[seconds(each[name], device) for each in both] for _ in range(options.runs + 1)][1:]
        attention, plain = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(first / second for first, second in pairs)
        rows.append(f"| {name} | {attention:.3f} | {plain:.3f} | {ratio:.3f} |")
    rows.append(f"\nForward: one field of {options.side} x {options.side} px.")
    rows.append(f"Step: {options.crops} crops of 128 x 128 px. Precision: {options.precision}.")
    command = f"python -m benchmarks.attention_overhead --preset {options.preset}"
    command += f" --crops {options.crops} --runs {options.runs} --precision {options.precision}"
    save("attention_overhead", command, "\n".join(rows))


if __name__ == "__main__":
    main()
