"""One step of gradient descent, within the memory there is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cryopick_napari import distribution
from cryopick_napari.config import TrainingConfig
from cryopick_napari.devices import autocast, gradient_scaler
from cryopick_napari.errors import CryopickError
from cryopick_napari.losses import LOSSES, attention_loss
from cryopick_napari.network import PickingNetwork

SCALER = "scaler"
Crops = tuple[Tensor, Tensor, Tensor]  # image, target, weight: each (b, 1, h, w)


class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, to the bit, but its compiler stays out.

    Its own methods import the compiler, which takes 2 s, only to tell it to leave them alone.
    """

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)


class Optimiser:
    """AdamW with gradient accumulation, clipping and mixed precision.

    Out of memory halves the number of crops that go through the network at once; gradients are
    then accumulated over more passes, so that a step still sees as many crops.

    Parameters
    ----------
    network : PickingNetwork
        Trained in place.
    config : TrainingConfig

    Raises
    ------
    CryopickError
        If the configuration says how attention is to learn, and the network has none.
    """

    def __init__(self, network: PickingNetwork, config: TrainingConfig) -> None:
        if config.batch_size * config.accumulation_steps < distribution.size():
            raise CryopickError("a step needs at least one crop a process: raise --batch-size")
        self.network = network
        self.config = config
        self.answering = distribution.shared(network)
        self.at_once = math.ceil(config.batch_size / distribution.size())
        self.message = ""
        self.device = next(network.parameters()).device
        self.adamw = AdamW(
            parameter_groups(network, config), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.scaler = gradient_scaler(self.device, config.precision)

    def step(self, crops: Crops, rate: float) -> float:
        """Descend once at a learning rate (that of the gates is in proportion); return the loss.

        Raises
        ------
        CryopickError
            If not even one crop fits into memory, or the loss is no longer a number.
        """
        for group in self.adamw.param_groups:
            group["lr"] = rate * group["factor"]
        while True:
            try:
                loss = self._accumulated(crops)
                break
            except torch.OutOfMemoryError as error:
                self._halve(error)
        if not loss < float("inf"):
            raise CryopickError("training diverged: lower --learning-rate")
        self.scaler.unscale_(self.adamw)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.scaler.step(self.adamw)
        self.scaler.update()
        return loss

    def _accumulated(self, crops: Crops) -> float:
        """Add up the gradients of all crops, a few at a time."""
        self.network.train()
        self.network.zero_grad(set_to_none=True)
        total_weight = crops[2].sum().clamp(min=1.0).to(self.device)
        total = torch.zeros((), device=self.device)
        own = [torch.split(plane, self.at_once) for plane in distribution.share(crops)]
        for number, part in enumerate(zip(*own, strict=True), 1):
            image, target, weight = (plane.to(self.device, non_blocking=True) for plane in part)
            with distribution.gradients_stay(self.answering, number < len(own[0])):
                loss = self._loss(image, target, weight, total_weight)
                # Processes average their gradients, but each has only its share of the loss.
                self.scaler.scale(loss * distribution.size()).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return float(distribution.summed(total))

    def _loss(self, image: Tensor, target: Tensor, weight: Tensor, total_weight: Tensor) -> Tensor:
        """Give the share of some crops in the loss of the batch."""
        supervision = self.config.attention_supervision
        with autocast(self.device, self.config.precision):
            logits, maps = self.answering(image, with_maps=bool(supervision))
        loss = LOSSES[self.config.loss](logits.float(), target, weight, total_weight)
        if supervision:
            loss = loss + supervision * attention_loss(maps, target, weight, total_weight)
        return loss

    def _halve(self, error: torch.OutOfMemoryError) -> None:
        """Send half as many crops through the network at once from now on."""
        if distribution.size() > 1:  # the others may be waiting for this pass
            raise CryopickError(
                f"out of memory on {self.device}: lower --batch-size and raise --accumulation-steps"
            ) from error
        if self.at_once == 1:
            raise CryopickError(
                f"out of memory on {self.device} with one crop: lower --patch-size or take a smaller preset"
            ) from error
        self.at_once //= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.message = f"out of memory: from now on {self.at_once} crops at a time, in more passes a step"

    def news(self) -> str:
        """Return what there is to tell the user, once."""
        message, self.message = self.message, ""
        return message

    def state(self) -> dict[str, Tensor]:
        """Return the moments of every parameter by name, and the scale of gradients in half precision."""
        states = self.adamw.state_dict()["state"]
        moments = {
            f"{index}.{name}": value for index, state in states.items() for name, value in state.items()
        }
        scaling = {
            f"{SCALER}.{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()
        }
        return {**moments, **scaling}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the moments that `state` returned."""
        states: dict[int, dict[str, Tensor]] = {}
        scaling: dict[str, float] = {}
        for name, value in tensors.items():
            index, key = name.split(".")
            if index == SCALER:
                scaling[key] = value.item()
            else:
                states.setdefault(int(index), {})[key] = value
        if scaling and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaling)
        self.adamw.load_state_dict({**self.adamw.state_dict(), "state": states})


def parameter_groups(network: PickingNetwork, config: TrainingConfig) -> list[dict[str, Any]]:
    """Sort parameters by learning rate: ``factor`` is what to multiply the rate of a step by."""
    gates = [] if network.unet is None else list(network.unet.attention_parameters())
    if not gates and (config.attention_supervision or config.gate_learning_rate is not None):
        raise CryopickError(
            "a plain U-Net has no attention to supervise, nor gates with a learning rate of their own: "
            "take another --gate, or leave out --attention-supervision and --gate-learning-rate"
        )
    if config.gate_learning_rate is None:
        return [{"params": list(network.parameters()), "factor": 1.0}]
    own = set(map(id, gates))
    rest = [parameter for parameter in network.parameters() if id(parameter) not in own]
    factor = config.gate_learning_rate / config.learning_rate
    return [{"params": rest, "factor": 1.0}, {"params": gates, "factor": factor}]
