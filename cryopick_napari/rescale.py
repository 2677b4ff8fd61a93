"""From a micrograph to what the network sees, and the exact way back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.config import PickerConfig
from cryopick_napari.contamination import beside_dead, contamination, resampled
from cryopick_napari.micrograph import Micrograph

DEAD_ACTIVITY = 0.05  # fraction of the median grey-value step below which an area is dead (smeared, padded)
BACKGROUND_DIAMETERS = 2.0  # sigma of the background, in particle diameters
ROWS_AT_ONCE = 256  # of a large field: what is made of them stays in the processor's cache
SLIVER = 0.5  # particle diameters; no narrower strip of ground holds one that could be told
MOST_ENLARGED = 2.0  # times; a header that says nonsense of its pixels must not ask for all memory
NETWORK_SIDE = 512  # px: the field is cropped no further than to this side ...
NETWORK_DIAMETERS = 13.5, 20.0  # px: ... as long as a particle's diameter stays between these
CLIP = 6.0  # robust standard deviations: gold and ice must not dominate


@dataclass(frozen=True, eq=False)
class Scaled:
    """A micrograph at the network's scale.

    Attributes
    ----------
    image : (h, w) float32 tensor
        Flattened and in robust standard deviations; particles are bright. 0 in dead areas.
    live : (h, w) bool tensor
        False in dead areas, and in those that a mask of another program leaves out.
    dirt : pair of (h, w) bool tensors
        Contamination if dense matter is bright, as it is here, and if it is dark; and in both what is too
        near to a dead area for a whole particle.
    ratio : (float, float)
        Source pixels per scaled pixel, rows and columns, as they really came out.
    shape : (int, int)
        Rows and columns of the source, px.
    diameter : float
        Of a particle, scaled px.
    avoids : bool
        Whether contamination is no better than a dead area.
    """

    image: Tensor
    live: Tensor
    dirt: tuple[Tensor, Tensor]
    ratio: tuple[float, float]
    shape: tuple[int, int]
    diameter: float
    avoids: bool = False

    @property
    def valid(self) -> Tensor:
        """Where picks may lie (h, w)."""
        return ~self.left_out if self.avoids else self.live

    @property
    def left_out(self) -> Tensor:
        """Dead areas and contamination (h, w), whether the latter is avoided or not."""
        return ~self.live | self.dirt[0]

    def to_source(self, yx: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map positions (n, 2) in scaled pixels to pixels of the micrograph."""
        return np.asarray(yx * np.asarray(self.ratio), np.float32)

    def from_source(self, yx: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map positions (n, 2) in pixels of the micrograph to scaled pixels."""
        return np.asarray(yx / np.asarray(self.ratio), np.float32)

    def inverted(self) -> Scaled:
        """Swap dark and bright."""
        return replace(self, image=-self.image, dirt=self.dirt[::-1])

    def sparing(self, ground: NDArray[np.bool_]) -> Scaled:
        """Take an area (h, w) for clean, whatever it looks like."""
        clean = torch.from_numpy(~ground).to(self.live.device)
        return replace(self, dirt=(self.dirt[0] & clean, self.dirt[1] & clean))


def fourier_resize(image: Tensor, shape: tuple[int, int], live: Tensor | None = None) -> Tensor:
    """Resample an image by cropping or padding its spectrum.

    Pixel (0, 0) stays where it is, whatever the parity of the sides: pixel j of the result lies
    at ``j * source side / result side`` of the source.

    Parameters
    ----------
    image : (h, w) tensor
        Grey values.
    shape : (int, int)
        Rows and columns of the result.
    live : (h', w') bool tensor, optional
        At any scale: dead areas are taken to have the mean grey value of the others.

    Returns
    -------
    (rows, columns) tensor
        With the mean, and below the smaller Nyquist frequency the spectrum, of the source.
    """
    rows, columns = (min(old, new) for old, new in zip(image.shape, shape, strict=True))
    positive, negative, width = (rows + 1) // 2, (rows - 1) // 2, (columns + 1) // 2
    # The spectrum is cropped along the rows at once: most of the other transforms would be thrown away.
    along = [torch.fft.rfft(block, norm="forward")[:, :width].clone() for block in _filled(image, live)]
    source = torch.fft.fft(torch.cat(along), dim=0, norm="forward")
    spectrum = source.new_zeros(shape[0], shape[1] // 2 + 1)
    # The Nyquist row and column of an even side have no mirror image: they are left out.
    spectrum[:positive, :width] = source[:positive]
    if negative:
        spectrum[-negative:, :width] = source[-negative:]
    resized: Tensor = torch.fft.irfft2(spectrum, s=shape, norm="forward")
    return resized


# The last result for each micrograph that is still in use: every click asks for it again.
_KNOWN: WeakKeyDictionary[Micrograph, tuple[tuple[object, ...], Scaled]] = WeakKeyDictionary()


def seen(micrograph: Micrograph, config: PickerConfig, device: str | torch.device = "cpu") -> Scaled:
    """Bring a micrograph to a network's scale: particles bright, contamination avoided if it is to be."""
    diameter = config.diameter_at(micrograph.spacing)
    scaled = to_network_scale(micrograph, diameter, config.seen_diameter, device)
    scaled = scaled.inverted() if config.polarity == "dark" else scaled
    return replace(scaled, avoids=config.contamination_mask)


def network_diameter(diameter: float, shape: tuple[int, int]) -> float:
    """Choose how many network pixels a particle spans.

    Parameters
    ----------
    diameter : float
        Of a particle, px of the micrograph.
    shape : (int, int)
        Rows and columns of a micrograph.

    Returns
    -------
    float
        As many as a field of 512 x 512 network pixels has room for, between 13.5 and 20: small
        fields can be looked at more finely at the same cost.
    """
    low, high = NETWORK_DIAMETERS
    return min(high, max(low, diameter * NETWORK_SIDE / math.sqrt(shape[0] * shape[1])))


def to_network_scale(
    micrograph: Micrograph,
    diameter: float,
    network_diameter: float | None,
    device: str | torch.device = "cpu",
) -> Scaled:
    """Resample a micrograph by its spectrum and normalise it: a particle spans ``network_diameter`` pixels.

    Parameters
    ----------
    micrograph : Micrograph
        Of either contrast.
    diameter : float
        Particle diameter in px of the micrograph.
    network_diameter : float or None
        Particle diameter in px of the result; None keeps the file's own pixels. No micrograph is
        enlarged to more than twice its size.
    device : str or torch.device
        Where to compute.

    Returns
    -------
    Scaled
        With dark particles still dark, contamination found but not avoided. Its tensors are shared:
        never change them.
    """
    asked = (diameter, network_diameter, str(device))
    known = _KNOWN.get(micrograph)
    if known is None or known[0] != asked:
        known = _KNOWN[micrograph] = asked, _scaled(micrograph, diameter, network_diameter, device)
    return known[1]


def _scaled(
    micrograph: Micrograph, diameter: float, network_diameter: float | None, device: str | torch.device
) -> Scaled:
    factor = 1.0 if network_diameter is None else min(MOST_ENLARGED, network_diameter / diameter)
    height, width = micrograph.shape
    shape = max(1, round(height * factor)), max(1, round(width * factor))
    source = torch.from_numpy(micrograph.image).to(device)
    live = _opened(_active(source, shape), round(SLIVER * diameter * factor))
    if shape == micrograph.shape:
        small = torch.cat(list(_filled(source, live)))
    else:
        small = fourier_resize(source, shape, live)
    ratio = height / shape[0], width / shape[1]
    on_scale = diameter / float(np.mean(ratio))
    cut = beside_dead(live.cpu().numpy(), on_scale)
    if micrograph.mask is not None:
        live &= ~torch.from_numpy(resampled(micrograph.mask, micrograph.shape, shape)).to(device)
    sigma = BACKGROUND_DIAMETERS * diameter * factor
    image = normalised(small, live, sigma) if live.any() else torch.zeros_like(small)  # all masked
    bright, dark = contamination(small.cpu().numpy(), live.cpu().numpy(), diameter * factor)
    dirt = torch.from_numpy(bright | cut).to(device), torch.from_numpy(dark | cut).to(device)
    return Scaled(image, live, dirt, ratio, micrograph.shape, on_scale)


def normalised(image: Tensor, valid: Tensor, sigma: float) -> Tensor:
    """Flatten the background and divide by a robust standard deviation.

    Parameters
    ----------
    image : (h, w) float32 tensor
        Grey values.
    valid : (h, w) bool tensor
        Dead pixels have no say, and become 0.
    sigma : float
        Width of the background, px.

    Returns
    -------
    (h, w) float32 tensor
        In robust standard deviations (1.4826 MAD), clipped at 6.
    """
    centred = (image - median(image[valid])) * valid
    background = blurred(centred, sigma)
    if not valid.all():
        background = background / blurred(valid.to(image.dtype), sigma).clamp(min=1e-3)
    flat = centred - background
    inside = flat[valid]
    middle = median(inside)
    spread = 1.4826 * median((inside - middle).abs())
    return ((flat - middle) / spread.clamp(min=1e-12)).clamp(-CLIP, CLIP) * valid


def median(values: Tensor) -> Tensor:
    """Return the median, halfway between the middle two: negated values have the negated median."""
    return (values.median() - (-values).median()) / 2


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Blur an image (h, w) by a Gaussian of ``sigma`` px, reflecting at its edges."""
    radius = min(int(3 * sigma + 0.5), min(image.shape) - 1)
    if radius < 1:
        return image
    x = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image[None, None], (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, -1, 1))
    return F.conv2d(rows, kernel.view(1, 1, 1, -1))[0, 0]


def _active(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Find where grey values change along both axes: a padded, smeared or saturated area does not."""
    alive = torch.ones(shape, dtype=torch.bool, device=image.device)
    for axis in (0, 1):
        if image.shape[axis] == 1:
            continue
        pooled = _mean_steps(image, shape, axis)
        # A live pixel between quiet ones (or the reverse) is chance: decide over 5 x 5.
        smooth = F.avg_pool2d(pooled[None, None], 5, stride=1, padding=2, count_include_pad=False)[0, 0]
        alive &= smooth > DEAD_ACTIVITY * smooth[smooth > 0].median()
    # That reaches 2 px beyond the live area, and the pixel at its border holds a bit of both: off with them.
    dead = F.max_pool2d((~alive)[None].float(), (7, 1), stride=1, padding=(3, 0))
    alive = F.max_pool2d(dead, (1, 7), stride=1, padding=(0, 3))[0] == 0
    # Nothing alive (a drawing, a constant field let through) is better treated as all alive.
    return alive if alive.any() else torch.ones_like(alive)


def _opened(live: Tensor, width: int) -> Tensor:
    """Give up slivers of ground (h, w) narrower than ``width`` px, as between a padding and the edge."""
    if width < 2 or width > min(live.shape):
        return live
    reach = (width - 1, width - 1)
    # The ground beyond the field's edge counts as dead.
    narrow = F.max_pool2d(F.pad((~live)[None].float(), reach * 2, value=1.0), width, stride=1)
    opened = F.max_pool2d(1 - narrow, width, stride=1)[0] > 0
    return opened if opened.any() else live


def _mean_steps(image: Tensor, shape: tuple[int, int], axis: int) -> Tensor:
    """Average the steps between neighbours along an axis over the pixels of another scale."""
    # Two lines a pixel say enough.
    every = max(1, image.shape[1 - axis] // (2 * shape[1 - axis]))
    lines = image[:, ::every] if axis == 0 else image[::every]
    below = int(axis == 0)  # rows that a block needs of the next
    parts = []
    for start in range(0, lines.shape[0] - below, ROWS_AT_ONCE):
        steps = torch.diff(lines[start : start + ROWS_AT_ONCE + below], dim=axis).abs_()
        parts.append(F.adaptive_avg_pool1d(steps, shape[1]))
    return F.interpolate(torch.cat(parts)[None, None], size=shape, mode="area")[0, 0]


def _filled(image: Tensor, live: Tensor | None) -> Iterator[Tensor]:
    """Go through an image some rows at a time, its dead areas given the mean of the others.

    The edges of a padding would ring through the whole field.
    """
    blocks = torch.split(image, ROWS_AT_ONCE)
    if live is None or live.all():
        yield from blocks
        return
    rows, columns = (
        torch.arange(side, device=image.device) * small // side
        for side, small in zip(image.shape, live.shape, strict=True)
    )
    alive = live[:, columns]
    here = torch.split(rows, ROWS_AT_ONCE)  # the rows of ``live`` that those of a block lie on
    total = sum(
        float((block * alive[of]).sum(dtype=torch.float64)) for block, of in zip(blocks, here, strict=True)
    )
    mean = total / max(1, sum(int(alive[of].sum()) for of in here))
    for block, of in zip(blocks, here, strict=True):
        yield block.masked_fill(~alive[of], mean)
