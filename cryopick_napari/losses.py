"""Losses that leave out what nobody knows."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


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
