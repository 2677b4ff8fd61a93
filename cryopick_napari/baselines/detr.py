"""DETR (Carion et al. 2020, arXiv:2005.12872): a transformer that answers with a set of boxes.

Three things are not as in the paper, without which it stays near chance for as long as a
laptop's user will wait. Nothing is pretrained here, so the ResNet learns with its batch norms, and while it
learns, a layer that is thrown away asks it which cells hold a particle. And two more channels say
where a pixel lies: the paper's network has to find that out from its padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cryopick_napari.baselines import transformers

CHANNELS = 3  # grey value, row and column
FOUND = 5.0  # weight of a cell that holds a particle
PLACE = 5.0  # weight of its place, as of a box's


@dataclass(frozen=True)
class DetrSize:
    """How large the network is.

    Attributes
    ----------
    depths, widths : tuple of int
        Blocks and features of each stage of the ResNet.
    kind : str
        Of its blocks: ``basic`` or ``bottleneck``.
    width, inner, layers : int
        Features of the transformer, those between its layers, and its layers each way.
    queries : int
        Most particles in a crop.
    magnified : int
        How much a crop is enlarged first.
    rate : float
        Peak learning rate.
    """

    depths: tuple[int, ...] = (1, 1)
    widths: tuple[int, ...] = (32, 64)
    kind: str = "basic"
    width: int = 64
    inner: int = 256
    layers: int = 2
    queries: int = 12
    magnified: int = 1
    rate: float = 1e-3


# A cell of the ResNet is 8 network px in both: there 32 of a crop that is enlarged four times.
PUBLISHED = DetrSize((3, 4, 6, 3), (256, 512, 1024, 2048), "bottleneck", 256, 2048, 6, 100, 4, 1e-4)
SIZES = {
    "small": DetrSize(),
    "medium": DetrSize((2, 2), (64, 128), width=128, inner=512, layers=3, rate=5e-4),
    "full": PUBLISHED,
    "reference": PUBLISHED,
}


def make_detr(size: DetrSize) -> nn.Module:
    """Build the network with fresh weights; nothing is downloaded.

    The library freezes the ResNet and its batch norms, as fits one that was pretrained on
    photographs: an ordinary one takes its place.
    """
    library = transformers()
    resnet = library.ResNetConfig(
        num_channels=CHANNELS,
        embedding_size=size.widths[0] if size.kind == "basic" else 64,
        depths=list(size.depths),
        hidden_sizes=list(size.widths),
        layer_type=size.kind,
        out_features=[f"stage{len(size.depths)}"],
    )
    config = library.DetrConfig(
        backbone_config=resnet,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        num_channels=CHANNELS,
        num_labels=1,
        num_queries=size.queries,
        d_model=size.width,
        encoder_layers=size.layers,
        decoder_layers=size.layers,
        encoder_ffn_dim=size.inner,
        decoder_ffn_dim=size.inner,
        dropout=0.0,
        auxiliary_loss=True,
    )
    network: Any = library.DetrForObjectDetection(config)
    network.model.backbone.model = library.ResNetBackbone(resnet)
    initialise(network)
    made: nn.Module = network.requires_grad_(True)
    return made


def initialise(network: nn.Module) -> None:
    """Give the transformer the initial weights of the paper's code.

    The library's own are several times smaller, meant to be overwritten by trained ones: all
    queries would begin alike, and stay so for thousands of steps.
    """
    model: Any = network
    for part in (model.model.encoder, model.model.decoder):
        for weights in part.parameters():
            if weights.dim() > 1:
                nn.init.xavier_uniform_(weights)
    nn.init.normal_(model.model.query_position_embeddings.weight)
    for layer in (model.model.input_projection, model.class_labels_classifier, *model.bbox_predictor.layers):
        layer.reset_parameters()


def with_places(crops: Tensor, magnified: int) -> Tensor:
    """Enlarge crops (n, 1, s, s) and add the row and the column of each pixel, -1 to 1: (n, 3, ...)."""
    if magnified > 1:
        crops = F.interpolate(crops, scale_factor=magnified, mode="bilinear", align_corners=False)
    side = crops.shape[-1]
    line = (torch.arange(side, device=crops.device) + 0.5) * 2 / side - 1
    rows, columns = line[:, None].expand(side, side), line.expand(side, side)
    return torch.cat([crops, rows.expand_as(crops), columns.expand_as(crops)], dim=1)


def grid_loss(answer: Tensor, boxes: list[Tensor]) -> Tensor:
    """Ask each cell of the ResNet whether a particle's centre lies in it, and where in the crop.

    Parameters
    ----------
    answer : (n, 3, r, r) tensor
        A logit, and the centre's column and row before a sigmoid.
    boxes : list of (k, 4) tensor
        Of each crop, as fractions of it.
    """
    target = torch.zeros_like(answer)
    side = answer.shape[-1]
    for crop, known in zip(target, boxes, strict=True):
        centres = known[:, :2]
        columns, rows = (centres * side).long().clamp(0, side - 1).T
        crop[0, rows, columns] = 1.0
        crop[1:, rows, columns] = centres.T
    held = target[:, :1]
    found = F.binary_cross_entropy_with_logits(answer[:, :1], held, pos_weight=answer.new_tensor(FOUND))
    beside = ((answer[:, 1:].sigmoid() - target[:, 1:]).abs() * held).sum() / held.sum().clamp(min=1)
    return found + PLACE * beside
