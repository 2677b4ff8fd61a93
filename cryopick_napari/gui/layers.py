"""The kinds of our layers, how each looks, and what a person drew in one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from napari.layers import Image, Points, Shapes
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray

from cryopick_napari.labels import Polygon
from cryopick_napari.picks import Picks

Array = NDArray[np.float32]


class Kind(Enum):
    """A layer of ours; in the order they lie on each other, the micrograph lowest. The value is its name."""

    MICROGRAPH = "micrograph"
    PROBABILITY = "probability"
    ATTENTION = "attention"
    CONTAMINATION = "contamination"
    COMPLETE = "fully labelled"
    EXCLUDED = "excluded"
    PICKS = "picks"
    NEGATIVES = "not particles"
    POSITIVES = "particles"
    SELECTED = "selected pick"
    CIRCLE = "circle"


LABELS = (Kind.POSITIVES, Kind.NEGATIVES, Kind.COMPLETE, Kind.EXCLUDED)
ORDER = list(Kind)
COLOURS = {
    Kind.POSITIVES: "#3ddc84",
    Kind.NEGATIVES: "#ff5f57",
    Kind.COMPLETE: "#4da3ff",
    Kind.EXCLUDED: "#ffa726",
    Kind.SELECTED: "white",
    Kind.CIRCLE: "#ffe14d",
}
SYMBOLS = {Kind.NEGATIVES: "cross", Kind.SELECTED: "square"}  # the others are discs
SCORES = ensure_colormap("plasma")
SMOOTH = 0.5  # px of the screen; napari's 1 makes many circles a fifth dearer to draw
OPEN = {"face_color": "transparent", "border_width": 0.08}
MAPS: dict[Kind, dict[str, Any]] = {
    # A low probability everywhere is no veil over the micrograph.
    Kind.PROBABILITY: {"colormap": "inferno", "blending": "additive", "gamma": 2.0},
    Kind.ATTENTION: {"colormap": "viridis", "blending": "translucent"},
    Kind.CONTAMINATION: {"colormap": "red", "blending": "additive"},
}
NOTHING = np.full((1, 1), np.nan, np.float32)  # a map of which nothing is painted
ELLIPSE_CORNERS = 48
HUGE = 10_000  # px of the screen
FARTHEST = 1e5  # px; what a person draws beyond is no part of a micrograph


def points_layer(kind: Kind, yx: Array, size: float) -> Points:
    """Make a layer of points (n, 2) that are ``size`` px across."""
    style: dict[str, Any] = {"symbol": SYMBOLS.get(kind, "disc"), "border_color": COLOURS[kind], **OPEN}
    if kind is Kind.NEGATIVES:
        style |= {"face_color": COLOURS[kind], "border_width": 0.0, "opacity": 0.6}
    return Points(yx.copy(), ndim=2, name=kind.value, size=size, **style)


def picks_layer(picks: Picks, size: float) -> Points:
    """Make a layer of picks as circles ``size`` px across, coloured by score."""
    layer = Points(
        picks.yx.copy(),
        features={"score": picks.score},
        border_color=SCORES.map(picks.score),
        name=Kind.PICKS.value,
        antialiasing=SMOOTH,
        canvas_size_limits=(0, HUGE),  # by itself napari draws what has no extent as a dot
        **OPEN,
    )
    layer.size = layer.current_size = size
    return layer


def set_picks(layer: Points, picks: Picks, size: float) -> None:
    """Replace the picks of a layer."""
    set_points(layer, picks.yx, size)
    layer.features = {"score": picks.score}
    if len(picks):
        layer.border_color = SCORES.map(picks.score)


def show_above(layer: Points, threshold: float) -> None:
    """Hide the picks that score less: they get no extent.

    In two dimensions napari 0.9 draws points that are not ``shown`` all the same. Clear ones would take
    as long to draw as others: it is the pixels that take time.
    """
    if len(layer.data):
        score = layer.features["score"].to_numpy()
        layer.size = np.where(score < threshold, 0.0, layer.current_size)


def map_layer(kind: Kind, plane: Array, **place: Any) -> Image:
    """Make a layer of a map (h, w) of values from 0 to 1."""
    return Image(plane, name=kind.value, contrast_limits=(0, 1), **MAPS[kind], **place)


def areas_layer(kind: Kind, width: float) -> Shapes:
    """Make a layer for areas whose edges are ``width`` px wide."""
    style: dict[str, Any] = {"edge_color": COLOURS[kind], "edge_width": width, "face_color": "transparent"}
    layer = Shapes(ndim=2, name=kind.value, opacity=0.9, **style)
    # What a person draws next looks like the rest.
    layer.current_edge_color, layer.current_face_color = COLOURS[kind], "transparent"
    layer.current_edge_width = width
    return layer


def set_points(layer: Points, yx: Array, size: float) -> None:
    """Replace the points of a layer and their size; a person's selection stays if they are the same."""
    if not np.array_equal(points(layer), yx):
        layer.selected_data = set()
        layer.data = yx.copy()  # napari moves points in place: those of a value never change
    layer.current_size = size
    if len(yx):
        layer.size = size
        layer.shown = np.ones(len(yx), bool)


def points(layer: Points) -> Array:
    """Read the points (n, 2) of a layer."""
    return np.array(layer.data, np.float32)


def set_areas(layer: Shapes, areas: Sequence[Polygon]) -> None:
    """Replace the areas of a layer; an unfinished one is dropped."""
    if len(layer.data) == len(areas) and all(map(np.array_equal, polygons(layer), areas)):
        return
    mode = layer.mode
    layer.mode = "pan_zoom"
    layer.data = []
    if areas:
        layer.add_polygons(list(areas), edge_color=layer.current_edge_color, face_color="transparent")
    layer.mode = mode


def polygons(layer: Shapes) -> tuple[Polygon, ...]:
    """Read the areas (corners, rows and columns) that were drawn in a layer."""
    return tuple(
        np.clip(_corners(np.array(data, np.float32), kind), -FARTHEST, FARTHEST)
        for data, kind in zip(layer.data, layer.shape_type, strict=True)
        if kind in ("polygon", "rectangle", "ellipse") and len(data) > 2
    )


def _corners(data: Array, kind: str) -> Polygon:
    if kind != "ellipse":
        return data
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)
    centre, axes = data.mean(axis=0), (data[1] - data[0], data[3] - data[0])
    ring = centre + np.cos(angle)[:, None] * axes[0] / 2 + np.sin(angle)[:, None] * axes[1] / 2
    return np.asarray(ring, np.float32)
