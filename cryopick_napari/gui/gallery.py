"""The gallery: every pick of a micrograph as a small picture, to accept or reject at a glance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QItemSelectionModel, QModelIndex, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.gallery_grid import ORDERS, SIDE, Mark, PickList, PickView, pixmap
from cryopick_napari.thumbnails import BEST, average

NO_PICKS = "No picks yet.\n\nOnce this micrograph is picked, its particles appear here, the best first."
ALL_BELOW = "All {n} picks score below the threshold.\n\nLower it, or tick “Show picks below the threshold”."
CHOOSES = QItemSelectionModel.SelectionFlag.ClearAndSelect


class Gallery(QWidget):
    """Pictures of picks in order of their scores, and the average of the best.

    Picks are numbered as they were given, whatever the order they are shown in.
    """

    rejected = Signal(list)  # numbers of the picks that a person rejected
    accepted = Signal(list)  # ... or accepted
    selected = Signal(int)  # the pick to be shown in the micrograph

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picks = PickList()
        self._given_average: NDArray[np.uint8] | None = None
        self._picture, self._sentence, self._hint = QLabel(), QLabel(), QLabel(NO_PICKS)
        self._order, self._everything = QComboBox(), QCheckBox("Show picks below the threshold")
        self._reject, self._accept = QPushButton("Reject selected"), QPushButton("Accept selected")
        self._view, self._pages = PickView(), QStackedWidget()
        self._chosen = self._view.show_list(self._picks)
        self._lay_out()
        self._connect()
        self._refresh()

    def set_picks(
        self, thumbnails: NDArray[np.uint8], scores: ArrayLike, average: NDArray[np.uint8] | None = None
    ) -> None:
        """Show the picks of a micrograph.

        Parameters
        ----------
        thumbnails : (n, out, out) uint8
            As `thumbnails.cut` makes them.
        scores : (n,)
        average : (out, out) uint8 or None
            Of the best ``thumbnails.BEST`` picks; None averages the thumbnails, without those that are
            rejected.

        Raises
        ------
        ValueError
            If there are not as many scores as thumbnails.
        """
        values = np.asarray(scores, np.float32)
        if values.shape != (len(thumbnails),):
            raise ValueError(f"{len(thumbnails)} thumbnails need as many scores, not {values.shape}")
        self._given_average = average
        self._picks.set_picks(thumbnails, values)
        self._refresh()

    def set_threshold(self, threshold: float) -> None:
        """Set the score from which a pick counts."""
        self._picks.threshold = threshold
        self._refresh()

    def select(self, pick: int) -> None:
        """Highlight one pick and scroll to it, without a signal; none if it is not shown."""
        with QSignalBlocker(self):
            self._view.clearSelection()
            for chosen in self._picks.ranges([pick]):
                index = self._picks.index(chosen.top())
                self._chosen.setCurrentIndex(index, CHOOSES)
                self._view.scrollTo(index)

    def set_marks(self, accepted: NDArray[np.bool_], rejected: NDArray[np.bool_]) -> None:
        """Show which picks (n,) were accepted and which rejected, wherever that was done."""
        self._picks.set_marks(np.select([rejected, accepted], [Mark.REJECTED, Mark.ACCEPTED], Mark.NONE))
        self._show_average()

    def selection(self) -> list[int]:
        """List the selected picks, in the order they are shown in."""
        rows = sorted(index.row() for index in self._chosen.selectedIndexes())
        return [int(self._picks.order[row]) for row in rows]

    def reject_selected(self) -> None:
        """Reject the selected picks."""
        self._judge(Mark.REJECTED, self.rejected.emit)

    def accept_selected(self) -> None:
        """Accept the selected picks."""
        self._judge(Mark.ACCEPTED, self.accepted.emit)

    def _lay_out(self) -> None:
        self._picture.setFixedSize(SIDE, SIDE)
        self._picture.setScaledContents(True)
        for label in (self._sentence, self._hint):
            label.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setMargin(16)
        self._order.addItems(ORDERS)
        self._reject.setToolTip("X, Delete, or a right click. Shift and Ctrl select several.")
        self._accept.setToolTip("A. Shift and Ctrl select several.")
        for page in (self._hint, self._view):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(_row(self._picture, self._sentence))
        layout.addWidget(self._order)
        layout.addWidget(self._everything)
        layout.addWidget(self._pages, 1)
        layout.addLayout(_row(self._reject, self._accept))

    def _connect(self) -> None:
        self._order.currentTextChanged.connect(self._refresh)
        self._everything.toggled.connect(self._refresh)
        self._view.clicked.connect(self._announce)
        self._view.rejecting.connect(self.reject_selected)
        self._view.accepting.connect(self.accept_selected)
        self._chosen.currentChanged.connect(self._walked)
        self._chosen.selectionChanged.connect(self._enable)
        self._reject.clicked.connect(self.reject_selected)
        self._accept.clicked.connect(self.accept_selected)

    def _judge(self, mark: Mark, tell: Callable[[list[int]], None]) -> None:
        if picks := self.selection():
            self._picks.mark(picks, mark)
            self._show_average()
            tell(picks)

    def _announce(self, index: QModelIndex) -> None:
        self.selected.emit(int(self._picks.order[index.row()]))

    def _walked(self, index: QModelIndex) -> None:
        """Follow the arrow keys; a click tells of itself, of the same pick again too."""
        if index.isValid() and QApplication.mouseButtons() == Qt.MouseButton.NoButton:
            self._announce(index)

    def _refresh(self) -> None:
        """Arrange the picks anew; the selected ones stay so."""
        chosen = self.selection()
        self._picks.arrange(self._order.currentText(), self._everything.isChecked())
        self._chosen.select(self._picks.ranges(chosen), CHOOSES)
        total = len(self._picks.scores)
        self._hint.setText(ALL_BELOW.format(n=total) if total else NO_PICKS)
        self._pages.setCurrentWidget(self._view if self._picks.rowCount() else self._hint)
        for control in (self._order, self._everything):
            control.setEnabled(total > 0)
        self._enable()
        self._show_average()

    def _enable(self) -> None:
        some = self._chosen.hasSelection()
        self._reject.setEnabled(some)
        self._accept.setEnabled(some)

    def _show_average(self) -> None:
        kept = self._picks.kept()
        mean = self._given_average
        if mean is None:
            mean = average(self._picks.thumbnails[kept], self._picks.scores[kept])
        self._picture.setVisible(len(kept) > 0)
        self._sentence.setVisible(len(kept) > 0)
        if mean is not None and len(kept):
            self._picture.setPixmap(pixmap(mean))
            best = f"the best {BEST} of {len(kept)}" if len(kept) > BEST else f"all {len(kept)}"
            self._sentence.setText(f"Average of {best} picks" if len(kept) > 1 else "The only pick")


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
