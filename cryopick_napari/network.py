"""U-Net and Attention U-Net.

The U-Net is that of Ronneberger et al. (2015, MICCAI, 234-241) with batch normalisation; its
additive attention gates are those of Oktay et al. (2018, arXiv:1804.03999), its spatial attention is
that of Woo et al. (2018, arXiv:1807.06521).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cryopick_napari.template import matched_filter


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each followed by batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class AttentionGate(nn.Module):
    """Weigh a skip connection by what the decoder is looking for.

    ``alpha = sigmoid(psi^T relu(W_x x + W_g g + b) + b_psi)`` (Oktay et al. 2018, eq. 1).
    """

    def __init__(self, gating: int, skip: int, inner: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(gating, inner, 1), nn.BatchNorm2d(inner))
        self.W_x = nn.Sequential(nn.Conv2d(skip, inner, 1), nn.BatchNorm2d(inner))
        self.psi = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """Return alpha, (b, 1, h, w) in [0, 1], for the gating signal and the skip of one level."""
        alpha: Tensor = self.psi(self.W_g(g).add_(self.W_x(x)).relu_())
        return alpha


class MultiHeadGate(nn.Module):
    """Several additive gates side by side, each with weights of its own.

    They start from different weights, so that each may look for something else.
    """

    def __init__(self, gating: int, skip: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(AttentionGate(gating, skip, inner) for _ in range(heads))

    def forward(self, g: Tensor, x: Tensor) -> Tensor:
        """Return one alpha a head, (b, heads, h, w) in [0, 1]."""
        return torch.cat([head(g, x) for head in self.heads], dim=1)


class SpatialAttention(nn.Module):
    """Weigh each place by the strongest and the mean feature around it.

    ``beta = sigmoid(f([max_c x, mean_c x]))`` with a 7 x 7 convolution f (Woo et al. 2018, eq. 3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """Return beta, (b, 1, h, w) in [0, 1], for the features (b, c, h, w)."""
        pooled = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(pooled))


