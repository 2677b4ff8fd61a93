"""What a model is, how it is made, and every default.

The options of the command line and the header of a model file are derived from these fields.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from cryopick_napari.errors import CryopickError


def setting(default: Any, help: str, unit: str = "", usual: str = "") -> Any:
    """Make a dataclass field that carries its help text, unit and usual range."""
    return field(default=default, metadata={"help": help, "unit": unit, "usual": usual})


UNKNOWN_DIAMETER = 50.0  # px, to draw and to look with while nobody knows the particle's size
LEAST_CLICKS = 3  # for a first look: two particles make no average worth looking at
LARGEST = {
    "diameter": 10_000,
    "spacing": 10_000,
    "network_diameter": 10_000,
    "look_diameter": 10_000,
    "base_features": 1024,
    "depth": 8,
    "heads": 64,
}
LARGEST_CORRELATION = 1000
# Settings that older digests know nothing of.
LATER: dict[str, Any] = {
    **{"heads": 4, "spatial_attention": False, "blend": False, "contamination_mask": False},
    "pair_correlation": (),
    "look_diameter": None,
}


@dataclass(frozen=True)
class PickerConfig:
    """What a model is: all it needs, beside its weights, to pick a micrograph."""

    diameter: float = setting(100.0, "particle diameter (longest side) in the training micrographs", "px")
    spacing: float | None = setting(None, "pixel size of the training micrographs", "Å/px")
    network_diameter: float | None = setting(
        13.5,
        "particle diameter after Fourier cropping, up to 20 on small fields unless given; "
        "none keeps the file's own pixels",
        "px",
    )
    base_features: int = setting(
        8, "features of the first level; 16 from clicks, or of faint particles, unless given", usual="8-64"
    )
    depth: int = setting(
        3,
        "levels above the bottleneck; 0 is the matched filter of the labels, no network",
        usual="3-4",
    )
    gate: Literal["additive", "multihead", "none"] = setting(
        "additive", "attention gates; multihead has several side by side; none makes a plain U-Net"
    )
    heads: int = setting(4, "heads of each multihead gate", usual="2-8")
    spatial_attention: bool = setting(
        False, "also weigh each skip connection by a 7 x 7 convolution of its largest and mean features"
    )
    filter_channel: bool = setting(
        False, "show the network the matched filter of the average particle; faint ones get it of themselves"
    )
    blend: bool = setting(
        False, "add the matched filter's answer to the network's; held-out labels decide it in a training"
    )
    look_diameter: float | None = setting(
        None, "particle diameter for that added filter, where it sees more finely than the network", "px"
    )
    polarity: Literal["dark", "light"] = setting(
        "dark", "particles darker or lighter than the ice; the labels tell, unless it is given"
    )
    averaging: bool = setting(True, "average the probability over the 8 flips and turns")
    min_distance: float = setting(
        0.5,
        "least distance between picks; labelled particles that keep more raise it, unless it is given",
        "diameters",
    )
    threshold: float = setting(0.5, "least score of a pick")
    contamination_mask: bool = setting(
        True, "pick nothing on the carbon film, ice crystals and lumps of dirt much larger than a particle"
    )
    pair_correlation: tuple[float, ...] = setting(
        (), "how much likelier than by chance labelled particles lie 0.05, 0.15, ... diameters apart"
    )

    def __post_init__(self) -> None:
        """Refuse values that no model can have."""
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if value is not None and not (0 < value <= largest or (name, value) == ("depth", 0)):
                what = name.replace("_", " ")
                raise CryopickError(f"the {what} must be above 0 and at most {largest}, not {value}")
        if not (0 <= self.threshold <= 1 and 0 <= self.min_distance <= 100):
            raise CryopickError(
                "the threshold must lie between 0 and 1, the least distance between 0 and 100"
            )
        if self.look_diameter and not (
            self.blend and self.look_diameter > (self.network_diameter or math.inf)
        ):
            raise CryopickError("a look diameter is for a filter that is added, and sees more finely")
        if not all(0 <= value <= LARGEST_CORRELATION for value in self.pair_correlation):
            raise CryopickError("a pair correlation is made of numbers from 0 to 1000")
        if self.gate not in ("additive", "multihead", "none") or self.polarity not in ("dark", "light"):
            raise CryopickError(f"no such gate or polarity: {self.gate!r}, {self.polarity!r}")

    @property
    def seen_diameter(self) -> float | None:
        """Particle diameter, px, in any micrograph as the picker sees it; None for the file's own pixels.

        The training micrographs are never enlarged.
        """
        wanted = self.look_diameter or self.network_diameter
        return wanted and min(wanted, self.diameter)

    @property
    def finer(self) -> float:
        """Px of a micrograph as the picker sees it, for each px that its network sees."""
        if not (self.look_diameter and self.network_diameter and self.seen_diameter):
            return 1.0
        return self.seen_diameter / min(self.network_diameter, self.diameter)

    @property
    def has_attention(self) -> bool:
        """Whether the network makes attention maps."""
        return self.depth > 0 and (self.gate != "none" or self.spatial_attention)

    @property
    def diameter_angstrom(self) -> float | None:
        """Particle diameter in Å, or None if the pixel size is unknown."""
        return None if self.spacing is None else self.diameter * self.spacing

    def for_digest(self) -> dict[str, Any]:
        """Give the settings by name, as they are digested to tell models apart.

        A setting that came later counts only where it is not as everything was before it.
        """
        settings = dataclasses.asdict(self)
        return {name: value for name, value in settings.items() if name not in LATER or value != LATER[name]}

    def diameter_at(self, spacing: float | None) -> float:
        """Particle diameter in px of a micrograph with this pixel size (Å/px).

        A micrograph of unknown pixel size is taken to have that of the training micrographs.
        """
        return self.diameter * self.spacing / spacing if spacing and self.spacing else self.diameter


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is made."""

    initial_epochs: int = setting(
        18,
        "epochs of supervised training; 5 where only clicks teach, unless given",
        usual="50-200 with full networks",
    )
    epoch_crops: int = setting(160, "random crops an epoch")
    batch_size: int = setting(8, "crops a step", usual="32-256 on a GPU")
    accumulation_steps: int = setting(1, "batches whose gradients are added before a step")
    patch_size: int = setting(128, "side of a crop", "network px")
    learning_rate: float = setting(
        3e-3, "peak learning rate of AdamW", usual="1e-4 to 1e-3 with full networks"
    )
    gate_learning_rate: float | None = setting(
        None, "peak learning rate of the attention gates; none takes that of the rest"
    )
    weight_decay: float = setting(1e-2, "weight decay of AdamW")
    gradient_clip: float = setting(1.0, "largest norm of the gradient")
    patience: int = setting(8, "epochs without a better validation before stopping; 0 never stops early")
    held_out: float = setting(0.2, "part of the labels kept for validation and for the threshold")
    target_radius: float = setting(0.5, "radius of the disc painted for a particle", "particle radii")
    # What focal loss answers is no probability, which the threshold of a few clicks counts on.
    loss: Literal["bce", "focal-dice"] = setting(
        "bce", "cross entropy; or 0.7 focal + 0.3 Dice, for fully labelled fields"
    )
    attention_supervision: float = setting(
        0.0, "weight of a loss that pulls the attention maps to the particles' discs", usual="0.1-0.3"
    )
    from_scratch: bool = setting(
        False, "start from random weights also where clicks would start from those of the general model"
    )
    first_look: bool = setting(
        True, "end with the matched filter of the labels, or with both together, where held-out labels say so"
    )
    neighbours: bool = setting(
        True, "rank picks also by how they lie to each other, if the labels show that particles keep to that"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "arithmetic of the network; auto takes bfloat16 where the processor has it"
    )
    device: str = setting("auto", "auto, cpu, cuda, cuda:N or mps")
    self_training_iterations: int = setting(
        0, "rounds of learning from confident picks of unlabelled ground; 0 is none", usual="2-5"
    )
    retrain_epochs: int = setting(6, "epochs of each such round", usual="10-50 with full networks")
    positive_threshold: float = setting(
        0.95, "score from which a pick teaches as a particle", usual="0.90-0.98"
    )
    # A picker taught by a few clicks answers 0.05 to 0.1 to the clearest background.
    negative_threshold: float = setting(
        0.1, "score up to which a pixel teaches as background", usual="0.02-0.10"
    )
    seed: int = setting(42, "seed of every random choice")

    def __post_init__(self) -> None:
        """Refuse values no training can use."""
        for name in (
            *("initial_epochs", "retrain_epochs", "epoch_crops"),
            *("batch_size", "accumulation_steps", "patch_size"),
        ):
            if getattr(self, name) < 1:
                raise CryopickError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "gradient_clip", "target_radius"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise CryopickError(
                    f"the {name.replace('_', ' ')} must be above 0, not {getattr(self, name)}"
                )
        self._check_attention()
        if not 0 <= self.seed < 2**32:
            raise CryopickError(f"the seed must be from 0 to {2**32 - 1}, not {self.seed}")
        if min(self.patience, self.self_training_iterations) < 0 or not 0 <= self.weight_decay < math.inf:
            raise CryopickError("patience, self-training iterations and weight decay must be 0 or more")
        if not 0 <= self.negative_threshold < self.positive_threshold <= 1:
            raise CryopickError(
                "the negative threshold must lie below the positive threshold, both between 0 and 1, not "
                f"{self.negative_threshold} and {self.positive_threshold}"
            )
        if not 0 < self.held_out < 1:
            raise CryopickError(f"the held-out part must lie between 0 and 1, not {self.held_out}")
        if self.precision not in ("auto", "float32", "bfloat16", "float16"):
            raise CryopickError(f"no such precision: {self.precision!r}")

    def _check_attention(self) -> None:
        """Refuse losses and rates of the gates that cannot be."""
        if self.loss not in ("bce", "focal-dice"):
            raise CryopickError(f"no such loss: {self.loss!r}")
        if not 0 <= self.attention_supervision < math.inf:
            raise CryopickError(
                f"the attention supervision must be 0 or more, not {self.attention_supervision}"
            )
        if self.gate_learning_rate is not None and not 0 < self.gate_learning_rate < math.inf:
            raise CryopickError(f"the gate learning rate must be above 0, not {self.gate_learning_rate}")


