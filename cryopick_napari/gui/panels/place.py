"""Where the project is, and how to give it a place of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from cryopick_napari.gui import opening
from cryopick_napari.gui.recent import project_name

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

PADDING = 8  # px of the screen, of a label in napari's style


class ElidedLabel(QLabel):
    """A line that gives up its middle where there is no room."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.full = text
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str) -> None:
        """Show a line; all of it is in the tooltip."""
        self.full = text
        self.setToolTip(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802, as Qt has it
        """Use the room there is now."""
        super().resizeEvent(event)
        self._elide()

    def minimumSizeHint(self) -> QSize:  # noqa: N802, as Qt has it
        """Ask for no width."""
        return QSize(0, super().minimumSizeHint().height())

    def _elide(self) -> None:
        self.setText(
            self.fontMetrics().elidedText(self.full, Qt.TextElideMode.ElideMiddle, self.width() - PADDING)
        )


class ProjectLine(QWidget):
    """The project's name and folder."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.name, self.where = ElidedLabel(), ElidedLabel()
        self.save_as = QPushButton("Save project as…")
        self.save_as.setToolTip(
            "Keeps the project (labels, models, picks) in a folder of your choice from now on. "
            "The micrographs stay where they are."
        )
        self.save_as.clicked.connect(lambda: opening.ask_where_to_save(session, self))
        self.try_again = QPushButton("Try again")
        self.try_again.setToolTip("Opens the project to work on it, once it is closed elsewhere.")
        self.try_again.clicked.connect(self._try_again)
        self.try_again.hide()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.name, 0, 0)
        layout.addWidget(self.save_as, 0, 1)
        layout.addWidget(self.where, 1, 0)
        layout.addWidget(self.try_again, 1, 1)
        layout.setColumnStretch(0, 1)
        session.project_changed.connect(self._show)
        self._show()

    def _try_again(self) -> None:
        self.session.guarded(self.session.try_again)

    def _show(self) -> None:
        project = self.session.project
        if project is not None:
            self.name.show_text(f"Project: {project_name(project.folder)}")
            holder = self.session.holder
            self.try_again.setVisible(holder is not None)
            self.where.setStyleSheet("" if holder is None else "color: #ffa726")
            saved = f"Saved automatically in {project.folder}"
            self.where.show_text(saved if holder is None else f"Only shown: in use {holder}")
