"""The Micrographs panel: what is open, which one is looked at, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QAction, QMenu, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from cryopick_napari.gui import opening
from cryopick_napari.gui.layer_menu import LayerMenu
from cryopick_napari.gui.panels.display import DisplayForm
from cryopick_napari.gui.panels.follow_line import FollowLine
from cryopick_napari.gui.panels.micrograph_list import MicrographList
from cryopick_napari.gui.panels.pixel_size import PixelSizeLine
from cryopick_napari.gui.panels.place import ProjectLine
from cryopick_napari.gui.start import StartPage

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class MicrographsPanel(QWidget):
    """Open micrographs, go from one to the next, and see how far each is."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAcceptDrops(True)
        self.start = StartPage(session)
        self.list = MicrographList(session)
        self.pixel_size, self.display = PixelSizeLine(session), DisplayForm(session)
        self.project, self.following = ProjectLine(session), FollowLine(session)
        self.open = QPushButton("Open")
        self.open.setToolTip("Adds micrographs to this project, or opens another project")
        self.open.setMenu(self._open_menu())
        self.pages = QStackedLayout(self)
        for page in (self.start, self._work_page()):
            self.pages.addWidget(page)
        session.micrographs_changed.connect(self._show_page)
        self._show_page()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802, as Qt has it
        """Take files and folders."""
        data = event.mimeData()
        if data is not None and data.hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802, as Qt has it
        """Open what was dropped."""
        data = event.mimeData()
        urls = [] if data is None else data.urls()
        event.acceptProposedAction()
        if paths := [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]:
            self.session.guarded(opening.open_dropped, self.session, paths)

    def _open_menu(self) -> QMenu:
        session, menu = self.session, QMenu(self)
        self.layers = LayerMenu(session, menu)
        menu.addAction(self._action("Open micrographs…", partial(opening.ask_for_micrographs, session, self)))
        menu.addAction(self._action("Open folder…", partial(opening.ask_for_folder, session, self)))
        self.follow = self._action("Follow a folder…", partial(opening.ask_what_to_follow, session, self))
        self.follow.setToolTip("Lists, and picks, micrographs as they arrive")
        menu.addAction(self.follow)
        menu.addMenu(self.layers)
        menu.addSeparator()
        self.values = self._action("Read CTF values…", partial(opening.ask_for_values, session, self))
        self.values.setToolTip("From micrographs_ctf.star, or a csv table with a column 'micrograph'")
        menu.addAction(self.values)
        menu.addSeparator()
        self.new = self._action("New project…", partial(opening.ask_for_new_project, session, self))
        menu.addAction(self.new)
        menu.addAction(self._action("Open project…", partial(opening.ask_for_project, session, self)))
        menu.addAction(self._action("Close project", self._close))
        return menu

    def _action(self, text: str, do: Callable[[], None]) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda _: do())
        return action

    def _close(self) -> None:
        self.session.guarded(self.session.close_project)

    def _work_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(12)
        self.list.top.insertWidget(0, self.open)
        layout.addWidget(self.list, 1)
        for part in (self.following, self.pixel_size, self.display, self.project):
            layout.addWidget(part)
        return page

    def _show_page(self) -> None:
        self.pages.setCurrentIndex(1 if self.session.micrographs else 0)
