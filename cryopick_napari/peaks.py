"""From a probability map to picks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label, maximum_filter
from scipy.spatial import cKDTree

from cryopick_napari.picks import Picks

LEAST_SCORE = 0.02  # peaks below this are never of interest, whatever the threshold


def find_peaks(
    probability: NDArray[np.float32], min_distance: float, threshold: float = 0.05, smoothing: float = 0.0
) -> Picks:
    """Find the local maxima of a map, to a fraction of a pixel; a flat top counts as one, at its centre.

    Parameters
    ----------
    probability : (h, w) float32
        A map of any size.
    min_distance : float
        Least distance between two picks, px; of two nearer ones the higher stays.
    threshold : float
        Least score.
    smoothing : float
        Sigma of a Gaussian applied first, px.

    Returns
    -------
    Picks
        In pixels of the map, best first; the score is the (smoothed) map at the peak.
    """
    smooth = gaussian_filter(probability, smoothing) if smoothing else probability
    tops = (smooth == maximum_filter(smooth, 3, mode="nearest")) & (smooth >= threshold)
    peaks = np.argwhere(tops)
    yx = peaks + _offsets(smooth, peaks)
    plateau = np.asarray(label(tops, np.ones((3, 3)))[0])[tops] - 1
    size = np.bincount(plateau)
    yx = np.stack([np.bincount(plateau, axis) / size for axis in yx.T], axis=-1)
    score = np.bincount(plateau, smooth[tops]) / size
    best = np.argsort(-score, kind="stable")
    keep = best[spaced(yx[best], min_distance)]
    return Picks.of(yx[keep], score[keep])


def highest_near(image: NDArray[np.float32], yx: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Find the highest value of an image (h, w) within ``radius`` px of each position (n, 2)."""
    reach = int(np.ceil(radius)) + 1
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    pixels = np.rint(yx).astype(int)[:, None] + offsets
    near = (((pixels - yx[:, None]) ** 2).sum(-1) <= radius**2) | (offsets == 0).all(-1)
    near &= ((pixels >= 0) & (pixels < image.shape)).all(-1)
    rows, columns = np.moveaxis(np.clip(pixels, 0, np.asarray(image.shape) - 1), -1, 0)
    highest: NDArray[np.float32] = np.where(near, image[rows, columns], -np.inf).max(axis=1)
    return highest


def spaced(yx: NDArray[np.float64], distance: float) -> NDArray[np.intp]:
    """Choose positions (n, 2), first come first served, none nearer than ``distance`` px to another."""
    keep = np.ones(len(yx), dtype=bool)
    if not len(yx) or distance <= 0:
        return np.flatnonzero(keep)
    pairs = cKDTree(yx).query_pairs(np.nextafter(distance, 0), output_type="ndarray")
    first, later = np.sort(pairs, axis=1).T
    while len(first):
        # Those that nothing earlier is near stay, whatever else is decided; they drive the later ones out.
        stays = np.ones(len(yx), dtype=bool)
        stays[later] = False
        keep[later[stays[first]]] = False
        left = keep[later] & keep[first]
        first, later = first[left], later[left]
    return np.flatnonzero(keep)


def _offsets(image: NDArray[np.float32], peaks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Fit a parabola through each peak and its neighbours, along each axis: (n, 2) in [-0.5, 0.5]."""
    padded = np.pad(image, 1, mode="reflect").astype(np.float64)
    y, x = peaks.T + 1
    middle = padded[y, x]
    offsets = []
    pairs = (
        (padded[y - 1, x], padded[y + 1, x]),
        (padded[y, x - 1], padded[y, x + 1]),
    )
    for before, after in pairs:
        curvature = 2 * middle - before - after
        slope = (after - before) / 2
        offsets.append(np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 1e-12))
    clipped: NDArray[np.float64] = np.clip(np.stack(offsets, axis=-1), -0.5, 0.5)
    return clipped
