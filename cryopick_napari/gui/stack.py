"""Our layers among those of a viewer: in their order, and never in the way of a person's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from cryopick_napari.gui.layers import ORDER, Kind


class Stack(QObject):
    """Our layers in a viewer's list, which a person may reorder, rename and empty at any time.

    Signals
    -------
    removed : Kind
        A person removed a layer of ours.
    """

    removed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._layers: dict[Kind, Layer] = {}
        self._busy = 0
        viewer.layers.events.removed.connect(self._on_removed)

    def __iter__(self) -> Iterator[Layer]:
        """Go through our layers."""
        return iter(tuple(self._layers.values()))

    def get(self, kind: Kind) -> Layer | None:
        """Give our layer of a kind, if it is there."""
        return self._layers.get(kind)

    def add(self, kind: Kind, layer: Layer) -> Layer:
        """Put a new layer where it belongs; the active layer stays the active one."""
        layers = self.viewer.layers
        above = (self.get(other) for other in ORDER[ORDER.index(kind) + 1 :])
        place = min((layers.index(other) for other in above if other is not None), default=len(layers))
        self._layers[kind] = layer
        with self.ours():
            # To select the old ones again would cost more: napari makes controls for old and new together.
            layers._activate_on_insert = not layers.selection
            try:
                layers.insert(place, layer)
            finally:
                layers._activate_on_insert = True
        return layer

    def drop(self, *kinds: Kind) -> None:
        """Take layers away."""
        with self.ours():
            for kind in kinds:
                layer = self._layers.pop(kind, None)
                if layer is not None:
                    self.viewer.layers.remove(layer)

    def clear(self) -> None:
        """Take all of them away."""
        # Else napari selects the next one each time, and Qt 6 draws the half-taken one for its controls.
        self.viewer.layers.selection.clear()
        self.drop(*self._layers)

    def activate(self, kind: Kind) -> None:
        """Make one the active layer, so that napari's tools work on it."""
        layer = self.get(kind)
        if layer is not None:
            self.viewer.layers.selection.active = layer

    def close(self) -> None:
        """Let go of the viewer; the layers stay."""
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Mark changes as the program's own."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    @property
    def is_ours(self) -> bool:
        """Whether what happens now is the program's doing."""
        return self._busy > 0

    def _on_removed(self, event: Any) -> None:
        if self.is_ours:
            return
        for kind, layer in tuple(self._layers.items()):
            if layer is event.value:
                del self._layers[kind]
                self.removed.emit(kind)
