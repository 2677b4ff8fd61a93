"""The Export panel: pick the other micrographs, write coordinates, read those of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from cryopick_napari.gui.panels.export_section import ExportSection
from cryopick_napari.gui.panels.import_section import ImportSection
from cryopick_napari.gui.panels.mask_section import MaskSection
from cryopick_napari.gui.panels.pick_section import PickSection

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from cryopick_napari.gui.session import Session


class ExportPanel(QWidget):
    """Pick the micrographs that are left, write coordinates, and import those of other programs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.pick, self.export, self.imports = (
            PickSection(session),
            ExportSection(session),
            ImportSection(session),
        )
        self.masks = MaskSection(session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        for title, section in (
            ("1. Pick the other micrographs", self.pick),
            ("2. Export coordinates", self.export),
            ("Import coordinates", self.imports),
            ("Masks of contamination", self.masks),
        ):
            heading = QLabel(f"<b>{title}</b>")
            heading.setContentsMargins(0, 6, 0, 0)
            layout.addWidget(heading)
            layout.addWidget(section)
        layout.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802, Qt's name
        """Begin to look at all micrographs when a person does."""
        self.session.picking.materials.look()
        super().showEvent(event)
