"""The picker: a network and all it needs to pick micrographs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cryopick_napari.config import PickerConfig, config_from
from cryopick_napari.devices import autocast
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.neighbours import ranked
from cryopick_napari.network import AttentionUNet, PickingNetwork, UNet, mean_over_heads
from cryopick_napari.peaks import LEAST_SCORE, find_peaks
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled, seen
from cryopick_napari.template import kernel_side

CLEARLY = 2.0  # how much more an inverted field must answer before it is taken for inverted


def make_network(config: PickerConfig) -> PickingNetwork:
    """Build the network that a configuration describes, with fresh weights."""
    diameter = min(config.diameter, config.network_diameter or config.diameter)
    if not config.depth:
        return PickingNetwork(None, kernel_side(diameter))
    size = {"in_channels": 2 if config.filter_channel else 1}
    size |= {"base_features": config.base_features, "depth": config.depth}
    if config.has_attention:
        unet: UNet = AttentionUNet(
            **size, gate=config.gate, heads=config.heads, spatial_attention=config.spatial_attention
        )
    else:
        unet = UNet(**size)
    finer = config.look_diameter is not None
    sides = (
        kernel_side(diameter) if config.filter_channel or (config.blend and not finer) else 0,
        kernel_side(diameter * config.finer) if finer else 0,
    )
    network = PickingNetwork(unet, sides[0], config.blend, sides[1], 1 / config.finer)
    # Channels last is what convolutions are fastest in, on CPUs (1.2 to 1.6 times) as on GPUs.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, eq=False)
class Picker:
    """A configuration and its network, in evaluation mode.

    Attributes
    ----------
    config : PickerConfig
    network : PickingNetwork
    training : dict
        How it was made, for the record.
    is_experienced : bool
        It has seen particles before it is trained, as the general model has.
    """

    config: PickerConfig
    network: PickingNetwork
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    is_experienced: bool = False

    @classmethod
    def new(cls, config: PickerConfig, seed: int = 42) -> Picker:
        """Make an untrained picker; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config, make_network(config).eval())

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return self.network.kernel.device

    def to(self, device: str | torch.device) -> Picker:
        """Move to a device, in place of the copy it was on."""
        return replace(self, network=self.network.to(device))

    def configured(self, **settings: Any) -> Picker:
        """Give the same picker with other settings; only those that leave its network as it is."""
        return replace(self, config=replace(self.config, **settings))

    def scale(self, micrograph: Micrograph) -> Scaled:
        """Bring a micrograph to the network's scale, particles bright."""
        return seen(micrograph, self.config, self.device)

    def upright(self, scaled: Scaled) -> Scaled:
        """Invert a field whose particles are bright where the training's were dark, or the reverse."""
        return self._upright(scaled)[0]

    def search(self, micrograph: Micrograph) -> tuple[Scaled, NDArray[np.float32]]:
        """Bring a micrograph of either polarity to the network's scale, and run the network over it.

        Returns
        -------
        Scaled
            `upright`.
        (h, w) float32
            Its `probability`.
        """
        scaled, first = self._upright(self.scale(micrograph))
        return scaled, probability_map(self.network, scaled.image, self.config.averaging, scaled.valid, first)

    @torch.inference_mode()
    def _upright(self, scaled: Scaled) -> tuple[Scaled, Tensor]:
        """Turn a field upright; also return the network's answer (h, w) to it, not averaged."""
        views = scaled, scaled.inverted()
        answers = [_answer(self.network, view.image) for view in views]
        # Only what exceeds the threshold: the background's low probability adds up to more than particles do.
        # On contamination too: which side of an edge it is on depends on what is being found out.
        as_is, inverse = (
            float((answer * scaled.live - self.config.threshold).clip(0).sum()) for answer in answers
        )
        is_inverted = inverse > CLEARLY * as_is
        return views[is_inverted], answers[is_inverted]

    def probability(self, scaled: Scaled) -> NDArray[np.float32]:
        """Return the probability (h, w) that a pixel belongs to a particle's centre; 0 where none may lie."""
        return probability_map(self.network, scaled.image, self.config.averaging, scaled.valid)

    @torch.inference_mode()
    def attention(self, scaled: Scaled) -> dict[str, NDArray[np.float32]]:
        """Return the attention maps ``att1`` (h, w), ``att2`` (h/2, w/2), ... in [0, 1].

        Of a multi-head gate, the mean over its heads; ``network.get_attention_maps`` has each of them.
        """
        maps = self.network.get_attention_maps(scaled.image[None, None])
        return {name: mean_over_heads(alpha)[0, 0].float().cpu().numpy() for name, alpha in maps.items()}

    def picks(
        self, probability: NDArray[np.float32], scaled: Scaled, min_distance: float | None = None
    ) -> Picks:
        """Find the peaks of a probability map, whatever their score.

        Parameters
        ----------
        probability : (h, w) float32
            Of `probability`.
        scaled : Scaled
        min_distance : float, optional
            Least distance between picks in particle diameters; the model's own by default.

        Returns
        -------
        Picks
            In pixels of the micrograph, best first.
        """
        peaks = find_picks(probability, scaled.diameter, self.config, min_distance)
        return Picks(scaled.to_source(peaks.yx), peaks.score).within(scaled.shape)

    def pick(self, micrograph: Micrograph, threshold: float | None = None) -> Picks:
        """Pick a micrograph.

        Parameters
        ----------
        micrograph : Micrograph
            Of either polarity.
        threshold : float, optional
            Least score; by default the one chosen on held-out labels when the model was trained.

        Returns
        -------
        Picks
            In pixels of the micrograph, best first.
        """
        scaled, probability = self.search(micrograph)
        found = self.picks(probability, scaled)
        return found.above(self.config.threshold if threshold is None else threshold)

    def save(self, path: str | Path) -> None:
        """Write the model and its configuration to one ``.safetensors`` file."""
        header = {"picker": dataclasses.asdict(self.config), "training": self.training}
        save_checkpoint(Path(path), Checkpoint("model", header, self.network.state_dict()))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Picker:
        """Read a model.

        Raises
        ------
        CryopickError
            If the file is missing, damaged, foreign or from a newer version.
        """
        checkpoint = load_checkpoint(Path(path), "model")
        config = config_from(PickerConfig, checkpoint.header.get("picker"), str(path))
        record = checkpoint.header.get("training")
        training = record if isinstance(record, dict) else {}
        with torch.device("meta"):  # nothing is allocated before the sizes are known to agree
            network = make_network(config)
        try:
            network.load_state_dict(dict(checkpoint.tensors), assign=True)
        except RuntimeError as error:
            raise CryopickError(
                f"{path}: its weights do not fit its configuration: train it again"
            ) from error
        if any(weights.dtype != torch.float32 for weights in network.parameters()):
            raise CryopickError(f"{path}: its weights must be float32")
        network.requires_grad_(True)
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(config, network.eval(), training)


