"""How micrographs are shown: smoothness, contrast, dark or bright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.display import DisplayFilter

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

SETTLED = 150  # ms without another change, before a micrograph is drawn anew
STEPS = 10  # of the slider, a percent of contrast
HARDEST = 5  # percent
ONLY_SHOWN = "Only changes what you see: training and picking always use the micrograph itself."


class DisplayForm(QWidget):
    """The filter that micrographs are shown through."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLED)
        self._settled.timeout.connect(self._apply)
        self._build()
        for signal in (session.project_changed, session.size_changed, session.field_shown):
            signal.connect(self._show)
        session.closing.connect(self._settled.stop)
        self._show()

    def _build(self) -> None:
        self.automatic = QCheckBox("Automatic")
        self.automatic.setToolTip(f"Smooth as much as suits the particle's size.\n{ONLY_SHOWN}")
        self.automatic.clicked.connect(self._set_automatic)
        self.low_pass = QDoubleSpinBox()
        self.low_pass.setDecimals(1)
        self.low_pass.setSpecialValueText("off")
        self.low_pass.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.low_pass.setToolTip(f"Details finer than this are smoothed away; 0 is off.\n{ONLY_SHOWN}")
        self.low_pass.valueChanged.connect(self._on_change)
        self.contrast = QSlider(Qt.Orientation.Horizontal)
        self.contrast.setRange(0, HARDEST * STEPS)
        self.contrast.setToolTip(
            f"Share of the pixels that are fully black, and as many fully white.\n{ONLY_SHOWN}"
        )
        self.contrast.valueChanged.connect(self._on_change)
        self.percent = QLabel()
        self.percent.setFixedWidth(self.percent.fontMetrics().horizontalAdvance("00.0 %"))
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.invert = QCheckBox("Invert dark and bright")
        self.invert.setToolTip(f"Shows dark particles bright, and bright ones dark.\n{ONLY_SHOWN}")
        self.invert.clicked.connect(self._on_change)
        self._lay_out()

    def _lay_out(self) -> None:
        top, middle = QHBoxLayout(), QHBoxLayout()
        heading = QLabel("<b>Display</b>")
        heading.setToolTip(ONLY_SHOWN)
        top.addWidget(heading, 1)
        top.addWidget(self.automatic)
        middle.addWidget(self.contrast, 1)
        middle.addWidget(self.percent)
        form = QFormLayout()
        form.addRow("Low-pass", self.low_pass)
        form.addRow("Contrast", middle)
        form.addRow("", self.invert)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addLayout(form)

    def _on_change(self) -> None:
        self.automatic.setChecked(False)
        self._show_percent()
        self._settled.start()

    def _set_automatic(self) -> None:
        self._settled.stop()
        self.session.set_display(None if self.automatic.isChecked() else self.session.filter())
        self._show()

    def _apply(self) -> None:
        period = self.low_pass.value() / self._unit
        self.session.set_display(
            DisplayFilter(period or None, self.contrast.value() / STEPS, self.invert.isChecked())
        )

    @property
    def _unit(self) -> float:
        """What a px is in the unit that is shown."""
        return self.session.spacing or 1.0

    def _show(self) -> None:
        if self._settled.isActive() or (self.session.field is None and self.session.current is not None):
            return  # a person is at it; or the pixel size is not known yet
        filter = self.session.filter()
        parts = (self.automatic, self.low_pass, self.contrast, self.invert)
        for part in parts:
            part.blockSignals(True)
        self.automatic.setChecked(self.session.view.display is None)
        self.low_pass.setRange(0, 200 * self._unit)
        self.low_pass.setSingleStep(self._unit)
        self.low_pass.setSuffix(" px" if self.session.spacing is None else " Å")
        self.low_pass.setValue((filter.low_pass or 0) * self._unit)
        self.contrast.setValue(round(filter.contrast * STEPS))
        self.invert.setChecked(filter.invert)
        for part in parts:
            part.blockSignals(False)
        self._show_percent()

    def _show_percent(self) -> None:
        self.percent.setText(f"{self.contrast.value() / STEPS:.1f} %")
