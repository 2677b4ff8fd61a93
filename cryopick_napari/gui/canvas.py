"""Values to layers and back: the only code that touches the layers of the viewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from cryopick_napari.gui import layers
from cryopick_napari.gui.layers import LABELS, Array, Kind
from cryopick_napari.gui.looks import Look, Looks
from cryopick_napari.gui.reader import Field
from cryopick_napari.gui.stack import Stack
from cryopick_napari.labels import Labels, Polygon, no_picks
from cryopick_napari.picks import Picks

__all__ = ["LABELS", "Canvas", "Kind"]

Areas = tuple[Polygon, ...]
FRAME = 1.3  # diameters, of the frame of the selected pick
DONE = ("added", "removed", "changed")  # not what is only begun: napari says both


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
        self._stack = Stack(viewer)
        self._stack.removed.connect(self._on_removed)
        self._labels = Labels(no_picks())  # as they were shown
        self._shape: tuple[int, int] | None = None
        # What happens in one event of a person is one change.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(0)
        self._settled.timeout.connect(self._report_edit)
        maps = {Kind.PROBABILITY: Look(True, 0.5), Kind.ATTENTION: Look(False, 0.5)}
        maps[Kind.CONTAMINATION] = Look(False, 0.5)
        self.looks = Looks({**maps, Kind.PICKS: Look()})

    def layer(self, kind: Kind) -> Layer | None:
        """Our layer of a kind, if it is there."""
        return self._stack.get(kind)

    def show_micrograph(self, field: Field) -> None:
        """Show a micrograph in place of the one before; the view stays unless the size is another."""
        shown = field.shown
        settings = {"scale": shown.scale, "translate": shown.translate, "name": field.path.stem}
        settings["contrast_limits"] = shown.contrast_limits
        layer = self._stack.get(Kind.MICROGRAPH)
        if layer is None:
            self._stack.add(Kind.MICROGRAPH, Image(shown.image, colormap="gray", **settings))
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
        self._labels = labels
        with self._stack.ours():
            self._points(Kind.POSITIVES, labels.positives.yx, diameter, always=True)
            self._points(Kind.NEGATIVES, labels.negatives.yx, diameter)
            self._areas(Kind.COMPLETE, labels.complete)
            self._areas(Kind.EXCLUDED, labels.excluded)

    def show_picks(self, picks: Picks, diameter: float) -> None:
        """Show picks as circles coloured by score."""
        layer = self._stack.get(Kind.PICKS)
        if layer is not None:
            layers.set_picks(layer, picks, diameter)
        elif len(picks):
            layer = self.looks.given(Kind.PICKS, layers.picks_layer(picks, diameter))
            self._stack.add(Kind.PICKS, layer).editable = False

    def show_above(self, threshold: float) -> None:
        """Hide the picks that score less."""
        layer = self._stack.get(Kind.PICKS)
        if layer is not None:
            layers.show_above(layer, threshold)

    def show_selected(self, yx: tuple[float, float] | None, diameter: float) -> None:
        """Frame a pick at a position, or none."""
        self._point(Kind.SELECTED, yx, FRAME * diameter)

    def show_circle(self, yx: tuple[float, float] | None, diameter: float) -> None:
        """Show a circle of ``diameter`` px at a position, or none."""
        self._point(Kind.CIRCLE, yx, diameter)

    def take_looks(self, noted: Mapping[str, tuple[bool, float]]) -> None:
        """Show overlays as `Looks.noted` has them; what it knows nothing of stays as it is."""
        for kind in self.looks:
            if kind.value in noted:
                visible, opacity = noted[kind.value]
                self.change_look(kind, visible=visible, opacity=opacity)

    def change_look(self, kind: Kind, **values: Any) -> None:
        """Show, hide (``visible``) or fade (``opacity``) picks or a map, now and from now on."""
        self.looks.change(kind, self._stack.get(kind), **values)

    def show_map(self, kind: Kind, plane: Array, ratio: tuple[float, float], level: int = 0) -> None:
        """Show a map of the network over the micrograph.

        Parameters
        ----------
        kind : Kind
            PROBABILITY, ATTENTION or CONTAMINATION.
        plane : (h, w) float32
            In [0, 1].
        ratio : (float, float)
            Px of the micrograph per network px, rows and columns.
        level : int
            A pixel of the map covers ``2**level`` network pixels.
        """
        block = 2**level
        scale = [side * block for side in ratio]
        # The middle of a block is this far from that of its first network pixel.
        translate = [side * (block - 1) / 2 for side in ratio]
        layer = self._stack.get(kind)
        if layer is None:
            layer = layers.map_layer(kind, plane, scale=scale, translate=translate)
            self._stack.add(kind, self.looks.given(kind, layer))
        else:
            layer.data, layer.scale, layer.translate = plane, scale, translate

    def is_empty(self, kind: Kind) -> bool:
        """Whether there is no layer of a map or of points, or nothing in it."""
        layer = self._stack.get(kind)
        return layer is None or layer.data is layers.NOTHING or not len(layer.data)

    def empty(self, kind: Kind) -> None:
        """Show nothing of a map or of points; to remove the layer would take napari a third of a second."""
        layer = self._stack.get(kind)
        if layer is None:
            return
        with self._stack.ours():
            if kind in layers.MAPS:
                layer.data = layers.NOTHING
            elif len(layer.data):
                layers.set_points(layer, np.zeros((0, 2), np.float32), layer.current_size)

    def clear(self) -> None:
        """Take all our layers away."""
        self._settled.stop()
        self._shape = None
        self._labels = Labels(no_picks())
        self._stack.clear()

    def close(self) -> None:
        """Let go of the viewer; the layers stay."""
        self._settled.stop()
        self._stack.close()

    def activate(self, kind: Kind) -> None:
        """Make a layer of ours the active one, so that napari's tools work on it."""
        self._stack.activate(kind)

    def draw(self, kind: Kind) -> None:
        """Let a person draw areas into a layer, with napari's own polygon tool."""
        layer = self._stack.get(kind) or self._add_areas(kind)
        self.activate(kind)
        layer.mode = "add_polygon"

    def rest(self) -> None:
        """Put napari's own tools down: clicks and drags are the plugin's and the camera's again."""
        for layer in self._stack:
            if layer.mode != "pan_zoom":
                layer.mode = "pan_zoom"

    @property
    def is_at_rest(self) -> bool:
        """Whether no tool of napari's own is in hand."""
        active = self.viewer.layers.selection.active
        return active is None or str(active.mode) == "pan_zoom"

    def settle(self) -> None:
        """Report now what a person did by napari's own tools."""
        if self._stack.get(Kind.POSITIVES) is not None:
            self._report_edit()

    def labels(self) -> Labels:
        """Read the labels from the layers; those of a layer that a person removed are as they were shown."""
        shown = self._labels
        return Labels(
            self._read_points(Kind.POSITIVES, shown.positives),
            self._read_points(Kind.NEGATIVES, shown.negatives),
            self._read_areas(Kind.COMPLETE, shown.complete),
            self._read_areas(Kind.EXCLUDED, shown.excluded),
        )

    def middle_of_view(self) -> tuple[float, float]:
        """Give the position on the micrograph (row, column; px) in the middle of the view."""
        rows, columns = self._shape or (1, 1)
        row, column = self.viewer.scene.camera.center[-2:]
        return float(np.clip(row, 0, rows - 1)), float(np.clip(column, 0, columns - 1))

    def is_in_view(self, yx: tuple[float, float]) -> bool:
        """Whether a position on the micrograph (px) can be seen."""
        layer = self._stack.get(Kind.MICROGRAPH)
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
        camera = self.viewer.scene.camera
        before = camera.mouse_pan
        camera.mouse_pan = False
        try:
            yield
        finally:
            camera.mouse_pan = before

    def _point(self, kind: Kind, yx: tuple[float, float] | None, size: float) -> None:
        if yx is None:
            self.empty(kind)
            return
        with self._stack.ours():  # it is no label
            self._points(kind, np.array([yx], np.float32), size)

    def _points(self, kind: Kind, yx: Array, size: float, always: bool = False) -> None:
        """Show points, in a new layer if there is none and something to show."""
        layer = self._stack.get(kind)
        if layer is not None:
            layers.set_points(layer, yx, size)
        elif len(yx) or always:
            self._follow(self._stack.add(kind, layers.points_layer(kind, yx, size)))

    def _areas(self, kind: Kind, areas: Areas) -> None:
        layer = self._stack.get(kind)
        if layer is None and areas:
            layer = self._add_areas(kind)
        if layer is not None:
            layers.set_areas(layer, areas)

    def _add_areas(self, kind: Kind) -> Layer:
        width = max(1.0, max(self._shape or (0, 0)) / 400)
        return self._follow(self._stack.add(kind, layers.areas_layer(kind, width)))

    def _follow(self, layer: Layer) -> Layer:
        layer.events.data.connect(self._on_edit)
        return layer

    def _read_points(self, kind: Kind, before: Picks) -> Picks:
        layer = self._stack.get(kind)
        if layer is None or np.array_equal(layers.points(layer), before.yx):
            return before
        picks = Picks.of(layers.points(layer))
        return picks if self._shape is None else picks.within(self._shape)

    def _read_areas(self, kind: Kind, before: Areas) -> Areas:
        layer = self._stack.get(kind)
        return before if layer is None else layers.polygons(layer)

    def _on_edit(self, event: Any) -> None:
        if not self._stack.is_ours and str(event.action.value) in DONE:
            self._settled.start()

    def _report_edit(self) -> None:
        self._settled.stop()
        self.edited.emit(self.labels())

    def _on_removed(self, kind: Kind) -> None:
        if kind in (*layers.MAPS, Kind.PICKS):
            self.looks.change(kind, None, visible=False)  # it is not to come back by itself
        self.removed.emit(kind)
