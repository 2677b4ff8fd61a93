"""How overlays are shown: what a person chose outlasts the layers, which go with each micrograph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from cryopick_napari.gui.canvas import Kind


@dataclass(frozen=True)
class Look:
    """Whether a layer is shown, and how opaque (0 to 1)."""

    visible: bool = True
    opacity: float = 1.0


class Looks(QObject):
    """The looks of layers by their kind, whether the layers are there or not.

    Signals
    -------
    changed : Kind
        A person, or a panel, shows a layer, hides it or fades it.
    """

    changed = Signal(object)

    def __init__(self, looks: dict[Kind, Look]) -> None:
        super().__init__()
        self._looks = looks

    def __getitem__(self, kind: Kind) -> Look:
        return self._looks[kind]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._looks)

    @property
    def noted(self) -> dict[str, tuple[bool, float]]:
        """All looks by the names of their layers, to be kept."""
        return {kind.value: (look.visible, look.opacity) for kind, look in self._looks.items()}

    def change(self, kind: Kind, layer: Layer | None, **values: Any) -> None:
        """Change a look, and that of its layer if there is one."""
        look = replace(self._looks[kind], **values)
        if look == self._looks[kind]:
            return
        self._looks[kind] = look
        if layer is not None:
            layer.visible, layer.opacity = look.visible, look.opacity
        self.changed.emit(kind)

    def given(self, kind: Kind, layer: Layer) -> Layer:
        """Give a new layer the look of its kind, and follow what a person does to it."""
        look = self._looks[kind]
        layer.visible, layer.opacity = look.visible, look.opacity
        layer.events.visible.connect(lambda event: self.change(kind, None, visible=layer.visible))
        layer.events.opacity.connect(lambda event: self.change(kind, None, opacity=layer.opacity))
        return layer
