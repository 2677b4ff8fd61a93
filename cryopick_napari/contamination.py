"""Where a field holds no particles worth picking: the carbon film, ice crystals, lumps of dirt.

It is looked for at a scale at which a particle spans 7 px, as two things that particles do not make, however
many or large they are:

- an edge: a step in brightness that goes on over several diameters. What lies on its denser side is left
  out, as far as edges and the field's border close it off;
- a lump: denser than its surroundings all over a disc that no particle fills.

How much is enough is told in robust standard deviations of the field itself.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_propagation, label, map_coordinates, maximum, median_filter

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

PARTICLE = 7.0  # px of a diameter where contamination is looked for
LEAST_FIELD = 4.0  # diameters; a smaller field has no surroundings to compare with
EDGE_LENGTH, EDGE_WIDTH = 2.0, 0.5  # sigmas of the filter for steps, along and across: diameters
DIRECTIONS = 12  # of that filter, over half a turn
CLIP = 4.0  # robust standard deviations: a bead of gold is no edge
EDGE, CLEAR_EDGE = 5.0, 10.0  # what the filter answers all along an edge, and somewhere on it
SIDE_LOBE = 0.4  # of the strongest answer within 2 diameters: what is weaker is an echo of it
LEAST_EDGE = 4.0  # diameters
ONE_SIDE = 0.5  # share of its edges, net, that an area must see from their denser side
LUMP = 1.25  # diameters of the disc that a lump fills
LUMP_DENSITY = 5.0  # over that disc
SURROUNDINGS = 14.0  # diameters
WHOLE = 0.3  # diameters from dead ground; nearer, a particle is cut
MARGIN = 0.5  # diameters around contamination: a pick there is of its edge


def contamination(image: Image, live: Mask, diameter: float) -> tuple[Mask, Mask]:
    """Find contamination in a field.

    Parameters
    ----------
    image : (h, w) float32
        Grey values at any scale; the background may be uneven.
    live : (h, w) bool
        False in dead areas, which have no say.
    diameter : float
        Of a particle, px.

    Returns
    -------
    bright, dark : (h, w) bool
        Contamination if dense matter, of particles too, is bright, and if it is dark. Both are empty in
        a field of less than 4 diameters.
    """
    shape = _scaled(image.shape, PARTICLE / diameter)
    alive = _resized(live.astype(np.float32), shape) > 0.99  # what touches dead ground is none of it
    none = np.zeros(live.shape, bool)
    if min(shape) < LEAST_FIELD * PARTICLE or not alive.any():
        return none, none
    small = _resized(np.where(live, image, np.median(image[live])).astype(np.float32), shape)
    small = _standardised(_filled(small, alive), alive)
    flat = cv2.GaussianBlur(small - _surroundings(small), (0, 0), PARTICLE / 6)
    flat = _standardised(flat, alive) * alive
    bright_film, dark_film = _films(small, alive)
    bright, dark = bright_film | _lumps(flat), dark_film | _lumps(-flat)
    return _grown(bright, live.shape) & live, _grown(dark, live.shape) & live


def beside_dead(live: Mask, diameter: float) -> Mask:
    """Mark live ground so near to dead areas that a particle there would not be whole.

    Parameters
    ----------
    live : (h, w) bool
        Already without the pixels that hold a bit of both.
    diameter : float
        Of a particle, px.

    Returns
    -------
    (h, w) bool
        Ground at the edge of the field is not near anything dead.
    """
    near: Mask = cv2.dilate((~live).astype(np.uint8), _disc(2 * WHOLE * diameter)) > 0
    return near & live


def resampled(mask: Mask, source: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """Look up a mask of a whole field at the pixels of another scale.

    Parameters
    ----------
    mask : (h', w') bool
        Its pixels are blocks of the field's: corners coincide.
    source : (int, int)
        Rows and columns of the field, px.
    shape : (int, int)
        Rows and columns of the result, whose pixel (0, 0) lies at that of the field.

    Returns
    -------
    (rows, columns) bool
    """
    rows, columns = (
        ((np.arange(new) * side / new + 0.5) * old / side).astype(int).clip(0, old - 1)
        for old, side, new in zip(mask.shape, source, shape, strict=True)
    )
    looked_up: Mask = mask[rows][:, columns]
    return looked_up


def _films(image: Image, alive: Mask) -> tuple[Mask, Mask]:
    """Find what lies on the denser side of an edge, if dense is bright and if it is dark."""
    response, angle = _steps(image.clip(-CLIP, CLIP), alive)
    edges, ridge = _clear_edges(response, angle, alive)
    areas, count = label((edges == 0) & alive)  # 4-connected: they do not leak through a line of 3 px
    place = np.argwhere(ridge)
    towards = np.sign(response) * np.stack([np.sin(angle), np.cos(angle)]) * PARTICLE / 2
    votes = []  # of each edge for each area: how much of the edge sees it on its brighter side, on its darker
    for sign in (1, -1):
        rows, columns = np.rint(place + sign * towards[:, *place.T].T).astype(int).T
        area = areas[rows.clip(0, areas.shape[0] - 1), columns.clip(0, areas.shape[1] - 1)]
        pairs = np.bincount(edges[ridge] * (count + 1) + area, minlength=(edges.max() + 1) * (count + 1))
        votes.append(pairs.reshape(-1, count + 1))
    both = np.maximum(votes[0] + votes[1], LEAST_EDGE * PARTICLE / 2)
    share = (votes[0] - votes[1]) / both
    share[:, 0] = 0  # what is no area: other edges and dead ground
    bright, dark = ((side > ONE_SIDE).any(axis=0)[areas] for side in (share, -share))
    return _with_edge(bright), _with_edge(dark)


def _with_edge(area: Mask) -> Mask:
    """Add the line of 3 px around an area, up to its middle."""
    grown: Mask = cv2.dilate(area.astype(np.uint8), np.ones((5, 5))) > 0
    return grown


def _steps(image: Image, alive: Mask) -> tuple[Image, Image]:
    """Find the strongest step in brightness, and the direction (rad) in which it is.

    The filter is a derivative of a Gaussian that is long along the edge; an angle of 0 is along a row.
    """
    reach = min(round(2.5 * EDGE_LENGTH * PARTICLE), min(image.shape) - 1)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1] / PARTICLE
    best, angle = np.zeros_like(image), np.zeros_like(image)
    usual = []
    for turn in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        across, along = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        kernel = across * np.exp(-((across / EDGE_WIDTH) ** 2 + (along / EDGE_LENGTH) ** 2) / 2)
        kernel /= np.abs(kernel).sum()
        step = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)
        usual.append(np.median(np.abs(step[alive])))
        stronger = np.abs(step) > np.abs(best)
        best[stronger], angle[stronger] = step[stronger], turn
    return best / max(1.4826 * float(np.median(usual)), 1e-6), angle


def _clear_edges(response: Image, angle: Image, alive: Mask) -> tuple[NDArray[np.int32], Mask]:
    """Number the edges that are long and clear, as lines of 3 px; also return their middle, of 1 px."""
    ridge = _ridge(response, angle) & alive
    numbers, count = label(cv2.dilate(ridge.astype(np.uint8), np.ones((3, 3))), np.ones((3, 3)))
    edges = np.asarray(numbers, np.int32)
    length = np.bincount(edges[ridge], minlength=count + 1)
    clearest = np.asarray(maximum(np.abs(response), edges, np.arange(count + 1)))
    edges[((length < LEAST_EDGE * PARTICLE) | (clearest < CLEAR_EDGE))[edges]] = 0
    return edges, ridge & (edges > 0)


def _ridge(response: Image, angle: Image) -> Mask:
    """Thin the filter's answer to the line where it is strongest."""
    strength = np.abs(response)
    rows, columns = np.mgrid[: response.shape[0], : response.shape[1]]
    beside = [
        map_coordinates(strength, [rows + s * np.sin(angle), columns + s * np.cos(angle)], order=1)
        for s in (1, -1)
    ]
    around = cv2.dilate(strength, _disc(4 * PARTICLE))
    thin: Mask = (strength >= np.maximum(*beside)) & (strength > np.maximum(EDGE, SIDE_LOBE * around))
    return thin


