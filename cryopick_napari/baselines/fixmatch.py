"""ResNet FixMatch (Sohn et al. 2020, arXiv:2001.07685): unlabelled patches teach a classifier, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cryopick_napari.baselines import transformers
from cryopick_napari.baselines.descent import fit
from cryopick_napari.baselines.method import Budget, Fit
from cryopick_napari.baselines.patches import PARTICLE, kinds_of, labelled_patches, unlabelled_patches
from cryopick_napari.baselines.views import strong, weak
from cryopick_napari.baselines.windows import patch_side, slide
from cryopick_napari.config import PickerConfig, TrainingConfig
from cryopick_napari.devices import autocast
from cryopick_napari.fields import Field
from cryopick_napari.labels import Example
from cryopick_napari.peaks import LEAST_SCORE, find_peaks
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled

CONFIDENCE = 0.95  # probability from which an answer to a weak view teaches the strong one
UNLABELLED_WEIGHT = 1.0  # of their loss against that of labelled patches
BATCH = 16  # labelled patches a step, half of them particles
RATIO = 3  # unlabelled patches for each: 7 in the paper, which has days on accelerators
RATE, MOMENTUM, DECAY = 0.03, 0.9, 5e-4  # of stochastic gradient descent, as in the paper
PATCH = 1.6  # side of a patch, in diameters
STEP = 0.3  # distance of the places that are looked at, in diameters
HELD = 256  # held-out patches that a network is measured on


def make_resnet() -> nn.Module:
    """Build ResNet-18 for one grey channel and two answers, with fresh weights."""
    library = transformers()
    config = library.ResNetConfig(
        num_channels=1,
        embedding_size=64,
        depths=[2, 2, 2, 2],
        hidden_sizes=[64, 128, 256, 512],
        layer_type="basic",
        num_labels=2,
    )
    network: nn.Module = library.ResNetForImageClassification(config)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def fixmatch_loss(
    labelled: Tensor, classes: Tensor, weak_view: Tensor, strong_view: Tensor, confidence: float = CONFIDENCE
) -> tuple[Tensor, Tensor]:
    """Compute the two losses of FixMatch from logits.

    Parameters
    ----------
    labelled : (b, 2) tensor
        Logits of labelled patches.
    classes : (b,) int tensor
        What they are.
    weak_view, strong_view : (n, 2) tensors
        Logits of two views of the same unlabelled patches. The first teaches and gets no gradient.
    confidence : float
        Probability that an answer to the weak view must reach to teach.

    Returns
    -------
    supervised : () tensor
        Mean cross entropy of the labelled patches.
    unsupervised : () tensor
        Cross entropy of the strong views against the likelier answer to the weak ones, summed over
        those that are confident and divided by the number of all (equation 4 of the paper).
    """
    supervised = F.cross_entropy(labelled, classes)
    likely, pseudo = weak_view.detach().softmax(1).max(1)
    each = F.cross_entropy(strong_view, pseudo, reduction="none")
    return supervised, (each * (likely >= confidence)).mean()


class FixMatchTask:
    """What a ResNet descends on, and what it sees.

    Parameters
    ----------
    fields : sequence of Field
    seed : int
        Of the weights and of every random choice.
    """

    def __init__(self, fields: Sequence[Field], seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.size = patch_side(fields[0].diameter, PATCH)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = make_resnet().to(fields[0].scaled.image.device)
        self.kinds = kinds_of(fields, "learned")
        held = kinds_of(fields, "tested")
        self.held = labelled_patches(held, HELD, self.size, self.generator) if held else None

    def optimiser(self) -> torch.optim.Optimizer:
        """Make the paper's: gradient descent with Nesterov's momentum."""
        weights = self.network.parameters()
        return torch.optim.SGD(weights, RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True)

    def loss(self) -> Tensor:
        """Compute the loss of the next batch."""
        patches, classes = labelled_patches(self.kinds, BATCH, self.size, self.generator)
        views = unlabelled_patches(self.kinds, RATIO * BATCH, self.size, self.generator)
        with torch.no_grad():
            weak_view = self._logits(weak(views, self.generator))
        learned = torch.cat([weak(patches, self.generator), strong(views, self.generator)])
        labelled, strong_view = torch.split(self._logits(learned), [len(patches), len(views)])
        supervised, unsupervised = fixmatch_loss(labelled, classes, weak_view, strong_view)
        return supervised + UNLABELLED_WEIGHT * unsupervised

    @torch.inference_mode()
    def quality(self) -> float:
        """Measure minus the cross entropy of held-out patches."""
        if self.held is None:
            return 0.0
        patches, classes = self.held
        return -float(F.cross_entropy(self._logits(patches), classes))

    @torch.inference_mode()
    def see(self, scaled: Scaled, apart: float) -> tuple[NDArray[np.float32], Picks]:
        """Move over a field; the picks are the peaks."""
        step = max(1, round(STEP * scaled.diameter))
        seen = slide(
            scaled.image, self.size, step, lambda patches: self._logits(patches).softmax(1)[:, PARTICLE]
        )
        probability = (seen * scaled.valid).cpu().numpy()
        return probability, find_peaks(probability, apart, LEAST_SCORE)

    def _logits(self, patches: Tensor) -> Tensor:
        network: Any = self.network
        with autocast(patches.device, "auto"):
            logits: Tensor = network(patches).logits
        return logits.float()


@dataclass(frozen=True)
class FixMatch:
    """ResNet FixMatch as a method; the picker's settings say scale and polarity."""

    config: PickerConfig
    training: TrainingConfig

    def fit(self, examples: Sequence[Example], budget: Budget) -> Fit:
        """Learn; send True to stop, and the best so far is returned."""
        seed = self.training.seed
        return fit(lambda fields: FixMatchTask(fields, seed), self.config, self.training, examples, budget)
