"""What a followed folder has brought, and how to have enough of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QGridLayout, QPushButton, QWidget

from cryopick_napari.gui.panels.place import ElidedLabel

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class FollowLine(QWidget):
    """There only while a folder is followed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.words = ElidedLabel()
        self.picks = QCheckBox("Pick them with the model in use")
        self.picks.setToolTip("Micrographs that arrive are picked beside the window, one after the other.")
        self.stop = QPushButton("Stop following")
        self.stop.setToolTip("Lists no further micrographs; those that are listed stay.")
        self.picks.toggled.connect(session.following.set_picks)
        self.stop.clicked.connect(session.following.stop)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words, 0, 0, 1, 2)
        layout.addWidget(self.picks, 1, 0)
        layout.addWidget(self.stop, 1, 1)
        layout.setColumnStretch(0, 1)
        session.following.changed.connect(self._show)
        session.model_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        following = self.session.following
        self.setVisible(following.folder is not None)
        self.words.show_text(f"Following {following.folder}: {following.arrived:,} new")
        self.picks.blockSignals(True)
        self.picks.setChecked(following.picks)
        self.picks.blockSignals(False)
        has_model = self.session.settings.model is not None
        self.picks.setText(
            "Pick them with the model in use" if has_model else "Pick them, once there is a model"
        )
