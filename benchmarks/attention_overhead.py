"""What attention gates cost: `AttentionUNet` against `UNet`, forward and training step, in one run."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.machine import save
from cryopick_napari.config import PRESETS, PickerConfig
from cryopick_napari.devices import resolve_device
from cryopick_napari.network import AttentionUNet, UNet


def seconds(action: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def actions(
    kind: type[UNet], preset: str, side: int, crops: int, device: torch.device
) -> dict[str, Callable[[], object]]:
    settings = PickerConfig(**PRESETS[preset].picker)
    network = kind(base_features=settings.base_features, depth=settings.depth)
    network = network.to(device, memory_format=torch.channels_last)
    adamw = torch.optim.AdamW(network.parameters())
    field = torch.randn(1, 1, side, side, device=device)
    batch = torch.randn(crops, 1, 128, 128, device=device)

    def forward() -> None:
        network.eval()
        with torch.inference_mode():
            network(field)

    def step() -> None:
        network.train()
        adamw.zero_grad()
        network(batch).square().mean().backward()
        adamw.step()

    return {"forward": forward, "training step": step}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="full")
    parser.add_argument("--side", type=int, default=512, help="of the field in the forward pass, px")
    parser.add_argument("--crops", type=int, default=4, help="of 128 x 128 px in a training step")
    parser.add_argument("--runs", type=int, default=7, help="in turn, after one that does not count")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = resolve_device(options.device)
    both = [
        actions(kind, options.preset, options.side, options.crops, device) for kind in (AttentionUNet, UNet)
    ]
    rows = ["| | Attention U-Net, s | U-Net, s | ratio (median of pairs) |", "|---|---|---|---|"]
    for name in both[0]:
        pairs = [[seconds(each[name], device) for each in both] for _ in range(options.runs + 1)][1:]
        attention, plain = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(first / second for first, second in pairs)
        rows.append(f"| {name} | {attention:.3f} | {plain:.3f} | {ratio:.3f} |")
    rows.append(f"\nForward: one field of {options.side} x {options.side} px, float32.")
    rows.append(f"Step: {options.crops} crops of 128 x 128 px, float32.")
    command = f"python -m benchmarks.attention_overhead --preset {options.preset}"
    command += f" --crops {options.crops} --runs {options.runs}"
    save("attention_overhead", command, "\n".join(rows))


if __name__ == "__main__":
    main()
