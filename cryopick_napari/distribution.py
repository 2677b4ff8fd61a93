"""Several processes that train one network, each with its share of every batch.

All see the same fields, draw the same crops, and come to the same weights; what is decided is decided
by the first, which alone writes. In a single process all of this is nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from cryopick_napari.errors import CryopickError
from cryopick_napari.network import PickingNetwork
from cryopick_napari.picker import Picker, make_network

STORE = "CRYOPICK_STORE"  # a file by which processes of one computer find each other
Value = TypeVar("Value")


def size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that decides, writes and speaks."""
    return size() == 1 or dist.get_rank() == 0


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the other processes, if the environment says as ``torchrun`` does that there are any.

    Parameters
    ----------
    device : str
        As `resolve_device` takes it: with CUDA each process takes a card of its own.

    Raises
    ------
    CryopickError
        If they cannot be found, or one of them has ended.
    """
    count, rank = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", 1), ("RANK", 0)))
    if count == 1:
        yield
        return
    if ":" in device:
        raise CryopickError(f"each process takes a card of its own: leave out --device {device}")
    has_cuda = device in ("auto", "cuda") and torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    store = os.environ.get(STORE)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_cuda else "gloo",
            init_method=f"file://{store}" if store else "env://",
            rank=rank,
            world_size=count,
        )
        yield
        dist.destroy_process_group()
    except (RuntimeError, ValueError) as error:
        # Each process must say why it ends: the others end for no better reason.
        raise CryopickError(f"training process {rank + 1} of {count}: {error}") from error


class Answering(nn.Module):
    """A network as one function, for PyTorch to wrap: logits (b, 1, h, w), and attention maps if wanted."""

    def __init__(self, network: PickingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, with_maps: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits, and the maps that made them or none."""
        return self.network.with_attention(image) if with_maps else (self.network(image), {})


def shared(network: PickingNetwork) -> nn.Module:
    """Let the gradients of a network be averaged over all processes as they are made."""
    answering = Answering(network)
    if size() == 1:
        return answering
    return nn.parallel.DistributedDataParallel(answering, broadcast_buffers=False)


def gradients_stay(network: nn.Module, stay: bool) -> contextlib.AbstractContextManager[None]:
    """Leave the gradients of a pass in this process: only the last pass of a step is for averaging."""
    if stay and isinstance(network, nn.parallel.DistributedDataParallel):
        held: contextlib.AbstractContextManager[None] = network.no_sync()
        return held
    return contextlib.nullcontext()


def share(crops: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Select this process's part of a batch."""
    return crops if size() == 1 else tuple(plane[dist.get_rank() :: size()] for plane in crops)


def summed(value: Tensor) -> Tensor:
    """Add up a value of all processes."""
    if size() > 1:
        dist.all_reduce(value)
    return value


def anyone(flag: bool) -> bool:
    """Whether any process says so: one that is told to stop stops all."""
    if size() == 1:
        return flag
    said = torch.tensor(int(flag))
    dist.all_reduce(said, dist.ReduceOp.MAX)
    return bool(said)


def of_first(value: Value) -> Value:
    """Give all processes what the first one has: rounding must not let them decide differently."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, device=torch.device("cpu"))
    return box[0]


def average_statistics(network: PickingNetwork) -> None:
    """Average what batch normalisation has learned from each process's crops."""
    if size() > 1:
        for name, buffer in network.named_buffers():
            if "running" in name:
                dist.all_reduce(buffer)
                buffer /= size()


def picker_of_first(picker: Picker) -> Picker:
    """Give all processes the picker of the first one."""
    if size() == 1:
        return picker
    weights = {name: tensor.cpu() for name, tensor in picker.network.state_dict().items()}
    config, training, weights = of_first((picker.config, picker.training, weights))
    network = make_network(config)
    network.load_state_dict(weights)
    return replace(picker, config=config, network=network.to(picker.device).eval(), training=training)
