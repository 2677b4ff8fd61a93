"""Losses that leave out what nobody knows.

Each is a sum over pixels or crops divided by the weight of the whole batch, so that the losses of its
parts add up to that of the batch, however it was split.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from cryopick_napari.network import mean_over_heads

FOCUS = 2.0  # gamma of the focal loss: how little a pixel counts that is nearly right
FOCAL, DICE = 0.7, 0.3  # their parts in the combined loss
SMOOTH = 1.0  # px: makes the Dice coefficient of a crop without particles 1 if nothing is answered there
MARGIN = 1e-4  # keeps the logarithm of an attention of 0 or 1 within what float16 gradients can hold


def weighted_bce(logits: Tensor, target: Tensor, weight: Tensor, total_weight: Tensor) -> Tensor:
    """Binary cross entropy over the pixels' weights.

    Parameters
    ----------
    logits, target, weight : (b, 1, h, w) tensors
        A pixel of weight 0 has no say.
    total_weight : () tensor
        What to divide by: the weight of the whole batch, of which this may be a part.

    Returns
    -------
    () tensor
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * weight).sum() / total_weight


def weighted_focal(logits: Tensor, target: Tensor, weight: Tensor, total_weight: Tensor) -> Tensor:
    """Focal loss over the pixels' weights: cross entropy in which easy pixels hardly count.

    ``-(1 - p_t)^2 log(p_t)``, p_t being the probability given to what is true (Lin et al. 2017,
    arXiv:1708.02002, eq. 4). Parameters as in `weighted_bce`.
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    surprise = target * (1 - probability) + (1 - target) * probability  # 1 - p_t
    return (surprise**FOCUS * loss * weight).sum() / total_weight


def weighted_dice(logits: Tensor, target: Tensor, weight: Tensor, total_weight: Tensor) -> Tensor:
    """One minus the Dice coefficient of each crop, averaged over the crops' weights.

    ``D = 2 sum(p t) / (sum(p^2) + sum(t^2))`` (Milletari et al. 2016, arXiv:1606.04797, sec. 3), each
    sum over the pixels' weights, numerator and denominator 1 px larger. It is taken crop by crop: the
    Dice coefficient of a batch would depend on how many crops go through the network at once.
    Parameters as in `weighted_bce`.
    """
    probability = logits.sigmoid()
    both, answered, true = (
        (plane * weight).flatten(1).sum(dim=1) for plane in (probability * target, probability**2, target**2)
    )
    dice = (2 * both + SMOOTH) / (answered + true + SMOOTH)
    return ((1 - dice) * weight.flatten(1).sum(dim=1)).sum() / total_weight


def focal_dice(logits: Tensor, target: Tensor, weight: Tensor, total_weight: Tensor) -> Tensor:
    """0.7 of `weighted_focal` and 0.3 of `weighted_dice`; parameters as in `weighted_bce`."""
    focal = weighted_focal(logits, target, weight, total_weight)
    return FOCAL * focal + DICE * weighted_dice(logits, target, weight, total_weight)


LOSSES = {"bce": weighted_bce, "focal-dice": focal_dice}  # by TrainingConfig.loss


def attention_loss(
    maps: Mapping[str, Tensor], target: Tensor, weight: Tensor, total_weight: Tensor
) -> Tensor:
    """Cross entropy of the attention maps against the particles' discs, averaged over the levels.

    Parameters
    ----------
    maps : mapping
        ``att1`` (b, heads, h, w), ``att2`` (b, heads, h/2, w/2), ... in [0, 1], as the network
        returns them. The mean over the heads is pulled to the discs: each is free to look elsewhere.
    target, weight : (b, 1, h, w) tensors
        Of the network's answer. A pixel of a coarser level is to show the weighted mean of the target
        below it, and counts as much as the pixels below it together: those of weight 0 have no say.
    total_weight : () tensor
        As in `weighted_bce`.

    Returns
    -------
    () tensor
    """
    levels = []
    for level, alpha in enumerate(maps.values()):
        counted = _summed(weight, 2**level)
        wanted = _summed(weight * target, 2**level) / counted.clamp(min=1e-12)
        shown = MARGIN + (1 - 2 * MARGIN) * mean_over_heads(alpha.float())
        loss = F.binary_cross_entropy(shown, wanted.clamp(0, 1), reduction="none")
        levels.append((loss * counted).sum() / total_weight)
    return sum(levels[1:], levels[0]) / len(levels)


def _summed(plane: Tensor, side: int) -> Tensor:
    """Add up the pixels below each pixel of a coarser level; those at odd edges have fewer."""
    return F.avg_pool2d(plane, side, ceil_mode=True, divisor_override=1)
