"""The list of micrographs: find one, go to it, go from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAction,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.reject_dialog import RejectDialog
from cryopick_napari.gui.table import MicrographTable

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from cryopick_napari.gui.session import Session

KEYS = {-1: ",", 1: "."}  # napari uses neither, and they lie side by side
ORDERS = {False: Qt.SortOrder.AscendingOrder, True: Qt.SortOrder.DescendingOrder}
REJECT = "/"  # beside them
WIDTHS = (54, 48, 48)  # px of the screen, of labels, picks and scores; the first column takes the rest
NAME_WIDTH, LAST_WIDTH = 120, 76  # of the first, beside columns of other programs; of the last
MARGIN = 14  # px of the screen, around a title


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
        self.reject = QPushButton("Reject")
        self.reject.setToolTip(
            "Puts the selected micrographs aside: they are neither learned from nor picked nor exported. "
            f"Their labels stay. Press “{REJECT}” over the micrograph for this one."
        )
        self.reject.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reject_by = QPushButton("Reject by…")
        self.reject_by.setToolTip(
            "Rejects all micrographs beyond a limit: a poor CTF, few picks, a low score."
        )
        self.reject_by.clicked.connect(lambda: RejectDialog(self.model, self).open())
        self.hide_rejected = QCheckBox("Hide rejected")
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet("color: #ffa726")
        self.place = QLabel()
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect()
        self._take_sorting()
        self._show_current()
        self._show_problem()
        self._show_choice()

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
        self.header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as they were opened
        table.setSortingEnabled(True)
        self.reject_rows, self.accept_rows = QAction("Reject", table), QAction("Accept", table)
        self.remove = QAction("Remove from the project (labels are kept)", table)
        table.addActions([self.reject_rows, self.accept_rows, self.remove])
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return table

    def _take_sorting(self) -> None:
        """Sort as the project was sorted before."""
        wanted = self.session.view.sorting
        titles = [column.title for column in self.model.columns]
        if wanted is not None and wanted[0] in titles:
            column, order = titles.index(wanted[0]), ORDERS[wanted[1]]
            with QSignalBlocker(self.header):
                self.header.setSortIndicator(column, order)
            self.model.sort(column, order)

    def _note_sorting(self, column: int, order: Qt.SortOrder) -> None:
        descends = order == ORDERS[True]
        self.session.note(sorting=(self.model.columns[column].title, descends) if column >= 0 else None)

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
        choice = QHBoxLayout()
        choice.addWidget(self.reject)
        choice.addWidget(self.reject_by)
        choice.addStretch(1)
        choice.addWidget(self.hide_rejected)
        layout.addLayout(choice)

    def _connect(self) -> None:
        self.search.textChanged.connect(self.model.find)
        self.header.sortIndicatorChanged.connect(self._note_sorting)
        self.session.values_changed.connect(self._take_sorting)
        self.table.clicked.connect(self._go)
        self.table.activated.connect(self._go)
        self.remove.triggered.connect(self._remove)
        self.reject.clicked.connect(self._toggle_chosen)
        self.reject_rows.triggered.connect(lambda: self.session.reject(self._chosen_paths()))
        self.accept_rows.triggered.connect(lambda: self.session.reject(self._chosen_paths(), False))
        self.hide_rejected.toggled.connect(self.model.hide_rejected)
        self.chosen.selectionChanged.connect(lambda *_: self._show_choice())
        self.session.choice_changed.connect(self._show_choice)
        self.session.viewer.bind_key(REJECT, self._toggle_current, overwrite=True)
        self._set_widths()
        self.model.modelReset.connect(self._set_widths)
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
        for key in (*KEYS.values(), REJECT):
            self.session.viewer.bind_key(key, None)

    def _go(self, index: QModelIndex) -> None:
        self.session.go(self.model.paths[index.row()])

    def _chosen_paths(self) -> list[Path]:
        return [self.model.paths[index.row()] for index in self.chosen.selectedRows()]

    def _remove(self) -> None:
        self.session.guarded(self.session.remove, self._chosen_paths())

    def _toggle_chosen(self) -> None:
        """Reject what is selected; accept it if all of it is rejected."""
        paths = self._chosen_paths()
        self.session.reject(paths, not all(map(self.model.is_rejected, paths)))

    def _toggle_current(self, _: Viewer) -> None:
        current = self.session.current
        if current is not None:
            self.session.reject([current], not self.model.is_rejected(current))

    def _show_choice(self) -> None:
        paths, rejected = self._chosen_paths(), self.session.rejected
        accepts = bool(paths) and all(path in rejected for path in paths)
        several = f" {len(paths):,}" if len(paths) > 1 else ""
        self.reject.setText(f"{'Accept' if accepts else 'Reject'}{several}")
        self.reject.setEnabled(bool(paths))
        self.reject_by.setEnabled(bool(self.session.micrographs))
        self.hide_rejected.setVisible(bool(rejected))
        self.hide_rejected.setText(f"Hide {len(rejected):,} rejected")

    def _set_widths(self) -> None:
        last = self.model.columnCount() - 1
        is_wide = last > len(WIDTHS) + 1
        mode = QHeaderView.ResizeMode.Interactive if is_wide else QHeaderView.ResizeMode.Stretch
        self.header.setSectionResizeMode(0, mode)
        self.table.setColumnWidth(0, NAME_WIDTH)
        for column in range(1, last + 1):
            width = WIDTHS[column - 1] if column <= len(WIDTHS) else LAST_WIDTH
            if len(WIDTHS) < column < last:
                width = self.header.fontMetrics().horizontalAdvance(self.model.columns[column].title) + MARGIN
            self.table.setColumnWidth(column, width)

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
