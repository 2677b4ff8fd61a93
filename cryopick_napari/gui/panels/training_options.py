"""How to train: a preset, self-training, and everything else behind "Advanced"."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.config import PRESETS, PickerConfig, Preset, TrainingConfig
from cryopick_napari.gui.forms import form_of

if TYPE_CHECKING:
    from cryopick_napari.gui.learning import Learning

ROUNDS = 3
CLOSED, OPEN = "▸ Advanced", "▾ Advanced"
NETWORK = (
    *("network_diameter", "base_features", "depth", "gate", "heads", "spatial_attention"),
    *("filter_channel", "min_distance"),
)
TRAINING = tuple(field.name for field in fields(TrainingConfig) if field.name != "self_training_iterations")


class TrainingOptions(QWidget):
    """Chooses a preset and what is to differ from it."""

    def __init__(self, learning: Learning, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.learning = learning
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._preset_row())
        layout.addLayout(self._self_training_row())
        layout.addWidget(self._advanced_button())
        layout.addWidget(self._advanced())
        learning.changed.connect(self._show_suggestion)
        self._show_suggestion()
        self.reset()

    def preset(self) -> str | None:
        """Give the preset; None for the suggested one."""
        name: str | None = self.presets.currentData()
        return name

    def picker_settings(self) -> dict[str, Any]:
        """Give the settings of the network that differ from the preset's."""
        return self.network.changed()

    def training_settings(self) -> dict[str, Any]:
        """Give the settings of the training that differ from the preset's."""
        rounds = self.rounds.value() if self.self_training.isChecked() else 0
        return {**self.training.changed(), "self_training_iterations": rounds}

    def reset(self) -> None:
        """Show the preset's own settings."""
        preset = self._shown_preset()
        self.presets.setToolTip(self.presets.currentData(Qt.ItemDataRole.ToolTipRole))
        self.network.reset(preset.picker)
        self.training.reset(preset.training)

    def _shown_preset(self) -> Preset:
        return PRESETS[self.preset() or self.learning.suggested or "small"]

    def _preset_row(self) -> QFormLayout:
        self.presets = QComboBox()
        self.presets.addItem("", None)
        for number, (name, preset) in enumerate(PRESETS.items(), 1):
            self.presets.addItem(name.capitalize(), name)
            self.presets.setItemData(number, preset.about, Qt.ItemDataRole.ToolTipRole)
        self.presets.currentIndexChanged.connect(self.reset)
        row = QFormLayout()
        row.addRow("Preset", self.presets)
        return row

    def _self_training_row(self) -> QFormLayout:
        self.self_training = QCheckBox("Also learn from unlabelled micrographs")
        self.self_training.setToolTip(
            "Self-training: after the training, confident picks of micrographs without labels are learned "
            "from too, as long as the held-out labels agree. It takes longer."
        )
        self.rounds = QSpinBox()
        self.rounds.setRange(1, 20)
        self.rounds.setValue(ROUNDS)
        self.rounds.setToolTip("Rounds of self-training. It ends sooner if a round does not help.")
        name = QLabel("Rounds of self-training")
        name.setIndent(24)
        row = QFormLayout()
        row.addRow(self.self_training)
        row.addRow(name, self.rounds)
        for widget in (name, self.rounds):
            widget.hide()
            self.self_training.toggled.connect(widget.setVisible)
        return row

    def _advanced(self) -> QWidget:
        self.network = form_of(PickerConfig, NETWORK, {})
        self.training = form_of(TrainingConfig, TRAINING, {})
        note = QLabel("What you leave as it is follows the preset, and suits itself to your micrographs.")
        note.setWordWrap(True)
        self.back = QPushButton("Reset to preset")
        self.back.setToolTip("Shows the preset's own settings again.")
        self.back.clicked.connect(self.reset)
        self.advanced = QWidget()
        layout = QVBoxLayout(self.advanced)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (note, QLabel("<b>Network</b>"), self.network.native):
            layout.addWidget(widget)
        for widget in (QLabel("<b>Training</b>"), self.training.native, self.back):
            layout.addWidget(widget)
        self.advanced.hide()
        return self.advanced

    def _advanced_button(self) -> QPushButton:
        self.more = QPushButton(CLOSED)
        self.more.setStyleSheet("text-align: left")
        self.more.setToolTip("Shows every setting of the network and of its training.")
        self.more.clicked.connect(self._toggle_advanced)
        return self.more

    def _toggle_advanced(self) -> None:
        is_open = self.advanced.isHidden()
        self.advanced.setVisible(is_open)
        self.more.setText(OPEN if is_open else CLOSED)

    def _show_suggestion(self) -> None:
        """Say which preset is suggested, once that is known."""
        suggested = self.learning.suggested
        text = "Suggested" if suggested is None else f"Suggested: {suggested}"
        if text == self.presets.itemText(0):
            return
        about = "What suits this computer"
        about += "." if suggested is None else f": {PRESETS[suggested].about}"
        self.presets.setItemText(0, text)
        self.presets.setItemData(0, about, Qt.ItemDataRole.ToolTipRole)
        if self.preset() is None:
            self.presets.setToolTip(about)
            if suggested is not None and not (self.network.changed() or self.training.changed()):
                self.reset()
