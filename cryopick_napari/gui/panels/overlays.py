"""Which overlays lie on the micrograph: the model's maps, its picks, and what is contaminated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QPushButton, QSlider, QWhatsThis, QWidget

from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.forms import WheelGuard

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

LEVEL_WIDTH = 80  # px
ATTENTION = (
    "Shows how much of each place the network lets through on its way to the picks: bright is kept, dark is "
    "left out. It is no probability of a particle; use it to see how ice, carbon and edges are treated."
)
TIPS = {
    Kind.PROBABILITY: "Shows how likely each place is the middle of a particle: black is 0, bright is 1.",
    Kind.ATTENTION: ATTENTION,
    Kind.PICKS: "Shows the picks that score at least the threshold as circles, brighter for higher scores.",
    Kind.CONTAMINATION: "Shows in red where no particles are to be expected: the carbon film, ice crystals "
    "and lumps of dirt much larger than a particle, and dead borders of the image.",
}
NOTHING = "This appears when a model has looked at the micrograph."
NO_GATES = "The model in use is a plain U-Net: it has no attention gates."


class OverlayForm(QWidget):
    """A line for each overlay: whether it is shown, and how opaque."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.boxes = {kind: self._box(kind) for kind in TIPS}
        self.opacities = {kind: self._slider(kind) for kind in TIPS}
        self.level = QComboBox()
        self.level.setMaximumWidth(LEVEL_WIDTH)
        self.level.setToolTip("Which map: att1 is the finest, each further one is half as fine.")
        self.level.activated.connect(self._choose_level)
        self.about = QPushButton("What is this?")
        self.about.setFlat(True)
        self.about.setToolTip(ATTENTION)
        self.about.clicked.connect(lambda: QWhatsThis.showText(QCursor.pos(), ATTENTION, self.about))
        guard = WheelGuard(self)
        for widget in (*self.opacities.values(), self.level):
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(guard)
        self._lay_out()
        review = session.review
        for signal in (review.changed, review.picks_changed, session.model_changed, session.field_shown):
            signal.connect(self._refresh)
        session.canvas.looks.changed.connect(self._refresh)
        self._refresh()

    def _box(self, kind: Kind) -> QCheckBox:
        box = QCheckBox(kind.value.capitalize())
        box.clicked.connect(lambda checked: self.session.review.show_overlay(kind, checked))
        return box

    def _slider(self, kind: Kind) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(5, 100)
        slider.setToolTip(f"How opaque the {kind.value} overlay is.")
        slider.valueChanged.connect(
            lambda percent: self.session.canvas.change_look(kind, opacity=percent / 100)
        )
        return slider

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, kind in enumerate(self.boxes):
            grid.addWidget(self.boxes[kind], row, 0)
            grid.addWidget(self.opacities[kind], row, 3)
        grid.addWidget(self.level, 1, 1)
        grid.addWidget(self.about, 1, 2)
        grid.setColumnStretch(3, 1)

    def _choose_level(self, level: int) -> None:
        """Who chooses a level wants to see it."""
        self.session.review.overlays.choose(level)
        self.session.review.show_overlay(Kind.ATTENTION, True)

    def _refresh(self) -> None:
        review, looks = self.session.review, self.session.canvas.looks
        has_maps, levels = review.overlays.has_maps, review.levels
        there = {
            Kind.PROBABILITY: has_maps,
            Kind.ATTENTION: has_maps and levels > 0,
            Kind.PICKS: len(review.picks) > 0,
            Kind.CONTAMINATION: has_maps,
        }
        for kind, box in self.boxes.items():
            slider = self.opacities[kind]
            with QSignalBlocker(slider):
                slider.setValue(round(100 * looks[kind].opacity))
            box.setChecked(looks[kind].visible)
            box.setEnabled(there[kind])
            slider.setEnabled(there[kind] and looks[kind].visible)
            box.setToolTip(TIPS[kind] if there[kind] else NO_GATES if has_maps else NOTHING)
        if self.level.count() != levels:
            self.level.clear()
            self.level.addItems([f"att{level + 1}" for level in range(levels)])
        self.level.setCurrentIndex(min(review.overlays.level, levels - 1))
        self.level.setEnabled(there[Kind.ATTENTION])