def _lumps(flat: Image) -> Mask:
    """Find bright lumps, as far as they reach."""
    core = cv2.morphologyEx(flat, cv2.MORPH_OPEN, _disc(LUMP * PARTICLE)) > LUMP_DENSITY
    lumps: Mask = binary_propagation(core, mask=core | (flat > LUMP_DENSITY / 2))
    return lumps


def _surroundings(image: Image) -> Image:
    """Find the median brightness around each pixel."""
    coarse = _resized(image, _scaled(image.shape, 1 / PARTICLE))
    around = median_filter(coarse, int(SURROUNDINGS) | 1, mode="reflect")
    smooth = cv2.GaussianBlur(around, (0, 0), 2.0)
    return np.asarray(cv2.resize(smooth, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _filled(image: Image, alive: Mask) -> Image:
    """Go on smoothly into dead areas: their borders must not look like edges."""
    middle = np.median(image[alive])
    light = cv2.GaussianBlur((image - middle) * alive, (0, 0), PARTICLE)
    share = cv2.GaussianBlur(alive.astype(np.float32), (0, 0), PARTICLE)
    return np.asarray(np.where(alive, image, middle + light / np.maximum(share, 1e-3)), np.float32)


def _standardised(image: NDArray[Any], alive: Mask) -> Image:
    """Count in robust standard deviations from the median."""
    centred = image - np.median(image[alive])
    spread = 1.4826 * float(np.median(np.abs(centred[alive])))
    return np.asarray(centred / max(spread, 1e-12), np.float32)


def _grown(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Add the margin, and bring the mask to the scale of the field."""
    grown = cv2.dilate(mask.astype(np.float32), _disc(2 * MARGIN * PARTICLE))
    large: Mask = cv2.resize(grown, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return large


def _disc(diameter: float) -> NDArray[np.uint8]:
    """Draw a disc to dilate or open by, ``diameter`` px across."""
    reach = int(diameter / 2)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return (np.hypot(y, x) <= diameter / 2).astype(np.uint8)


def _scaled(shape: tuple[int, ...], factor: float) -> tuple[int, ...]:
    return tuple(max(1, round(side * factor)) for side in shape)


def _resized(image: NDArray[np.floating], shape: tuple[int, ...]) -> Image:
    small = cv2.resize(image.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