class UNet(nn.Module):
    """Encoder and decoder joined by skip connections.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    base_features : int
        Features of the first level; each further level doubles them.
    depth : int
        Levels above the bottleneck.

    Notes
    -----
    Any image size will do: sides that 2**depth does not divide are padded by reflection inside
    and cropped back.
    """

    def __init__(
        self, in_channels: int = 1, out_channels: int = 1, base_features: int = 64, depth: int = 4
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.depth = depth
        widths = [base_features * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            double_convolution(before, after)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[:-1])
        self.decoder = nn.ModuleList(double_convolution(2 * width, width) for width in widths[:-1])
        self.head = nn.Conv2d(base_features, out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (b, out_channels, h, w) of an image (b, in_channels, h, w)."""
        return self.with_attention(image)[0]

    def with_attention(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits together with the attention maps that made them.

        Parameters
        ----------
        image : (b, in_channels, h, w) tensor
            Of any size.

        Returns
        -------
        logits : (b, out_channels, h, w) tensor
        maps : dict
            ``att1`` at full resolution, ``att2`` at half, and so on; empty without attention.
        """
        height, width = image.shape[-2:]
        x = _padded(image, 2**self.depth)
        skips = []
        for level in range(self.depth):
            x = self.encoder[level](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.encoder[self.depth](x)
        maps: dict[str, Tensor] = {}
        for level in reversed(range(self.depth)):
            x = self.up[level](x)
            joined, alpha = self._joined(level, x, skips.pop())
            if alpha is not None:
                maps[f"att{level + 1}"] = _cropped(alpha, height, width, 2**level)
            x = self.decoder[level](joined)
        return _cropped(self._logits(x), height, width, 1), dict(sorted(maps.items()))

    def attention_parameters(self) -> Iterator[nn.Parameter]:
        """Go through the parameters of what weighs the skips; a plain U-Net has none."""
        return iter(())

    def _logits(self, features: Tensor) -> Tensor:
        """Answer in full precision: rounded logits would make plateaus of the peaks."""
        with torch.autocast(features.device.type, enabled=False):
            logits: Tensor = self.head(features.float())
        return logits

    def _joined(self, level: int, gating: Tensor, skip: Tensor) -> tuple[Tensor, Tensor | None]:
        """Join a level's skip to what comes from below; also return the maps that the skip was weighed by."""
        return torch.cat([skip, gating], dim=1), None


class AttentionUNet(UNet):
    """U-Net whose every skip connection passes attention gates.

    With its defaults (1 channel in, 1 out, 64 features, depth 4) it has 31,393,901 parameters,
    1.1 % more than the plain U-Net.

    Parameters
    ----------
    in_channels, out_channels, base_features, depth : int
        As in `UNet`.
    gate : str
        ``additive``: one gate a skip; ``multihead``: several, see the notes; ``none``: no gate.
    heads : int
        Of each multi-head gate.
    spatial_attention : bool
        Whether each skip also passes spatial attention, see the notes.

    Notes
    -----
    The skip x of a level is multiplied by one map, or by one a head. A map is the gate's
    ``alpha(x, g)``, times ``beta(x)`` if there is spatial attention: that looks at the skip as the
    encoder made it, beside the gate rather than after it, so that their product is all that weighs
    the skip. With several heads, a 1 x 1 convolution combines the differently weighed skips:
    ``x_att = f([alpha_1 x, ..., alpha_n x])``.

    Examples
    --------
    >>> import torch
    >>> network = AttentionUNet(base_features=8, depth=3).eval()
    >>> maps = network.get_attention_maps(torch.randn(1, 1, 50, 70))
    >>> {name: tuple(alpha.shape) for name, alpha in maps.items()}
    {'att1': (1, 1, 50, 70), 'att2': (1, 1, 25, 35), 'att3': (1, 1, 13, 18)}
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        base_features: int = 64,
        depth: int = 4,
        gate: str = "additive",
        heads: int = 4,
        spatial_attention: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, base_features, depth)
        widths = [base_features * 2**level for level in range(depth)]
        self.gates = nn.ModuleList(_gate(gate, width, heads) for width in widths if gate != "none")
        self.spatial = nn.ModuleList(SpatialAttention() for _ in widths if spatial_attention)
        self.combine = nn.ModuleList(
            nn.Conv2d(heads * width, width, 1) for width in widths if gate == "multihead"
        )

    def get_attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Return the maps in [0, 1] that the forward pass multiplies its skips by.

        Parameters
        ----------
        image : (b, in_channels, h, w) tensor
            Of any size.

        Returns
        -------
        dict
            ``att1`` (b, 1, h, w), ``att2`` (b, 1, h/2, w/2), ... ``att{depth}``; odd sides round up.
            A multi-head gate has a channel a head: (b, heads, h, w), ...
        """
        return self.with_attention(image)[1]

    def attention_parameters(self) -> Iterator[nn.Parameter]:
        """Go through the parameters of gates, spatial attention, and what combines heads."""
        return itertools.chain.from_iterable(
            part.parameters() for part in (self.gates, self.spatial, self.combine)
        )

    def _joined(self, level: int, gating: Tensor, skip: Tensor) -> tuple[Tensor, Tensor | None]:
        maps = self._maps(level, gating, skip)
        if maps is None:
            return super()._joined(level, gating, skip)
        if self.combine:
            weighed = torch.cat([alpha * skip for alpha in torch.split(maps, 1, dim=1)], dim=1)
            return torch.cat([self.combine[level](weighed), gating], dim=1), maps
        if torch.is_grad_enabled():
            return torch.cat([maps * skip, gating], dim=1), maps
        # To pick, the skip is weighed where it has been copied to anyway.
        joined = torch.cat([skip, gating], dim=1)
        joined[:, : skip.shape[1]] *= maps
        return joined, maps

    def _maps(self, level: int, gating: Tensor, skip: Tensor) -> Tensor | None:
        """Make what the skip of a level is multiplied by: one map, or one a head."""
        alpha: Tensor | None = self.gates[level](gating, skip) if self.gates else None
        if not self.spatial:
            return alpha
        beta: Tensor = self.spatial[level](skip)
        return beta if alpha is None else alpha * beta


class PickingNetwork(nn.Module):
    """A U-Net, and the matched filter of the average particle as its second input channel.

    Parameters
    ----------
    unet : UNet or None
        With one input channel, or two if there is a filter. None: the filter's response is the answer.
    kernel_side : int
        Side of the filter's template, px (odd); 0 for no filter.
    blends : bool
        Add the filter's response to the U-Net's answer, each by its weight.
    finer_side : int
        Side of the template of a filter of its own for that, which sees the image as it is while the U-Net
        sees it smaller; 0 for none.
    zoom : float
        Px of the U-Net for one px of the image, then.
    """

    kernel: Tensor
    gain: Tensor
    finer: Tensor
    contrast: Tensor  # by which a smaller image is as noisy as the U-Net is used to
    weights: Tensor  # of the U-Net's logits and of the filter's response, and a constant

    def __init__(
        self,
        unet: UNet | None,
        kernel_side: int = 0,
        blends: bool = False,
        finer_side: int = 0,
        zoom: float = 1.0,
    ) -> None:
        super().__init__()
        self.unet = unet
        self.zoom = zoom if finer_side else 1.0
        self.register_buffer("kernel", torch.zeros(kernel_side, kernel_side))
        self.register_buffer("gain", torch.ones(()))
        self.blends = blends or unet is None
        if self.blends:
            self.register_buffer("weights", torch.tensor([1.0, 1.0, 0.0]))
        if finer_side:
            self.register_buffer("finer", torch.zeros(finer_side, finer_side))
            self.register_buffer("contrast", torch.ones(()))

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (b, 1, h, w) of an image (b, 1, h, w)."""
        if self.unet is None:
            return self._blended(image, None)
        return self._blended(image, self.unet(self.with_filter(self.smaller(image))))

    def smaller(self, image: Tensor) -> Tensor:
        """Bring an image (b, 1, h, w) to the U-Net's scale, if that is another."""
        if self.zoom == 1:
            return image
        size = [max(1, round(side * self.zoom)) for side in image.shape[-2:]]
        return F.interpolate(image.float(), size, mode="bilinear", antialias=True) * self.contrast

    def _blended(self, image: Tensor, logits: Tensor | None) -> Tensor:
        """Add the filter's response to the U-Net's logits, if that is wanted."""
        if not self.blends:
            assert logits is not None
            return logits
        response = self.filtered(image) if self.zoom == 1 else matched_filter(image, self.finer)
        answer = response * self.weights[1] + self.weights[2]
        if logits is None:
            return answer
        if self.zoom != 1:
            logits = F.interpolate(logits.float(), image.shape[-2:], mode="bilinear")
        return answer + logits * self.weights[0]

    def take_template(self, kernel: Tensor, image: Tensor) -> None:
        """Filter with a template (k, k) from now on; responses have unit variance on an image (h, w)."""
        self.kernel.copy_(kernel)
        self.gain.copy_(1 / matched_filter(image[None, None], self.kernel).std().clamp(min=1e-3))

    def filtered(self, image: Tensor) -> Tensor:
        """Return the filter's response to images (b, 1, h, w), scaled to unit variance."""
        return matched_filter(image, self.kernel) * self.gain

    def with_attention(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits of an image (b, 1, h, w) together with the attention maps that made them."""
        if self.unet is None:
            return self(image), {}
        seen = self.smaller(image)
        logits, maps = self.unet.with_attention(self.with_filter(seen))
        if self.zoom != 1:
            maps = {
                name: _enlarged(alpha, seen, image, 2**level)
                for level, (name, alpha) in enumerate(maps.items())
            }
        return self._blended(image, logits), maps

    def get_attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Return the attention maps of an image (b, 1, h, w), one a level; none without gates."""
        return self.with_attention(image)[1]

    def with_filter(self, image: Tensor) -> Tensor:
        """Append the filter's response as a channel, for a U-Net that has a second one."""
        if self.unet is None or self.unet.in_channels == 1:
            return image
        return torch.cat([image, self.filtered(image)], dim=1)


def mean_over_heads(maps: Tensor) -> Tensor:
    """Average the maps (b, heads, h, w) of a level to the one (b, 1, h, w) that is shown and supervised."""
    return maps.mean(dim=1, keepdim=True)


def parameter_count(network: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _gate(kind: str, width: int, heads: int) -> nn.Module:
    """Make the gate of a level; its inner width is half of the skip's."""
    inner = max(1, width // 2)
    if kind == "multihead":
        return MultiHeadGate(width, width, inner, heads)
    return AttentionGate(width, width, inner)


def _padded(image: Tensor, multiple: int) -> Tensor:
    """Extend bottom and right to a multiple; by reflection where the image is large enough for it."""
    height, width = image.shape[-2:]
    down, right = -height % multiple, -width % multiple
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, down), mode=mode) if down or right else image


def _enlarged(plane: Tensor, seen: Tensor, image: Tensor, stride: int) -> Tensor:
    """Stretch a level's map of a smaller image to that of the level over the image itself."""
    scale = [large / small for large, small in zip(image.shape[-2:], seen.shape[-2:], strict=True)]
    height, width = image.shape[-2:]
    large = F.interpolate(plane, scale_factor=scale, mode="bilinear")
    large = F.pad(large, (0, 1, 0, 1), mode="replicate")  # sides are rounded down
    return _cropped(large, height, width, stride)


def _cropped(image: Tensor, height: int, width: int, stride: int) -> Tensor:
    """Cut back to the part of a level that lies over the unpadded image."""
    return image[..., : -(-height // stride), : -(-width // stride)]
