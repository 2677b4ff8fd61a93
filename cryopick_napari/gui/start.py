"""What a window shows before something is open: the ways to begin."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from cryopick_napari.gui import opening
from cryopick_napari.gui.layer_menu import LayerMenu
from cryopick_napari.gui.places import projects_folder
from cryopick_napari.gui.recent import Recent, recent_projects
from cryopick_napari.gui.worker import Job, once

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

HEIGHT = 40  # px of the screen, of the large buttons
MOST_RECENT = 5


class StartPage(QWidget):
    """Large buttons, and the projects of before."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        welcome = QLabel("Open micrographs to begin, or drop files or a folder here.")
        welcome.setWordWrap(True)
        layout.addWidget(welcome)
        self.files = _large("Open micrographs…", "Choose MRC, TIFF, PNG or JPEG files")
        self.folder = _large("Open folder…", "Open all micrographs of a folder")
        self.follow = _large(
            "Follow a folder…", "List and pick micrographs as they arrive from the microscope"
        )
        self.samples = _large("Try the samples", "Open four simulated micrographs that come with cryopick")
        self.project = _large("Open project…", "Go on with a project that was saved elsewhere")
        self.files.setDefault(True)
        self.files.clicked.connect(lambda: opening.ask_for_micrographs(session, self))
        self.folder.clicked.connect(lambda: opening.ask_for_folder(session, self))
        self.follow.clicked.connect(lambda: opening.ask_what_to_follow(session, self))
        self.samples.clicked.connect(self._open_samples)
        self.project.clicked.connect(lambda: opening.ask_for_project(session, self))
        self.layer = _large("Use layer", "Add an image that you opened in napari to the micrographs")
        self.layer.setMenu(LayerMenu(session, self))
        for button in (self.files, self.folder, self.follow, self.samples, self.project, self.layer):
            layout.addWidget(button)
        self.heading = QLabel("<b>Recent projects</b>")
        self.heading.setContentsMargins(0, 12, 0, 0)
        layout.addWidget(self.heading)
        self.recent = QVBoxLayout()
        layout.addLayout(self.recent)
        layout.addStretch()
        self._show_recent([])

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802, as Qt has it
        """List the projects anew."""
        super().showEvent(event)
        home = projects_folder()
        job = Job(once(lambda: recent_projects(home)[:MOST_RECENT]), "recent projects")
        job.returned.connect(self._show_recent)
        self.session.closing.connect(job.abandon)
        job.start()

    def _show_recent(self, projects: list[Recent]) -> None:
        while self.recent.count():
            item = self.recent.takeAt(0)
            button = None if item is None else item.widget()
            if button is not None:
                button.deleteLater()
        self.heading.setVisible(bool(projects))
        for project in projects:
            self.recent.addWidget(self._button(project))

    def _button(self, project: Recent) -> QPushButton:
        micrographs, labels = _count(project.micrographs, "micrograph"), _count(project.labels, "label")
        button = QPushButton(f"{project.name}\n{micrographs}, {labels}")
        button.setToolTip(str(project.folder))
        button.setStyleSheet("text-align: left; padding: 4px 8px")
        button.clicked.connect(partial(self._open, project.folder))
        return button

    def _open_samples(self) -> None:
        self.session.guarded(opening.open_samples, self.session)

    def _open(self, folder: Path, checked: bool = False) -> None:
        self.session.guarded(opening.open_project, self.session, folder)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _large(text: str, help: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(help)
    button.setMinimumHeight(HEIGHT)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button
