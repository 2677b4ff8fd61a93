"""The picks of a gallery as Qt sees them: a list of pictures in an order, and how one is drawn."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QContextMenuEvent, QImage, QKeyEvent, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

SIDE = 72  # px of the screen, of a picture
CAPTION, EDGE = 16, 4
CELL = QSize(SIDE + 2 * EDGE, SIDE + 2 * EDGE + CAPTION)
ORDERS = ("Best first", "Worst first", "Most uncertain first")
ACCEPTED_COLOUR, REJECTED_COLOUR = QColor(90, 200, 120), QColor(235, 90, 70)
REJECT_KEYS = Qt.Key.Key_X, Qt.Key.Key_Delete
ACCEPT_KEYS = (Qt.Key.Key_A,)
DIMMED = 0.45  # opacity of picks below the threshold
PICTURE, DIM, MARK = (int(Qt.ItemDataRole.UserRole) + n for n in range(3))


class Mark(IntEnum):
    """What a person said of a pick."""

    NONE, ACCEPTED, REJECTED = range(3)


def pixmap(grey: NDArray[np.uint8]) -> QPixmap:
    """Make a picture of grey values (h, w)."""
    height, width = grey.shape
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image)


class PickList(QAbstractListModel):
    """Picks in the order a person chose; their numbers are the caller's."""

    def __init__(self) -> None:
        super().__init__()
        self.thumbnails: NDArray[np.uint8] = np.zeros((0, 1, 1), np.uint8)
        self.scores: NDArray[np.float32] = np.zeros(0, np.float32)
        self.marks: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.order: NDArray[np.intp] = np.zeros(0, np.intp)
        self.threshold = 0.0

    def set_picks(self, thumbnails: NDArray[np.uint8], scores: NDArray[np.float32]) -> None:
        """Take picks (n, out, out) with scores (n,); nothing is said of them yet. Call `arrange` next."""
        self.beginResetModel()
        self.thumbnails, self.scores = thumbnails, scores
        self.marks, self.order = np.zeros(len(scores), np.uint8), np.zeros(0, np.intp)
        self.endResetModel()

    def arrange(self, order: str, everything: bool) -> None:
        """Put the picks in one of ``ORDERS``, those below the threshold only if ``everything``."""
        keys = {
            "Best first": -self.scores,
            "Worst first": self.scores,
            "Most uncertain first": np.abs(self.scores - self.threshold),
        }
        arranged = np.argsort(keys[order], kind="stable")
        self.beginResetModel()
        self.order = arranged if everything else arranged[~self.dim()[arranged]]
        self.endResetModel()

    def dim(self) -> NDArray[np.bool_]:
        """Whether each pick is below the threshold; accepted ones never are."""
        below: NDArray[np.bool_] = (self.scores < self.threshold) & (self.marks != Mark.ACCEPTED)
        return below

    def kept(self) -> NDArray[np.intp]:
        """Number the picks that count: neither below the threshold nor rejected."""
        return np.flatnonzero(~self.dim() & (self.marks != Mark.REJECTED))

    def mark(self, picks: list[int], mark: Mark) -> None:
        """Note what a person said of some picks."""
        self.marks[picks] = mark
        self.dataChanged.emit(self.index(0), self.index(len(self.order) - 1))

    def set_marks(self, marks: NDArray[Any]) -> None:
        """Note what was said of all picks (n,), as values of ``Mark``."""
        self.marks = marks.astype(np.uint8)
        self.dataChanged.emit(self.index(0), self.index(len(self.order) - 1))

    def ranges(self, picks: list[int]) -> QItemSelection:
        """Find where picks stand now, as few ranges as they make; those not shown are left out."""
        rows = np.flatnonzero(np.isin(self.order, picks))
        runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
        chosen = QItemSelection()
        for run in runs:
            chosen.append(QItemSelectionRange(self.index(int(run[0])), self.index(int(run[-1]))))
        return chosen

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802, as Qt has it
        """Count the picks that are shown."""
        return 0 if parent.isValid() else len(self.order)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Tell what a role asks of a pick."""
        pick = int(self.order[index.row()])
        mark = Mark(int(self.marks[pick]))
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self.scores[pick]:.2f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            said = "" if mark is Mark.NONE else f", {mark.name.lower()}"
            return f"Pick {pick + 1}: score {self.scores[pick]:.3f}{said}"
        if role == PICTURE:
            return pixmap(self.thumbnails[pick])
        if role == DIM:
            return bool(self.dim()[pick])
        return mark if role == MARK else None


class PickDelegate(QStyledItemDelegate):
    """Draws one pick: its picture, its score below, and what was said of it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802, as Qt has it
        """Tell the size of a cell."""
        return CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw it in the cell that ``option`` names."""
        mark, selected = index.data(MARK), bool(option.state & QStyle.StateFlag.State_Selected)
        picture = QRect(option.rect.left() + EDGE, option.rect.top() + EDGE, SIDE, SIDE)
        caption = QRect(picture.left(), picture.bottom() + 1, SIDE, CAPTION)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if selected:
            painter.fillRect(option.rect.adjusted(1, 1, -1, -1), option.palette.highlight())
        painter.setOpacity(DIMMED if index.data(DIM) or mark == Mark.REJECTED else 1.0)
        painter.drawPixmap(picture, index.data(PICTURE))
        text = option.palette.highlightedText() if selected else option.palette.text()
        painter.setPen(text.color())
        painter.drawText(caption, int(Qt.AlignmentFlag.AlignCenter), index.data())
        painter.setOpacity(1.0)
        _draw_mark(painter, picture, mark)
        painter.restore()


def _draw_mark(painter: QPainter, picture: QRect, mark: Mark) -> None:
    """Frame an accepted pick, cross out a rejected one."""
    if mark == Mark.ACCEPTED:
        painter.setPen(QPen(ACCEPTED_COLOUR, 2))
        painter.drawRect(picture.adjusted(1, 1, -1, -1))
    if mark == Mark.REJECTED:
        painter.setPen(QPen(REJECTED_COLOUR, 2))
        painter.drawLine(picture.topLeft(), picture.bottomRight())
        painter.drawLine(picture.bottomLeft(), picture.topRight())


class PickView(QListView):
    """The scrollable grid; equal cells keep thousands quick."""

    rejecting = Signal()  # by a key or a right click
    accepting = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("picks")
        self.setItemDelegate(PickDelegate(self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setGridSize(CELL)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    def show_list(self, picks: PickList) -> QItemSelectionModel:
        """Show picks, and return the selection among them."""
        self.setModel(picks)
        chosen = QItemSelectionModel(picks, self)
        self.setSelectionModel(chosen)
        return chosen

    def event(self, event: QEvent) -> bool:
        """Keep our keys from the window's shortcuts while the grid has the focus."""
        ours = isinstance(event, QKeyEvent) and event.key() in (*REJECT_KEYS, *ACCEPT_KEYS)
        if ours and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802, as Qt has it
        """Reject or accept by a key; the others walk."""
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if plain and event.key() in REJECT_KEYS:
            self.rejecting.emit()
        elif plain and event.key() in ACCEPT_KEYS:
            self.accepting.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802, as Qt has it
        """Reject what is selected: the right click has selected what lies below it."""
        if self.indexAt(event.pos()).isValid():
            self.rejecting.emit()
