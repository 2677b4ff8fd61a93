"""The dock widget: the panels side by side, and what happens when the window goes."""

from __future__ import annotations

from collections.abc import Callable

from napari.viewer import Viewer
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QShortcut,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.keys import KeySheet
from cryopick_napari.gui.panels.export import ExportPanel
from cryopick_napari.gui.panels.label import LabelPanel
from cryopick_napari.gui.panels.micrographs import MicrographsPanel
from cryopick_napari.gui.panels.place import ElidedLabel
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
DOCK_TITLE = 7  # px by which the title of napari's docks covers what is in them


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
        self.session.panel_wanted.connect(self._show_wanted)
        self.where, self.counts = ElidedLabel(), QLabel()
        self.statistics = _small("Statistics", "Scores, numbers and distances of the picks; learning curves.")
        self.keys = _small("Keys", "All keys and what the mouse does. Key: F1.")
        self.statistics.clicked.connect(self.show_statistics)
        self.keys.clicked.connect(self.show_keys)
        self.windows: dict[str, QDialog] = {}
        help_key = QShortcut(QKeySequence("F1"), self)
        for signal in (help_key.activated, help_key.activatedAmbiguously):  # where there are two widgets
            signal.connect(self.show_keys)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, DOCK_TITLE, 0, 0)
        layout.addWidget(self.tabs, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 0, 8, 4)
        foot.addWidget(self.where, 1)
        foot.addWidget(self.counts)
        foot.addWidget(self.statistics)
        foot.addWidget(self.keys)
        layout.addLayout(foot)
        for signal in (self.session.current_changed, self.session.labels_changed, self.session.size_changed):
            signal.connect(self._show_where)
        self._show_where()

    def sizeHint(self) -> QSize:  # noqa: N802, Qt's name
        """Ask for as much room as the panels need."""
        return QSize(WIDTH, 760)

    def _on_tab(self, place: int) -> None:
        """Let clicks select picks where picks are reviewed, and label particles everywhere else."""
        self.session.note(panel=list(PANELS)[place])
        tools, reviews = self.session.tools, list(PANELS)[place] == "Review"
        if reviews and tools.tool is Tool.ADD:
            tools.take(Tool.INSPECT)
        elif not reviews and tools.tool in REVIEWING:
            tools.take(Tool.ADD)

    def show_panel(self, name: str) -> None:
        """Bring a panel to the front: ``Micrographs``, ``Label``, ``Train``, ``Review`` or ``Export``."""
        self.tabs.setCurrentIndex(list(PANELS).index(name))

    def _show_wanted(self, name: str) -> None:
        if name in PANELS:
            self.show_panel(name)

    def show_statistics(self) -> None:
        """Show the charts of the project in a window of their own."""
        from cryopick_napari.gui.statistics import StatisticsWindow  # imports matplotlib

        panel = self.panels["Micrographs"]
        assert isinstance(panel, MicrographsPanel)
        self._raise("statistics", lambda: StatisticsWindow(self.session, panel.list.model, self))

    def show_keys(self) -> None:
        """Show the keys in a window of their own."""
        self._raise("keys", lambda: KeySheet(self))

    def _raise(self, name: str, make: Callable[[], QDialog]) -> None:
        if name not in self.windows:
            self.windows[name] = make()
        window = self.windows[name]
        window.show()
        window.raise_()
        window.activateWindow()

    def _show_where(self) -> None:
        """Say below the panels what is looked at."""
        session = self.session
        if session.current is None:
            self.where.show_text("No micrograph is open.")
            self.counts.clear()
            return
        place = session.micrographs.index(session.current) + 1
        count = len(session.labels.positives)
        self.where.show_text(session.current.stem)
        self.counts.setText(f"{place} of {len(session.micrographs)} · {count} labelled")


def _small(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keyboard to the micrograph
    return button


def _scrolling(panel: QWidget) -> QScrollArea:
    """Let a panel scroll where the window is low."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setWidget(panel)
    return area
