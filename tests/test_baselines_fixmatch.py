"""ResNet FixMatch: its loss by hand, its places, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from methods import EXTRA, blobs, config_of, example, fitted, learns_above_chance

pytest.importorskip("transformers", reason=EXTRA)

from cryopick_napari.baselines import fixmatch
from cryopick_napari.baselines.fixmatch import FixMatch, fixmatch_loss, make_resnet
from cryopick_napari.baselines.patches import BACKGROUND, PARTICLE, kinds_of, labelled_patches
from cryopick_napari.config import TrainingConfig
from cryopick_napari.fields import labelled_fields
from cryopick_napari.labels import Example, Labels


def logit(probability: float) -> list[float]:
    """Two logits whose softmax gives the second class this probability."""
    return [0.0, math.log(probability / (1 - probability))]


def test_resnet_18_has_eleven_million_parameters():
    network = make_resnet()
    assert sum(weights.numel() for weights in network.parameters()) == 11_171_266
    assert network(torch.zeros(3, 1, 21, 21)).logits.shape == (3, 2)


def test_the_loss_of_labelled_patches_is_their_cross_entropy():
    labelled = torch.tensor([logit(0.8), logit(0.3)])
    nothing = torch.zeros(1, 2)
    supervised, unsupervised = fixmatch_loss(labelled, torch.tensor([PARTICLE, BACKGROUND]), nothing, nothing)
    assert float(supervised) == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2)
    assert float(unsupervised) == 0  # a half is no confidence


def test_only_confident_weak_views_teach_their_strong_ones():
    weak = torch.tensor([logit(0.97), logit(0.94), logit(0.02), logit(0.5)])
    strong = torch.tensor([logit(0.6), logit(0.1), logit(0.3), logit(0.9)])
    _, loss = fixmatch_loss(torch.zeros(1, 2), torch.tensor([0]), weak, strong, confidence=0.95)
    # The first teaches "particle", the third "background"; the mean is over all four.
    assert float(loss) == pytest.approx(-(math.log(0.6) + math.log(0.7)) / 4)


def test_the_weak_view_gets_no_gradient():
    weak = torch.tensor([logit(0.99)], requires_grad=True)
    strong = torch.tensor([logit(0.6)], requires_grad=True)
    _, loss = fixmatch_loss(torch.zeros(1, 2), torch.tensor([0]), weak, strong)
    loss.backward()
    assert weak.grad is None
    # d/dz of -log softmax(z)[1] is (p0, p1 - 1)
    np.testing.assert_allclose(strong.grad, [[0.4, -0.4]], rtol=1e-5)


@pytest.mark.parametrize("fully", [True, False])
def test_labelled_patches_are_of_both_kinds(fully):
    known = blobs(1)
    micrograph, truth = known.micrograph, known.labels.positives
    some = Example(micrograph, Labels(truth.where(np.arange(40))))
    (field,) = labelled_fields([known if fully else some], (), config_of(known), TrainingConfig())
    (kinds,) = kinds_of([field], "learned")
    assert field.learned[tuple(kinds.background.long().T)].all()
    distance = torch.cdist(kinds.background, torch.from_numpy(field.positives)).min()
    assert distance >= (0.5 if fully else 1.0) * field.diameter
    patches, classes = labelled_patches([kinds], 64, 21, torch.Generator().manual_seed(0))
    assert classes.tolist() == [PARTICLE] * 32 + [BACKGROUND] * 32
    middles = patches[:, 0, 9:12, 9:12].mean((1, 2))
    assert middles[classes == PARTICLE].mean() > middles[classes == BACKGROUND].mean() + 1


def test_it_learns_to_pick(monkeypatch):
    monkeypatch.setattr(fixmatch, "RATIO", 1)  # of unlabelled patches: a third of the time
    learned = fitted(FixMatch, example(0), steps=40)
    assert learned.fitted.parameters == 11_171_266
    learns_above_chance(learned, example(3))
