"""A menu of the images that are open in napari already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtWidgets import QAction, QMenu, QWidget

from cryopick_napari.gui.opening import other_images, use_layer

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class LayerMenu(QMenu):
    """Adds an image layer that a person opened in napari to the micrographs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Use layer", parent)
        self.session = session
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        layers = other_images(self.session)
        for layer in layers:
            action = QAction(layer.name.replace("&", "&&"), self)
            action.triggered.connect(partial(self._use, layer))
            self.addAction(action)
        if not layers:
            nothing = QAction("There is no image in napari's layer list yet", self)
            nothing.setEnabled(False)
            self.addAction(nothing)

    def _use(self, layer: Image, checked: bool = False) -> None:
        self.session.guarded(use_layer, self.session, layer)
