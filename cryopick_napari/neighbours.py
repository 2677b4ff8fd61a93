"""How particles lie among each other, and what that says about picks.

Particles in ice repel, touch and stack: in many samples a neighbour is far likelier at one distance than
at another. The pair correlation of the labels (Illian et al. 2008, Statistical Analysis and Modelling of
Spatial Point Patterns) says how much so. Where noise leaves it open which of two places holds a particle,
the one that lies to its neighbours as particles do is the likelier.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree
from scipy.special import expit, logit

from cryopick_napari.peaks import LEAST_SCORE, find_peaks, spaced
from cryopick_napari.picks import Picks

FARTHEST, RING = 2.5, 0.1  # diameters: how far neighbours are looked at, and in how wide rings
RINGS = round(FARTHEST / RING)
BEYOND = 1.5  # diameters from which on pairs are taken to be there by chance
FEWEST = 10  # pairs of labelled particles; fewer say nothing
NEXT = slice(6, 13)  # rings of next neighbours: whether there is order at all, they tell best
LEAST_ORDER = 1.4  # how much likelier than by chance a neighbour must be somewhere, to be worth asking
DOUBT = 2.0  # pairs a ring, as many as by chance, that are added to those counted
SMOOTHING = np.array([0.25, 0.5, 0.25])  # of neighbouring rings
# A neighbour has neighbours of its own, which say in part the same.
SHARE = 0.7
GAP = 0.3  # diameters between places that are weighed against each other
ROUNDS = 12
LEAST_SPREAD = 1.0  # standard deviation of what is seen, as logits; less is stretched to it
LEAST = 1e-3  # no neighbour makes a place less likely than this

Positions = NDArray[np.floating]


def pair_correlation(labelled: Sequence[tuple[Positions, float]]) -> tuple[float, ...]:
    """Measure how much likelier than by chance labelled particles are at a distance from each other.

    Labels need not be complete: particles left out at random change nothing. How likely chance is, far pairs
    of the same labels tell, so that nothing changes either if only a part of a field was labelled.

    Parameters
    ----------
    labelled : sequence of ((n, 2) array, float)
        The particles of a field and their diameter, both in the same px.

    Returns
    -------
    tuple of float
        For rings of 0.1 diameters, out to 2.5; 1 is chance. Few pairs are trusted less. Empty if they say
        nothing.
    """
    edges = np.arange(RINGS + 1) * RING
    counted, area = np.zeros(RINGS), np.pi * np.diff(edges**2)
    for yx, diameter in labelled:
        _, _, distance = pairs_within(FARTHEST, np.asarray(yx) / diameter)
        counted += np.histogram(distance, edges)[0]
    far = edges[:-1] > BEYOND - RING / 2
    if counted.sum() < FEWEST or not counted[far].any():
        return ()
    chance = area * counted[far].sum() / area[far].sum()
    counted, chance = (np.convolve(np.pad(some, 1, "edge"), SMOOTHING, "valid") for some in (counted, chance))
    # What exceeds chance by no more than chance does is worth nothing, what exceeds it far is worth itself
    # (James and Stein 1961, Proc. 4th Berkeley Symp. 1, 361). The variance is that of counted pairs.
    excess = (counted - chance) ** 2 / (chance * (SMOOTHING**2).sum())
    trust = 1 - 1 / max(float(excess[NEXT].mean()), 1.0)
    found = (counted + DOUBT) / (chance + DOUBT)
    if not trust or found[NEXT].max() < LEAST_ORDER:
        return ()
    return tuple(np.round(found**trust, 3).tolist())


def weighed(candidates: Picks, diameter: float, correlation: Sequence[float], count: int) -> Positions:
    """Weigh places against each other by what is seen there and by how they lie.

    ``l_i = s_i + 0.7 sum_j log(1 + p_j (g(d_ij) - 1))``: s is the logit of what is seen, g the pair
    correlation at the distance of two places, and ``p_j`` the probability that the other one holds a
    particle, which follows from its own l: a mean field, found by going round until all agree (Opper and
    Saad 2001, Advanced Mean Field Methods).

    Parameters
    ----------
    candidates : Picks
        Of all places that may hold a particle; their scores are probabilities.
    diameter : float
        Of a particle, px of the candidates.
    correlation : sequence of float
        Of `pair_correlation`.
    count : int
        Of particles there are; it stays as it is.

    Returns
    -------
    (n,) array
        Logits l.
    """
    seen = logit_of(candidates.score)
    if not 0 < count < len(seen):
        return seen
    # A network that has hardly learned answers nearly the same everywhere: what it sees still counts.
    seen = seen / min(max(float(seen.std()), 1e-6), LEAST_SPREAD)
    first, second, distance = pairs_within(FARTHEST, candidates.yx / diameter)
    one, other = np.concatenate([first, second]), np.concatenate([second, first])
    middles = (np.arange(len(correlation)) + 0.5) * RING
    excess = np.tile(np.interp(distance, middles, correlation), 2) - 1
    logits = seen
    for _ in range(ROUNDS):
        low, high = logits.min() - 50, logits.max() + 50
        shift = brentq(lambda cut, now=logits: expit(now - cut).sum() - count, low, high, xtol=1e-3)
        likely = expit(logits - shift)
        said = np.log((1 + likely[other] * excess).clip(LEAST))
        # Half way only: all at once would swing to and fro.
        logits = (logits + seen + SHARE * np.bincount(one, said, len(seen))) / 2
    return logits


def likeliest(correlation: Sequence[float]) -> float:
    """Say at which distance, in diameters, a neighbour is likelier than at any other."""
    return (int(np.argmax(correlation)) + 0.5) * RING


def ranked(
    probability: NDArray[np.float32],
    diameter: float,
    min_distance: float,
    correlation: Sequence[float],
    threshold: float,
) -> Picks:
    """Find the peaks of a map, and rank them by their neighbours, too.

    Parameters
    ----------
    probability : (h, w) float32
    diameter, min_distance : float
        Of a particle, and between two picks; px of the map.
    correlation : sequence of float
        Of `pair_correlation`.
    threshold : float
        As many peaks as score this much by themselves score it among their neighbours.

    Returns
    -------
    Picks
        In pixels of the map, best first.
    """
    count = int((find_peaks(probability, min_distance, LEAST_SCORE).score >= threshold).sum())
    places = find_peaks(probability, GAP * diameter, LEAST_SCORE)
    logits = weighed(places, diameter, correlation, count)
    best = np.argsort(-logits, kind="stable")
    keep = best[spaced(places.yx[best].astype(np.float64), min_distance)]
    logits = logits[keep]
    if 0 < count < len(keep):
        logits = logits - logits[count - 1 : count + 1].mean() + logit_of(np.array(threshold))
    return Picks.of(places.yx[keep], expit(logits))


def logit_of(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Stretch probabilities to logits."""
    stretched: NDArray[np.float64] = logit(np.clip(score.astype(np.float64), 1e-6, 1 - 1e-6))
    return stretched


def nearest(picks: Picks) -> NDArray[np.float64]:
    """Measure the distance of each pick to its nearest neighbour.

    Returns
    -------
    (n,) float64
        In px; infinite for a pick that is alone.
    """
    if len(picks) < 2:
        return np.full(len(picks), np.inf)
    both, _ = cKDTree(picks.yx).query(picks.yx, k=2)  # itself, and its neighbour
    return np.asarray(both, np.float64)[:, 1]


def pairs_within(reach: float, yx: Positions) -> tuple[NDArray[np.intp], NDArray[np.intp], Positions]:
    """List the pairs of positions (n, 2) no farther than ``reach`` apart, and their distances."""
    first, second = cKDTree(yx).query_pairs(reach, output_type="ndarray").T
    return first, second, np.hypot(*(yx[first] - yx[second]).T)