@dataclass(frozen=True)
class ParticleSize:
    """A particle's longest side, as the user gave it: in Å or in pixels.

    Attributes
    ----------
    diameter : float
    in_angstrom : bool
        Otherwise in px of the micrograph.
    """

    diameter: float
    in_angstrom: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be a diameter."""
        if not (math.isfinite(self.diameter) and self.diameter > 0):
            raise CryopickError(f"the particle's diameter must be above 0, not {self.diameter:g}")

    def in_pixels(self, spacing: float | None) -> float:
        """Diameter in px at a pixel size (Å/px).

        Raises
        ------
        CryopickError
            If it was given in Å and the pixel size is unknown.
        """
        if not self.in_angstrom:
            return self.diameter
        if spacing is not None and not (math.isfinite(spacing) and spacing > 0):
            raise CryopickError(f"the pixel size must be above 0, not {spacing:g} Å/px: correct --spacing")
        if spacing is None:
            raise CryopickError(
                "a diameter in Å needs the pixel size, which the micrographs do not say: "
                "give --spacing, or the size in pixels by --particle-radius"
            )
        return self.diameter / spacing


@dataclass(frozen=True)
class Preset:
    """An architecture and a schedule that go together."""

    about: str
    picker: dict[str, Any]
    training: dict[str, Any]


PRESETS = {
    "small": Preset("8 features (16 for faint particles), depth 3; the default without a GPU", {}, {}),
    "medium": Preset("16 features, depth 4", {"base_features": 16, "depth": 4}, {"learning_rate": 2e-3}),
    "full": Preset(
        "64 features, depth 4; the default on a CUDA card",
        {"base_features": 64, "depth": 4},
        {"learning_rate": 1e-3, "batch_size": 16, "epoch_crops": 320},
    ),
    "reference": Preset(
        "64 features, depth 4, the file's own pixels, radius 42 px, 100 epochs of batch 128",
        {
            "base_features": 64,
            "depth": 4,
            "network_diameter": None,
            "diameter": 84.0,
            "filter_channel": False,
        },
        {
            "initial_epochs": 100,
            "retrain_epochs": 30,
            "negative_threshold": 0.05,
            "first_look": False,
            "neighbours": False,
            "from_scratch": True,
            "epoch_crops": 1280,
            "batch_size": 128,
            "patch_size": 128,
            "learning_rate": 1e-3,
            "target_radius": 1.0,
        },
    ),
}


# How the general model's network is built: what a training starts from must be the same.
GENERAL: dict[str, Any] = {
    "network_diameter": 13.5,
    "base_features": 16,
    "depth": 3,
    "gate": "additive",
    "spatial_attention": False,
    "filter_channel": True,
}

# A few clicks are soon learned by heart: less of everything does better.
CLICKS_TRAINING = {"learning_rate": 1e-3, "initial_epochs": 5}


def training_config(preset: str, only_clicks: bool, own: Mapping[str, Any]) -> TrainingConfig:
    """Put together how a model is made.

    Parameters
    ----------
    preset : str
    only_clicks : bool
        No field is fully labelled anywhere; the small and the medium preset then train less.
    own : mapping
        What the user wants otherwise.
    """
    few = CLICKS_TRAINING if only_clicks and preset in ("small", "medium") else {}
    return TrainingConfig(**{**PRESETS[preset].training, **few, **own})


Config = TypeVar("Config", PickerConfig, TrainingConfig)


def config_from(kind: type[Config], values: object, source: str) -> Config:
    """Make a configuration of untrusted values, as a file's header holds them.

    Raises
    ------
    CryopickError
        If a name is unknown or a value cannot be; names ``source``.
    """
    if not isinstance(values, dict):
        raise CryopickError(f"{source} holds no configuration: it is not a cryopick file, or damaged")
    known = {field.name: field for field in dataclasses.fields(kind)}
    for name, value in values.items():
        if name not in known:
            raise CryopickError(f"{source} has an unknown setting {name!r}: upgrade cryopick-napari")
        if not _fits(value, str(known[name].type)):
            raise CryopickError(f"{source}: {name} cannot be {value!r}")
    try:
        return kind(**{name: _frozen(value) for name, value in values.items()})
    except CryopickError as error:
        raise CryopickError(f"{source}: {error}") from error


def _frozen(value: Any) -> Any:
    """Make a tuple of a list, which is what a file has instead."""
    return tuple(value) if isinstance(value, list) else value


def _fits(value: object, annotation: str) -> bool:
    """Whether a value is of the annotated type; a whole number will do for a float."""
    if value is None or isinstance(value, bool):
        return ("None" if value is None else "bool") in annotation
    if annotation.startswith("tuple"):
        return isinstance(value, list) and all(type(each) in (int, float) for each in value)
    if annotation.startswith("float"):
        return isinstance(value, int | float)
    return isinstance(value, int if annotation == "int" else str) and annotation != "bool"
