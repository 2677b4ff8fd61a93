"""Whether positions sit on particles as they were read, mirrored, or with x and y exchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.display import default_filter, shown
from cryopick_napari.labels import Example
from cryopick_napari.metrics import mirrored
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.overlay import draw_circles, draw_field
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import Scaled, network_diameter, to_network_scale
from cryopick_napari.template import BINS, REACH, radial_profile
from cryopick_napari.thumbnails import average, cut

INNER, OUTER = (
    0.3,
    0.5,
)  # radii in diameters: inside the first is particle, outside the second its surroundings
SURE = 3.0  # standard errors, from which a contrast is no chance ...
CLEARLY = 1.5  # ... and how much stronger than that of the other way it must be to leave no doubt
AVERAGE_SIDE = 1.6  # of the picture of the average, in diameters
WINDOW = 12.0  # side of the picture of the field, in diameters
PICTURE = 180  # px, of either
COLOUR = (64, 200, 255)

CHECKED = 3  # micrographs that are looked at: those with the most positions

Picture = NDArray[np.uint8]
Checked = tuple[Micrograph, Picks, float]  # positions on a micrograph, and the particle's diameter in px
Turned = Callable[[Picks, tuple[int, int]], Picks]

# Named after the options that undo them.
AS_READ, FLIP_Y, FLIP_X, SWAP_XY = "as they are", "--flip-y", "--flip-x", "--swap-xy"
WAYS: dict[str, Turned] = {
    AS_READ: lambda picks, _: picks,
    FLIP_Y: mirrored,
    FLIP_X: lambda picks, shape: _exchanged(mirrored(_exchanged(picks), (shape[1], shape[0]))),
    SWAP_XY: lambda picks, _: _exchanged(picks),
}
WORDS = {
    AS_READ: "as they are",
    FLIP_Y: "mirrored top to bottom",
    FLIP_X: "mirrored left to right",
    SWAP_XY: "with x and y exchanged",
}


def _exchanged(picks: Picks) -> Picks:
    return Picks(picks.yx[:, ::-1].copy(), picks.score)


@dataclass(frozen=True, eq=False)
class Way:
    """Positions read in one way.

    Attributes
    ----------
    evidence : float
        Contrast of what is there against its surroundings, in standard errors.
    field : (180, 180, 3) uint8
        A part of the first micrograph with its positions.
    average : (180, 180) uint8
        The average of that micrograph's particles.
    """

    evidence: float
    field: Picture
    average: Picture


@dataclass(frozen=True, eq=False)
class FlipCheck:
    """Positions in all `WAYS` of reading them, as they were read first."""

    ways: Mapping[str, Way]

    @property
    def as_read(self) -> Way:
        """As they were read."""
        return self.ways[AS_READ]

    @property
    def mirrored(self) -> Way:
        """Mirrored top to bottom: the usual difference between programs."""
        return self.ways[FLIP_Y]

    @property
    def is_mirrored(self) -> bool:
        """Whether the mirrored positions sit on particles rather than those that were read."""
        return self.mirrored.evidence > self.as_read.evidence

    @property
    def is_clear(self) -> bool:
        """Whether there is no doubt between as read and mirrored top to bottom."""
        low, high = sorted((self.as_read.evidence, self.mirrored.evidence))
        return high > max(SURE, CLEARLY * low)

    @property
    def better(self) -> str:
        """The way that fits without doubt better than as they were read; empty if none does."""
        best = max(self.ways, key=lambda way: self.ways[way].evidence)
        others = [way.evidence for name, way in self.ways.items() if name != best]
        sure = self.ways[best].evidence > max(SURE, CLEARLY * max(others))
        return best if sure and best != AS_READ else ""


def flip_check(fields: Iterable[Checked]) -> FlipCheck | None:
    """Compare what is at positions with what is where they would be if read in other ways.

    Parameters
    ----------
    fields : iterable of (Micrograph, Picks, float)
        Micrographs, the positions on them, and the particle's diameter in px. One is in memory at a time.

    Returns
    -------
    FlipCheck or None
        None without positions.
    """
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    pictures: dict[str, tuple[Picture, Picture]] = {}
    for micrograph, picks, diameter in fields:
        # Exchanged, positions may lie outside of a field that is no square: they say nothing.
        read = picks.within(micrograph.shape)
        ways = {name: turn(picks, micrograph.shape).within(micrograph.shape) for name, turn in WAYS.items()}
        wanted = min(diameter, network_diameter(diameter, micrograph.shape))
        scaled = to_network_scale(micrograph, diameter, wanted)
        for name, way in ways.items():
            found[name] += [contrast(scaled, place) for place in scaled.from_source(way.yx)]
        if not pictures and len(read):
            pictures = {name: _pictures(micrograph, way, read, diameter) for name, way in ways.items()}
    if not pictures:
        return None
    return FlipCheck({name: Way(evidence(found[name]), *pictures[name]) for name in WAYS})


def flip_warning(fields: Iterable[Checked], what: str) -> str:
    """Say that positions fit better if read in another way, and how to put it right; empty if they do not.

    Parameters
    ----------
    fields : iterable of (Micrograph, Picks, float)
        As for `flip_check`.
    what : str
        What the positions are called, such as the name of their file.
    """
    check = flip_check(fields)
    if check is None or not check.better:
        return ""
    before, after = check.as_read.evidence, check.ways[check.better].evidence
    return (
        f"{what} fit the micrographs better {WORDS[check.better]} ({after:.0f} standard errors of contrast, "
        f"{before:.0f} as they are): see cryopick convert --check, then convert with {check.better}"
    )


def most_labelled(
    examples: Sequence[Example], diameter_at: Callable[[float | None], float]
) -> Iterator[Checked]:
    """Give the few micrographs with the most labels: enough to tell how their positions are to be read.

    Parameters
    ----------
    examples : sequence of Example
    diameter_at : callable
        Pixel size (Å/px) of a micrograph -> the particle's diameter on it, px.
    """
    for example in sorted(examples, key=lambda one: -len(one.labels.positives))[:CHECKED]:
        micrograph = example.micrograph
        yield micrograph, example.labels.positives, diameter_at(micrograph.spacing)


def contrast(scaled: Scaled, yx: NDArray[np.float32]) -> float:
    """Measure how much brighter a place (2,) is than its surroundings; ``yx`` in scaled px."""
    sums, counts = radial_profile(scaled.image, yx[None], scaled.diameter)
    inside, outside = (slice(round(INNER / REACH * BINS)), slice(round(OUTER / REACH * BINS), None))
    inner, outer = (sums[part].sum() / max(1, counts[part].sum()) for part in (inside, outside))
    return float(inner - outer)


def evidence(contrasts: list[float]) -> float:
    """Tell by how many standard errors contrasts differ from 0; gold and ice under a few have no say."""
    if len(contrasts) < 2:
        return 0.0
    middle = float(np.median(contrasts))
    spread = 1.4826 * float(np.median(np.abs(np.subtract(contrasts, middle))))
    return abs(middle) * math.sqrt(len(contrasts)) / max(spread, 1e-12)


def _pictures(micrograph: Micrograph, picks: Picks, read: Picks, diameter: float) -> tuple[Picture, Picture]:
    """Draw a part of a field with its positions, and the average particle."""
    display = shown(micrograph, default_filter(diameter, None))
    side = AVERAGE_SIDE * diameter / display.scale[0]
    parts = cut(display.image, display.from_source(picks.yx), side, PICTURE)
    mean = average(parts, picks.score)
    if mean is None:  # none of the positions lies on the field
        mean = np.zeros((PICTURE, PICTURE), np.uint8)
    return _window(micrograph, picks, read, diameter), mean


def _window(micrograph: Micrograph, picks: Picks, read: Picks, diameter: float) -> Picture:
    """Cut a square out of a field, the same for both ways, where the most positions were read."""
    side = int(min(WINDOW * diameter, *micrograph.shape))
    limit = np.asarray(micrograph.shape) - side
    corners = np.clip(np.rint(read.yx - side / 2).astype(int), 0, limit)[:200]
    inside = [((read.yx >= corner) & (read.yx < corner + side)).all(axis=1).sum() for corner in corners]
    row, column = corners[int(np.argmax(inside))]
    part = Micrograph(np.ascontiguousarray(micrograph.image[row : row + side, column : column + side]))
    there = Picks(picks.yx - np.array([row, column], np.float32), picks.score)
    picture = draw_field(part, diameter, PICTURE)
    return draw_circles(picture, there, part.shape, diameter, COLOUR)
