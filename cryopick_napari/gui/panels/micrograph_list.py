"""The list of micrographs: find one, go to it, go from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.table import MicrographTable

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from cryopick_napari.gui.session import Session

KEYS = {-1: ",", 1: "."}  # napari uses neither, and they lie side by side
WIDTHS = (54, 48, 48, 66)  # px of the screen, of all columns but the first, which takes the rest


class MicrographList(QWidget):
    """A table of the micrographs, with a line to filter it, and buttons to step through it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model = MicrographTable(session)
        self.chosen = QItemSelectionModel(self.model)
        self.header = QHeaderView(Qt.Orientation.Horizontal)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Type to filter")
        self.search.setClearButtonEnabled(True)
        self.search.setToolTip("Shows only files whose name holds these letters")
        self.table = self._make_table()
        self.previous, self.next = self._step_button("Previous", -1), self._step_button("Next", 1)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet("color: #ffa726")
        self.place = QLabel()
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect()
        self._show_current()
        self._show_problem()

    def step(self, by: int) -> None:
        """Go to the next micrograph of the table as it is shown (1), or the one before (-1)."""
        row = self.model.row_of(self.session.current)
        target = 0 if row is None else row + by
        if 0 <= target < len(self.model.paths):
            self.session.go(self.model.paths[target])

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setSelectionModel(self.chosen)
        table.setVerticalHeader(_hidden())
        table.setHorizontalHeader(self.header)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideLeft)  # names of a set differ at their ends
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setMinimumHeight(150)
        self.header.setSectionsClickable(True)
        self.header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(WIDTHS, 1):
            table.setColumnWidth(column, width)
        self.header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as they were opened
        table.setSortingEnabled(True)
        self.remove = QAction("Remove from the project (labels are kept)", table)
        table.addAction(self.remove)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return table

    def _step_button(self, text: str, by: int) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(
            f"Goes to the {text.lower()} micrograph of the table: press “{KEYS[by]}” over the micrograph"
        )
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keyboard to the micrograph
        button.clicked.connect(self._stepper(by))
        return button

    def _lay_out(self) -> None:
        self.top, steps = QHBoxLayout(), QHBoxLayout()
        self.top.addWidget(self.search, 1)
        steps.addWidget(self.previous)
        steps.addWidget(self.place, 1)
        steps.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self.top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.problem)
        layout.addLayout(steps)

    def _connect(self) -> None:
        self.search.textChanged.connect(self.model.find)
        self.table.clicked.connect(self._go)
        self.table.activated.connect(self._go)
        self.remove.triggered.connect(self._remove)
        self.session.current_changed.connect(self._show_current)
        self.session.current_changed.connect(self._show_problem)
        self.model.modelReset.connect(self._show_current)
        self.session.field_shown.connect(self._show_problem)
        for by, key in KEYS.items():
            self.session.viewer.bind_key(key, self._stepper(by), overwrite=True)
        self.session.closing.connect(self._free_keys)

    def _stepper(self, by: int) -> Callable[[Viewer | bool], None]:
        return lambda _: self.step(by)

    def _free_keys(self) -> None:
        for key in KEYS.values():
            self.session.viewer.bind_key(key, None)

    def _go(self, index: QModelIndex) -> None:
        self.session.go(self.model.paths[index.row()])

    def _remove(self) -> None:
        chosen = self.chosen.selectedRows()
        self.session.guarded(self.session.remove, [self.model.paths[index.row()] for index in chosen])

    def _show_current(self) -> None:
        row = self.model.row_of(self.session.current)
        if row is not None:
            index = self.model.index(row, 0)
            flags = QItemSelectionModel.SelectionFlag
            self.chosen.setCurrentIndex(index, flags.NoUpdate)
            self.chosen.select(self._whole(row), flags.ClearAndSelect)
            self.table.scrollTo(index)
        self._show_place()

    def _show_problem(self) -> None:
        current = self.session.current
        problem = "" if current is None else self.model.problem(current)
        self.problem.setText(f"This micrograph was {problem}")
        self.problem.setVisible(bool(problem))

    def _whole(self, row: int) -> QItemSelection:
        last = self.model.columnCount() - 1
        return QItemSelection(self.model.index(row, 0), self.model.index(row, last))

    def _show_place(self) -> None:
        row, rows = self.model.row_of(self.session.current), len(self.model.paths)
        shown = " shown" if rows < len(self.session.micrographs) else ""
        self.place.setText(f"{'–' if row is None else row + 1} of {rows}{shown}")
        self.previous.setEnabled(rows > 0 and row != 0)
        self.next.setEnabled(rows > 0 and row != rows - 1)


def _hidden() -> QHeaderView:
    header = QHeaderView(Qt.Orientation.Vertical)
    header.hide()
    header.setDefaultSectionSize(header.fontMetrics().height() + 6)
    return header