def find_picks(
    probability: NDArray[np.float32], diameter: float, config: PickerConfig, min_distance: float | None = None
) -> Picks:
    """Find the peaks of a map (h, w), whatever their score, as a picker of this configuration does.

    ``diameter`` in px of the map, ``min_distance`` in diameters; see `Picker.picks`.
    """
    apart = (config.min_distance if min_distance is None else min_distance) * diameter
    if not config.pair_correlation:
        return find_peaks(probability, apart, LEAST_SCORE)
    return ranked(probability, diameter, apart, config.pair_correlation, config.threshold)


@torch.inference_mode()
def probability_map(
    network: PickingNetwork,
    image: Tensor,
    averaging: bool,
    valid: Tensor | None = None,
    first: Tensor | None = None,
) -> NDArray[np.float32]:
    """Run a network over an image (h, w), averaged over the 8 flips and turns if wanted.

    Parameters
    ----------
    network : PickingNetwork
    image : (h, w) tensor
    averaging : bool
    valid : (h, w) bool tensor, optional
    first : (h, w) tensor, optional
        The answer to the image as it is, where that is known already.

    Returns
    -------
    (h, w) float32
        In [0, 1]; 0 where ``valid`` is false.
    """
    total = _answer(network, image) if first is None else first.clone()
    views = [(turn, flip) for turn in range(4) for flip in (False, True)][1:] if averaging else []
    for turn, flip in views:
        view = image.rot90(turn, (0, 1))
        answer = _answer(network, view.flip(1) if flip else view)
        total += (answer.flip(1) if flip else answer).rot90(-turn, (0, 1))
    total /= len(views) + 1
    return (total if valid is None else total * valid).cpu().numpy()


def _answer(network: PickingNetwork, image: Tensor) -> Tensor:
    """Run a network over an image (h, w) as it is: the probability (h, w)."""
    with autocast(image.device, "auto"):
        logits: Tensor = network(image[None, None])[0, 0]
    return logits.float().sigmoid()
