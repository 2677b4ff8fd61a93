"""How large the particle is: typed, or measured on the micrograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from cryopick_napari.config import ParticleSize
from cryopick_napari.gui.suggestion import DiameterSuggestion
from cryopick_napari.gui.tools import Tool

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

ANGSTROM, PIXELS = "Å", "px"


class SizeForm(QWidget):
    """The particle's diameter, its unit, and the circle to measure it with."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.suggestion = DiameterSuggestion(session)
        self._build()
        self.suggestion.changed.connect(self._show)
        session.tools.changed.connect(self._show_tool)
        session.tools.measured.connect(self._show_measured)
        for signal in (session.size_changed, session.field_shown, session.current_changed):
            signal.connect(self._show)
        self._show()

    def _build(self) -> None:
        self.diameter = QDoubleSpinBox()
        self.diameter.setRange(0.0, 10_000.0)
        self.diameter.setDecimals(1)
        self.diameter.setSpecialValueText("unknown")
        self.diameter.setKeyboardTracking(False)
        self.diameter.setToolTip("The particle's longest side. The circles on the micrograph have this size.")
        self.diameter.valueChanged.connect(self._set_size)
        self.unit = QComboBox()
        self.unit.addItems([ANGSTROM, PIXELS])
        self.unit.activated.connect(self._change_unit)
        self.measure = QPushButton("Measure")
        self.measure.setCheckable(True)
        self.measure.setToolTip(
            "Shows a circle on the micrograph: drag its middle onto a particle, then its edge."
        )
        self.measure.clicked.connect(self._toggle_measure)
        row = QHBoxLayout()
        row.addWidget(self.diameter, 2)
        row.addWidget(self.unit)
        row.addWidget(self.measure, 1)
        self.size_note = QLabel()
        self.size_note.setWordWrap(True)
        self.use = QPushButton()
        self.use.setToolTip(
            "Takes what the general model makes of this micrograph; you can change it afterwards."
        )
        self.use.clicked.connect(self._use_suggestion)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Diameter", row)
        form.addRow(self.size_note)
        form.addRow(self.use)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802, as Qt has it
        """Begin to suggest a size."""
        super().showEvent(event)
        self.suggestion.want()

    def _use_suggestion(self) -> None:
        self.session.guarded(self.session.set_size, self.suggestion.size)

    def _toggle_measure(self) -> None:
        wanted = Tool.MEASURE if self.measure.isChecked() else Tool.ADD
        self.session.guarded(self.session.tools.take, wanted)

    def _set_size(self) -> None:
        value = self.diameter.value()
        size = ParticleSize(value, self.unit.currentText() == ANGSTROM) if value > 0 else None
        self.session.guarded(self.session.set_size, size)

    def _change_unit(self) -> None:
        """Keep the particle as large as it is, in the other unit."""
        pixels, spacing = self.session.known_diameter, self.session.spacing
        in_angstrom = self.unit.currentText() == ANGSTROM
        if pixels is None:
            self._set_size()
        elif in_angstrom and spacing is not None:
            self.session.set_size(ParticleSize(round(pixels * spacing, 1)))
        elif not in_angstrom:
            self.session.set_size(ParticleSize(round(pixels, 1), in_angstrom=False))

    def _show(self) -> None:
        size, spacing = self.session.settings.size, self.session.spacing
        knows = spacing is not None
        for widget in (self.diameter, self.unit, self.measure):
            widget.setEnabled(self.session.field is not None)
        units = self.unit.model()
        assert isinstance(units, QStandardItemModel)
        if (angstrom := units.item(0)) is not None:
            angstrom.setEnabled(knows)
        self.unit.setToolTip(
            "Å, or pixels of the micrograph."
            if knows
            else "Å need the pixel size: type it under Micrographs."
        )
        for widget in (self.diameter, self.unit):
            widget.blockSignals(True)
        in_angstrom = size.in_angstrom if size is not None else knows
        self.unit.setCurrentText(ANGSTROM if in_angstrom and knows else PIXELS)
        self.diameter.setValue(size.diameter if size is not None and (knows or not in_angstrom) else 0.0)
        for widget in (self.diameter, self.unit):
            widget.blockSignals(False)
        self.size_note.setText(self._size_text())
        suggested = self.suggestion.size if size is None and self.session.field is not None else None
        self.use.setVisible(suggested is not None)
        if suggested is not None:
            self.use.setText(f"Use {suggested.diameter:g} {ANGSTROM if suggested.in_angstrom else PIXELS}")

    def _size_text(self) -> str:
        size, spacing = self.session.settings.size, self.session.spacing
        if self.session.field is None:
            return "Open a micrograph first (Micrographs)."
        if size is None and (suggested := self.suggestion.size) is not None:
            unit = ANGSTROM if suggested.in_angstrom else PIXELS
            return f"Particles look about {suggested.diameter:g} {unit} wide here. Measure one to be sure."
        if size is None:
            return "Type the diameter, or press Measure and drag the circle to a particle's size."
        if spacing is None:
            if size.in_angstrom:
                return f"{size.diameter:g} Å need the pixel size: type it under Micrographs."
            return "The pixel size is unknown: only pixels can be used."
        pixels = size.in_pixels(spacing)
        return f"{pixels:.0f} px" if size.in_angstrom else f"{pixels * spacing:.0f} Å at {spacing:.3g} Å/px"

    def _show_measured(self, pixels: float) -> None:
        """Follow the circle while it is dragged."""
        spacing = self.session.spacing
        in_angstrom = self.unit.currentText() == ANGSTROM and spacing is not None
        self.diameter.blockSignals(True)
        self.diameter.setValue(pixels * spacing if in_angstrom and spacing else pixels)
        self.diameter.blockSignals(False)

    def _show_tool(self) -> None:
        self.measure.setChecked(self.session.tools.tool is Tool.MEASURE)
