"""Values to layers and back: the only code that touches the layers of the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Points, Shapes
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.gui.looks import Look, Looks
from cryopick_napari.gui.reader import Field
from cryopick_napari.labels import Labels, Polygon
from cryopick_napari.picks import Picks

Array = NDArray[np.float32]
SETTLED = 120  # ms without another change, after which a person's own edit of a layer is one step

FRAME, FRAME_DIAMETERS = "white", 1.3
PARTICLE, NON_PARTICLE, PICK, COMPLETE, EXCLUDED, RING = (
    "#3ddc84",
    "#ff5f57",
    "#40c8ff",
    "#4da3ff",
    "#ffa726",
    "#ffe14d",
)


class Kind(Enum):
    """A layer of ours; in the order they lie on each other, the micrograph lowest. The value is its name."""

    MICROGRAPH = "micrograph"
    PROBABILITY = "probability"
    ATTENTION = "attention"
    COMPLETE = "fully labelled"
    EXCLUDED = "excluded"
    PICKS = "picks"
    NEGATIVES = "not particles"
    POSITIVES = "particles"
    SELECTED = "selected pick"
    CIRCLE = "circle"


LABELS = (Kind.POSITIVES, Kind.NEGATIVES, Kind.COMPLETE, Kind.EXCLUDED)
ORDER = list(Kind)


class Canvas(QObject):
    """Our layers in a viewer.

    Layers are made when there is something to show, and made again when a person removes them;
    they may be renamed, moved and hidden.

    Signals
    -------
    edited : Labels
        A person changed labels by napari's own tools.
    removed : Kind
        A person removed a layer of ours.
    """

    edited = Signal(object)
    removed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._layers: dict[Kind, Layer] = {}
        self._diameter = 50.0
        self._shape: tuple[int, int] | None = None
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED)
        self._settled.timeout.connect(self._report_edit)
        self._busy = 0
        maps = {Kind.PROBABILITY: Look(True, 0.5), Kind.ATTENTION: Look(False, 0.5)}
        self.looks = Looks({**maps, Kind.PICKS: Look()})
        viewer.layers.events.removed.connect(self._on_removed)

    def layer(self, kind: Kind) -> Layer | None:
        """Our layer of a kind, if it is there."""
        return self._layers.get(kind)

    def show_micrograph(self, field: Field) -> None:
        """Show a micrograph in place of the one before; the view stays unless the size is another."""
        shown = field.shown
        self.drop(Kind.PROBABILITY, Kind.ATTENTION)
        settings = {"scale": shown.scale, "translate": shown.translate, "name": field.path.stem}
        settings["contrast_limits"] = shown.contrast_limits
        layer = self._layers.get(Kind.MICROGRAPH)
        with self._ours():
            if layer is None:
                self._add(Kind.MICROGRAPH, Image(shown.image, colormap="gray", **settings))
            else:
                layer.data = shown.image
                for name, value in settings.items():
                    setattr(layer, name, value)
        if self._shape != field.micrograph.shape:
            self._shape = field.micrograph.shape
            self.viewer.reset_view()

    def show_labels(self, labels: Labels, diameter: float) -> None:
        """Show labels; ``diameter`` in px of the micrograph."""
        self._settled.stop()
        self._diameter = diameter
        with self._ours():
            self._points(Kind.POSITIVES, labels.positives.yx, PARTICLE, "disc", always=True)
            self._points(Kind.NEGATIVES, labels.negatives.yx, NON_PARTICLE, "cross")
            self._areas(Kind.COMPLETE, labels.complete, COMPLETE)
            self._areas(Kind.EXCLUDED, labels.excluded, EXCLUDED)

    def show_picks(self, picks: Picks, diameter: float) -> None:
        """Show picks as circles coloured by score."""
        with self._ours():
            layer = self._layers.get(Kind.PICKS)
            features = {"score": picks.score}
            if layer is None and len(picks):
                style = {"symbol": "disc", "face_color": "transparent", "border_width": 0.08}
                colours = {"border_color": "score", "border_colormap": "plasma"}
                layer = Points(
                    picks.yx, features=features, size=diameter, name=Kind.PICKS.value, **style, **colours
                )
                layer.border_contrast_limits = (0.0, 1.0)
                self._add(Kind.PICKS, layer)
                layer.editable = False
            elif layer is not None:
                _set_points(layer, picks.yx, diameter)
                layer.features = features
                layer.border_color = "score"
                layer.border_contrast_limits = (0.0, 1.0)
                layer.refresh_colors()

    def show_above(self, threshold: float) -> None:
        """Hide the picks that score less."""
        layer = self._layers.get(Kind.PICKS)
        if layer is not None and len(layer.data):
            layer.shown = layer.features["score"].to_numpy() >= threshold

    def show_selected(self, yx: tuple[float, float] | None, diameter: float) -> None:
        """Frame a pick at a position, or none."""
        if yx is None:
            self.drop(Kind.SELECTED)
            return
        with self._ours():
            self._points(
                Kind.SELECTED, np.array([yx], np.float32), FRAME, "square", FRAME_DIAMETERS * diameter
            )

    def change_look(self, kind: Kind, **values: Any) -> None:
        """Show, hide (``visible``) or fade (``opacity``) picks or a map, now and on other micrographs."""
        self.looks.change(kind, self._layers.get(kind), **values)

    def show_map(self, kind: Kind, plane: Array, ratio: tuple[float, float], level: int = 0) -> None:
        """Show a map of the network over the micrograph.

        Parameters
        ----------
        kind : Kind
            PROBABILITY or ATTENTION.
        plane : (h, w) float32
            In [0, 1].
        ratio : (float, float)
            Px of the micrograph per network px, rows and columns.
        level : int
            A pixel of the map covers ``2**level`` network pixels.
        """
        block = 2**level
        place = {
            "scale": [side * block for side in ratio],
            "translate": [side * (block - 1) / 2 for side in ratio],
        }
        layer = self._layers.get(kind)
        with self._ours():
            if layer is None:
                is_probability = kind is Kind.PROBABILITY
                look = {"colormap": "inferno" if is_probability else "viridis"}
                look |= {"blending": "additive" if is_probability else "translucent"}
                layer = Image(plane, name=kind.value, contrast_limits=(0, 1), **look, **place)
                self._add(kind, layer)
            else:
                layer.data = plane
                for name, value in place.items():
                    setattr(layer, name, value)

    def show_circle(self, yx: tuple[float, float] | None, diameter: float) -> None:
        """Show a circle of ``diameter`` px at a position, or none."""
        if yx is None:
            self.drop(Kind.CIRCLE)
            return
        with self._ours():
            self._points(Kind.CIRCLE, np.array([yx], np.float32), RING, "disc", diameter)

    def drop(self, *kinds: Kind) -> None:
        """Take layers away."""
        with self._ours():
            for kind in kinds:
                layer = self._layers.pop(kind, None)
                if layer is not None and layer in self.viewer.layers:
                    self.viewer.layers.remove(layer)

    def clear(self) -> None:
        """Take all our layers away."""
        self._settled.stop()
        self._shape = None
        self.drop(*self._layers)

    def close(self) -> None:
        """Let go of the viewer; the layers stay."""
        self._settled.stop()
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    def activate(self, kind: Kind) -> None:
        """Make a layer of ours the active one, so that napari's tools work on it."""
        layer = self._layers.get(kind)
        if layer is not None:
            self.viewer.layers.selection.active = layer

    def draw(self, kind: Kind) -> None:
        """Let a person draw areas into a layer, with napari's own polygon tool."""
        with self._ours():
            if kind not in self._layers:
                self._areas(kind, (), COMPLETE if kind is Kind.COMPLETE else EXCLUDED, always=True)
        self.activate(kind)
        self._layers[kind].mode = "add_polygon"

    def rest(self) -> None:
        """Put napari's own tools down: clicks and drags are the plugin's and the camera's again."""
        for layer in self._layers.values():
            if layer.mode != "pan_zoom":
                layer.mode = "pan_zoom"

    def middle_of_view(self) -> tuple[float, float]:
        """Give the position on the micrograph (row, column; px) in the middle of the view."""
        rows, columns = self._shape or (1, 1)
        row, column = self.viewer.scene.camera.center[-2:]
        return float(np.clip(row, 0, rows - 1)), float(np.clip(column, 0, columns - 1))

    def is_in_view(self, yx: tuple[float, float]) -> bool:
        """Whether a position on the micrograph (px) can be seen."""
        layer = self._layers.get(Kind.MICROGRAPH)
        if layer is None:
            return False
        place = np.asarray(layer.world_to_data(yx))
        low, high = layer.corner_pixels
        return bool((place >= low).all() and (place <= high).all())

    def look_at(self, yx: tuple[float, float]) -> None:
        """Move the view so that a position is in its middle."""
        self.viewer.scene.camera.center = (0.0, *map(float, yx))

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep the view from following a drag."""
        before = self.viewer.scene.camera.mouse_pan
        self.viewer.scene.camera.mouse_pan = False
        try:
            yield
        finally:
            self.viewer.scene.camera.mouse_pan = before

    @property
    def is_at_rest(self) -> bool:
        """Whether no tool of napari's own is in hand."""
        active = self.viewer.layers.selection.active
        return active is None or str(active.mode) == "pan_zoom"

    def _points(
        self,
        kind: Kind,
        yx: Array,
        colour: str,
        symbol: str,
        diameter: float | None = None,
        always: bool = False,
    ) -> None:
        """Show points, in a new layer if there is none and something to show."""
        size = self._diameter if diameter is None else diameter
        layer = self._layers.get(kind)
        if layer is not None:
            _set_points(layer, yx, size)
        elif len(yx) or always:
            style = {"symbol": symbol, "border_color": colour, "border_width": 0.08, "size": size}
            style["face_color"] = colour if symbol == "cross" else "transparent"
            if symbol == "cross":
                style |= {"border_width": 0.0, "opacity": 0.6}
            self._add(kind, Points(yx, ndim=2, name=kind.value, **style))

    def _areas(self, kind: Kind, areas: tuple[Polygon, ...], colour: str, always: bool = False) -> None:
        layer = self._layers.get(kind)
        if layer is None and (areas or always):
            width = max(1.0, max(self._shape or (0, 0)) / 400)
            style = {"edge_color": colour, "edge_width": width, "face_color": "transparent", "opacity": 0.9}
            layer = Shapes(ndim=2, name=kind.value, **style)
            # What a person draws next looks like the rest.
            layer.current_edge_color, layer.current_face_color = colour, "transparent"
            layer.current_edge_width = width
            self._add(kind, layer)
        if layer is not None and not _same_areas(_polygons(layer), areas):
            layer.data = []
            if areas:
                layer.add_polygons(list(areas), edge_color=layer.current_edge_color, face_color="transparent")

    def _add(self, kind: Kind, layer: Layer) -> None:
        """Put a new layer where it belongs; the active layer stays the active one."""
        self._layers[kind] = layer
        self.looks.give(kind, layer)
        above = [other for other in ORDER[ORDER.index(kind) + 1 :] if self._is_there(other)]
        layers = self.viewer.layers
        place = min((layers.index(self._layers[other]) for other in above), default=len(layers))
        selection = set(layers.selection)
        layers.insert(place, layer)
        if selection:
            layers.selection = selection
        if kind in LABELS:
            layer.events.data.connect(self._on_edit)

    def _is_there(self, kind: Kind) -> bool:
        return kind in self._layers and self._layers[kind] in self.viewer.layers

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """Mark changes as the program's own."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def _on_edit(self, event: Any = None) -> None:
        if not self._busy:
            self._settled.start()

    def _report_edit(self) -> None:
        self.edited.emit(self.labels())

    def labels(self) -> Labels:
        """Read the labels from the layers."""
        positives, negatives = (
            Picks.of(self._layers[kind].data if kind in self._layers else [])
            for kind in (Kind.POSITIVES, Kind.NEGATIVES)
        )
        complete, excluded = (
            _polygons(self._layers[kind]) if kind in self._layers else ()
            for kind in (Kind.COMPLETE, Kind.EXCLUDED)
        )
        return Labels(positives, negatives, complete, excluded)

    def _on_removed(self, event: Any) -> None:
        if self._busy:
            return
        for kind, layer in tuple(self._layers.items()):
            if layer is event.value:
                del self._layers[kind]
                if kind is Kind.MICROGRAPH:
                    self._shape = None
                if kind in (Kind.PROBABILITY, Kind.ATTENTION, Kind.PICKS):
                    self.looks.change(kind, None, visible=False)  # it is not to come back by itself
                self.removed.emit(kind)


def _set_points(layer: Points, yx: Array, size: float) -> None:
    """Replace the points of a layer and their size."""
    layer.selected_data = set()
    layer.data = yx
    layer.current_size = size
    if len(yx):
        layer.size = size
        layer.shown = np.ones(len(yx), bool)


def _polygons(layer: Shapes) -> tuple[Polygon, ...]:
    """Read the areas (corners, rows and columns) that were drawn in a layer."""
    return tuple(
        _corners(np.asarray(data, np.float32), kind)
        for data, kind in zip(layer.data, layer.shape_type, strict=True)
        if kind in ("polygon", "rectangle", "ellipse") and len(data) > 2
    )


def _corners(data: Array, kind: str) -> Polygon:
    if kind != "ellipse":
        return data
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    centre, axes = data.mean(axis=0), (data[1] - data[0], data[3] - data[0])
    ring = centre + np.cos(angle)[:, None] * axes[0] / 2 + np.sin(angle)[:, None] * axes[1] / 2
    return np.asarray(ring, np.float32)


def _same_areas(some: tuple[Polygon, ...], others: tuple[Polygon, ...]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))
