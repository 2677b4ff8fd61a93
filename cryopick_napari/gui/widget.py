"""The dock widget: the panels side by side, and what happens when the window goes."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.gui.panels.micrographs import MicrographsPanel
from cryopick_napari.gui.panels.review import ReviewPanel
from cryopick_napari.gui.panels.train import TrainPanel
from cryopick_napari.gui.session import Session
from cryopick_napari.gui.tools import Tool

PANELS = {
    "Micrographs": (MicrographsPanel, "Open micrographs and go from one to the next."),
    "Label": (LabelPanel, "Say how large the particle is, and click some."),
    "Train": (TrainPanel, "Let the picker learn from your labels."),
    "Review": (ReviewPanel, "See what it picks, move the threshold, correct it."),
    "Export": (ExportPanel, "Pick the other micrographs and write coordinates."),
}
REVIEWING = (Tool.INSPECT, Tool.ACCEPT, Tool.REJECT)
WIDTH = 420  # px


class CryopickWidget(QWidget):
    """Pick particles: open micrographs, label some, train, review, export.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Its session is shared by all widgets of this viewer.
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.setWindowTitle("cryopick")
        self.tabs = QTabWidget()
        self.panels = {}
        for name, (panel, tip) in PANELS.items():
            self.panels[name] = panel(self.session)
            self.tabs.addTab(_scrolling(self.panels[name]), name)
            self.tabs.setTabToolTip(self.tabs.count() - 1, tip)
        self.tabs.currentChanged.connect(self._on_tab)
        self.where = QLabel()
        self.where.setContentsMargins(8, 2, 8, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.where)
        for signal in (self.session.current_changed, self.session.labels_changed, self.session.size_changed):
            signal.connect(self._show_where)
        self._show_where()

    def sizeHint(self) -> QSize:  # noqa: N802, Qt's name
        """Ask for as much room as the panels need."""
        return QSize(WIDTH, 760)

    def _on_tab(self, place: int) -> None:
        """Let clicks select picks where picks are reviewed, and label particles everywhere else."""
        tools, reviews = self.session.tools, list(PANELS)[place] == "Review"
        if reviews and tools.tool is Tool.ADD:
            tools.take(Tool.INSPECT)
        elif not reviews and tools.tool in REVIEWING:
            tools.take(Tool.ADD)

    def show_panel(self, name: str) -> None:
        """Bring a panel to the front: ``Micrographs``, ``Label``, ``Train``, ``Review`` or ``Export``."""
        self.tabs.setCurrentIndex(list(PANELS).index(name))

    def _show_where(self) -> None:
        """Say below the panels what is looked at."""
        session = self.session
        if session.current is None:
            self.where.setText("No micrograph is open.")
            return
        place = session.micrographs.index(session.current) + 1
        count = len(session.labels.positives)
        size = f" · {count} particle{'s' * (count != 1)} labelled"
        self.where.setText(f"{session.current.name} · {place} of {len(session.micrographs)}{size}")


def _scrolling(panel: QWidget) -> QScrollArea:
    """Let a panel scroll where the window is low."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setWidget(panel)
    return area
