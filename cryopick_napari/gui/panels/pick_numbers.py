"""What chooses picks: the least score, the least distance, and whether contamination is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QLabel, QPushButton, QWidget

from cryopick_napari.gui.forms import WheelGuard

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class NumberForm(QWidget):
    """Least score and least distance, each with a way back to the model's own; and where none are picked."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, review = session, session.review
        self.threshold = _spin_box(0.0, 1.0, 0.01)
        self.threshold.setToolTip(
            "Picks that score less are left out. Lower finds more, also more wrong ones."
        )
        self.threshold.valueChanged.connect(review.set_threshold)
        self.own_threshold = _own("threshold")
        self.own_threshold.clicked.connect(lambda: review.set_threshold(None))
        self.min_distance = _spin_box(0.1, 5.0, 0.05)
        self.min_distance.setSuffix(" diameters")
        self.min_distance.setToolTip("Of two picks nearer to each other than this, the better one stays.")
        self.min_distance.valueChanged.connect(self._set_distance)
        self.own_distance = _own("distance")
        self.own_distance.clicked.connect(lambda: self._set_distance(None))
        guard = WheelGuard(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        rows = (
            ("Least score", self.threshold, self.own_threshold),
            ("Least distance", self.min_distance, self.own_distance),
        )
        for row, (text, box, own) in enumerate(rows):
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.installEventFilter(guard)
            for column, widget in enumerate((QLabel(text), box, own)):
                grid.addWidget(widget, row, column)
        self.avoid = QCheckBox("Leave out carbon, ice and dirt")
        self.avoid.setToolTip(
            "Picks nothing on the carbon film, on ice crystals and on lumps of dirt much larger than a "
            "particle. The box Contamination, below, shows where that is."
        )
        self.avoid.clicked.connect(review.avoid_contamination)
        grid.addWidget(self.avoid, len(rows), 0, 1, 3)
        review.threshold_changed.connect(self.refresh)
        for signal in (session.project_changed, session.model_changed):
            signal.connect(self.refresh)
        self.refresh()

    def _set_distance(self, diameters: float | None) -> None:
        self.session.review.set_min_distance(diameters)
        self.refresh()

    def refresh(self) -> None:
        """Show the numbers as they are."""
        review = self.session.review
        values = ((self.threshold, review.threshold), (self.min_distance, review.min_distance))
        for box, value in values:
            with QSignalBlocker(box):
                box.setValue(value)
        self.avoid.setChecked(review.avoids_contamination)
        self.own_threshold.setEnabled(review.settings.own("threshold") is not None)
        self.own_distance.setEnabled(review.settings.own("min_distance") is not None)


def _spin_box(low: float, high: float, step: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setKeyboardTracking(False)
    return box


def _own(what: str) -> QPushButton:
    button = QPushButton("Model's own")
    button.setToolTip(f"Goes back to the {what} that was chosen when the model was trained.")
    return button
