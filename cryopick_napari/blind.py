"""The average particle, guessed from a field on which nobody has clicked.

Noise is as often above its mean as below. A matched filter turns particles into bright spots, and the better
its template resembles them, the more lopsided is the picture it makes: the template of the highest skewness
is the one that fits (projection pursuit; Friedman and Tukey 1974, IEEE Trans. Comput. C-23, 881). On faint
fields this finds a template where single particles are too weak to be recognised and averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_napari.config import PickerConfig
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.rescale import Scaled, seen
from cryopick_napari.template import BINS, REACH, kernel_of, matched_filter

Profile = NDArray[np.float64]

RADII = 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55  # of a ball, in the diameters of the particle, its longest side
HOLES = 0.0, 0.5, 0.7  # radius of a hole in its middle, as a fraction of the ball's
HALOES = 0.0, 0.3, 0.6  # depth of the dark ring that defocus makes around it ...
HALO_AT, HALO_WIDTH = 0.1, 0.08  # ... beyond its edge; diameters
FARTHEST = 4.0  # standard deviations; what is farther out is gold or ice, and must not decide
AT_ONCE = 16  # templates, which bounds the memory
NOISE = 0.06  # skewness that chance does not reach
LIKENESS = 0.85  # correlation of a guess with the average particle


@cache
def ball_profiles() -> Profile:
    """List the projections of full and hollow balls as a microscope shows them.

    Returns
    -------
    (63, 32) float64
        Grey values from the centre to 0.8 diameters, as `template.radial_profile` samples them.
    """
    r = (np.arange(BINS) + 0.5) / BINS * REACH
    return np.stack([_ball(r, *shape) for shape in product(RADII, HOLES, HALOES)])


def guessed_profile(micrographs: Sequence[Micrograph], config: PickerConfig) -> Profile:
    """Guess the profile (32,) of the particles of some micrographs: that of the highest mean skewness."""
    best: Profile = ball_profiles()[int(np.argmax(_mean_lopsidedness(micrographs, config)))]
    return best


def is_guess_sure(micrographs: Sequence[Micrograph], config: PickerConfig) -> bool:
    """Tell whether the guess is more than a whim of the noise."""
    return bool(_mean_lopsidedness(micrographs, config).max() > NOISE)


def lopsidedness(field: Scaled) -> NDArray[np.float64]:
    """Compute the skewness (63,) of a field filtered with each profile, on clean ground.

    It is 0 in noise, within about 0.05; particles of ordinary contrast reach 0.1 to 2.
    """
    image, ground = field.image[None, None], ~field.left_out
    profiles = torch.from_numpy(ball_profiles()).float().to(image.device)
    kernels = torch.stack([kernel_of(profile, field.diameter) for profile in profiles])
    if not ground.any():
        return np.zeros(len(kernels))
    parts = (kernels[start : start + AT_ONCE] for start in range(0, len(kernels), AT_ONCE))
    return np.concatenate(
        [_skewness(matched_filter(image, part)[0][:, ground]).cpu().numpy() for part in parts]
    )


def completed_profile(sums: Profile, variance: float, guess: Profile) -> Profile:
    """Complete the average of a few clicks by the guess, as far as its noise makes that necessary.

    Parameters
    ----------
    sums : (2, 32) float64
        Of all clicks, as `template.radial_profile` makes them.
    variance : float
        Of a pixel of a click.
    guess : (32,) float64

    Returns
    -------
    (32,) float64
        Mean of the normal distribution of profiles after the clicks are seen, if before it was the guess, in
        their contrast, give or take what guesses are usually wrong by, or what this one is.
    """
    pixels = np.maximum(sums[1], 1e-9)
    mean, guess = (_centred(profile, pixels) for profile in (sums[0] / pixels, guess))
    contrast = max(0.0, float((pixels * mean * guess).sum() / (pixels * guess**2).sum()))
    guess = contrast * guess
    noise = variance / pixels
    usual = (1 / LIKENESS**2 - 1) * float((pixels * guess**2).sum() / pixels.sum())
    seen_here = float((pixels * ((mean - guess) ** 2 - noise)).sum() / pixels.sum())
    wrong = max(usual, seen_here)
    if wrong <= 0:
        return mean
    profile: Profile = guess + wrong / (wrong + noise) * (mean - guess)
    return profile


# The last result for each micrograph that is still in use: every click asks for it again.
_KNOWN: WeakKeyDictionary[Micrograph, tuple[tuple[object, ...], NDArray[np.float64]]] = WeakKeyDictionary()


def _mean_lopsidedness(micrographs: Sequence[Micrograph], config: PickerConfig) -> NDArray[np.float64]:
    found: NDArray[np.float64]
    found = np.mean([_known_lopsidedness(micrograph, config) for micrograph in micrographs], axis=0)
    return found


def _known_lopsidedness(micrograph: Micrograph, config: PickerConfig) -> NDArray[np.float64]:
    asked = config.diameter_at(micrograph.spacing), config.seen_diameter, config.polarity
    known = _KNOWN.get(micrograph)
    if known is None or known[0] != asked:
        known = _KNOWN[micrograph] = asked, lopsidedness(seen(micrograph, config))
    return known[1]


def _centred(profile: Profile, pixels: Profile) -> Profile:
    centred: Profile = profile - (pixels * profile).sum() / pixels.sum()
    return centred


def _ball(r: Profile, radius: float, hole: float, halo: float) -> Profile:
    """Project a ball: the length of the way through it, at distances from its centre."""
    outer, inner = (np.sqrt(np.clip(edge**2 - r**2, 0, None)) for edge in (radius, hole * radius))
    through = outer - inner
    ring = np.exp(-(((r - radius - HALO_AT) / HALO_WIDTH) ** 2))
    profile: Profile = through / through.max() - halo * ring
    return profile


def _skewness(values: Tensor) -> Tensor:
    """Compute the skewness of each row of values (n, m), those far out drawn in."""
    centred = values - values.mean(dim=1, keepdim=True)
    reach = FARTHEST * centred.std(dim=1, keepdim=True)
    centred = centred.clamp(-reach, reach)
    centred = centred - centred.mean(dim=1, keepdim=True)
    squares = centred.square()
    return (squares * centred).mean(dim=1) / squares.mean(dim=1).clamp(min=1e-12) ** 1.5
