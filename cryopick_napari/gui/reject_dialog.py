"""Reject all micrographs beyond a limit: a poor CTF, thick ice, too few picks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.table import MicrographTable

ABOVE, BELOW = "above", "below"
LARGEST = 1e9


class RejectDialog(QDialog):
    """Choose a number and a limit, and see how many micrographs are beyond it before they are rejected."""

    def __init__(self, table: MicrographTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Reject by a number")
        self._table = table
        self.column, self.side, self.limit = QComboBox(), QComboBox(), QDoubleSpinBox()
        self.column.addItems([column.title for column in table.columns if column.number is not None])
        self.side.addItems([ABOVE, BELOW])
        self.limit.setRange(-LARGEST, LARGEST)
        self.limit.setDecimals(3)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.reject_them = QPushButton("Reject")
        self.buttons.addButton(self.reject_them, QDialogButtonBox.ButtonRole.AcceptRole)
        self.finished.connect(self.deleteLater)
        self._lay_out()
        self.column.currentIndexChanged.connect(self._begin)
        self.side.currentIndexChanged.connect(self._show)
        self.limit.valueChanged.connect(self._show)
        self.buttons.rejected.connect(self.reject)
        self.buttons.accepted.connect(self._apply)
        self._begin()

    def beyond(self) -> list[Path]:
        """List the accepted micrographs beyond the limit; what is not known of one rejects none."""
        sign, limit = (1 if self.side.currentText() == ABOVE else -1), self.limit.value()
        return [path for path, number in self._numbers.items() if sign * (number - limit) > 0]

    def _lay_out(self) -> None:
        row, layout = QHBoxLayout(), QVBoxLayout(self)
        for widget in (QLabel("Reject micrographs with"), self.column, self.side, self.limit):
            row.addWidget(widget)
        layout.addLayout(row)
        layout.addWidget(self.note)
        layout.addWidget(self.buttons)

    def _begin(self) -> None:
        """Take up another number, and propose its middle as the limit."""
        title = self.column.currentText()
        column = next(column for column in self._table.columns if column.title == title)
        assert column.number is not None
        known = {path: column.number(path) for path in self._table.session.accepted}
        self._numbers = {path: number for path, number in known.items() if not math.isnan(number)}
        self.limit.setValue(float(np.median(list(self._numbers.values()))) if self._numbers else 0.0)
        self._show()

    def _show(self) -> None:
        count, known = len(self.beyond()), list(self._numbers.values())
        self.reject_them.setEnabled(count > 0)
        if known:
            some = f"{count:,} of {len(self._table.session.accepted):,} micrographs would be rejected."
            self.note.setText(f"{some} Known of {len(known):,}: {min(known):.3g} to {max(known):.3g}.")
        else:
            self.note.setText(
                "It is not known of any micrograph: pick them, or read CTF values (Open), first."
            )

    def _apply(self) -> None:
        self._table.session.reject(self.beyond())
        self.accept()
