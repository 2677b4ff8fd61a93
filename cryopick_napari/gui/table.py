"""The micrographs of a project as Qt sees them: a table that can be sorted and filtered."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QFont

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

ROLE = Qt.ItemDataRole
LEFT, RIGHT = (
    int(side | Qt.AlignmentFlag.AlignVCenter)
    for side in (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
)

FULLY = "✓"
NEARLY_ALL = 0.9
LAST_PART = re.compile(r"(?:(?<=.)[._-][^._-]*)?$")


@dataclass(frozen=True)
class Column:
    """A column: its title, what the title means, the text of a micrograph, and what it is sorted by.

    ``number`` is what a micrograph can be rejected by, NaN where it is unknown.
    """

    title: str
    help: str
    text: Callable[[Path], str]
    key: Callable[[Path], Any]
    align: int = RIGHT
    number: Callable[[Path], float] | None = None


class MicrographTable(QAbstractTableModel):
    """One row a micrograph: in the order they were opened, until it is sorted.

    Attributes
    ----------
    paths : list of Path
        The micrographs that are shown, from top to bottom.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.tallies = session.tallies
        self._current = session.current
        self._wanted = ""
        self._hides_rejected = False
        self._rejected = session.rejected
        self._column, self._order = -1, Qt.SortOrder.AscendingOrder
        self._is_stale = False  # the order: rows are not moved while micrographs are being picked
        self._own_columns = (
            Column("Micrograph", "The file's name", self._name, _name_key, LEFT),
            Column(
                "Labels",
                f"Particles that were labelled; {FULLY} where all of an area are",
                self._labels,
                lambda path: self.tallies.of(path).labels,
            ),
            Column(
                "Picks",
                "Picks that score at least the threshold",
                self._picks,
                _order(self._picks_number),
                number=self._picks_number,
            ),
            Column(
                "Score",
                "Mean score of these picks",
                self._score,
                _order(self._score_number),
                number=self._score_number,
            ),
            Column(
                "State",
                "What was done with it; “old picks” are those of another model",
                self.state,
                self.state,
                LEFT,
            ),
        )
        self.columns: tuple[Column, ...] = self._own_columns
        self._on_values()
        session.micrographs_changed.connect(self._arrange)
        session.values_changed.connect(self._on_values)
        session.choice_changed.connect(self._on_choice)
        session.current_changed.connect(self._on_current)
        session.row_changed.connect(lambda path: self._redraw([path]))
        session.review.threshold_changed.connect(lambda _: self._redraw(self.paths))
        session.model_changed.connect(lambda: self._redraw(self.paths))
        session.picking.changed.connect(self._settle_order)
        self.tallies.changed.connect(self._on_tallies)

    def find(self, text: str) -> None:
        """Show only files whose name holds ``text``, in capitals or not."""
        self._wanted = text.strip().lower()
        self._arrange()

    def hide_rejected(self, hides: bool) -> None:
        """Show only what is accepted, or all."""
        self._hides_rejected = hides
        self._arrange()

    def is_rejected(self, path: Path) -> bool:
        """Whether a micrograph was put aside."""
        return path in self._rejected

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1 is the order in which the micrographs were opened."""
        self._column, self._order = column, order
        self._arrange()

    def row_of(self, path: Path | None) -> int | None:
        """Find the row of a micrograph, if it is shown."""
        return None if path is None else self._rows.get(path)

    def problem(self, path: Path) -> str:
        """Say why a micrograph could not be read; empty if it could, or was not tried yet."""
        problem = self.session.problems.get(path)
        return "" if problem is None else "not read: " + str(problem).removeprefix(f"{path}: ")

    def state(self, path: Path) -> str:
        """Say what was done with a micrograph."""
        tally = self.tallies.of(path)
        if self.is_rejected(path):
            return "rejected"
        if path in self.session.problems:
            return "not read"
        if tally.labels or tally.is_complete:
            return "labelled"
        if tally.scores is None:
            return ""
        ours = self.session.settings.picked_by(self.session.settings.model)
        return "picked" if ours in (None, tally.made_by) else "old picks"

    @property
    def threshold(self) -> float:
        """Least score of a pick."""
        return self.session.review.threshold

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802, as Qt has it
        """Count the micrographs."""
        return 0 if parent.isValid() else len(self.paths)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802, as Qt has it
        """Count the columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(  # noqa: N802, as Qt has it
        self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole
    ) -> Any:
        """Tell the title of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        return {ROLE.DisplayRole: column.title, ROLE.ToolTipRole: column.help}.get(ROLE(role))

    def data(self, index: QModelIndex, role: int = ROLE.DisplayRole) -> Any:
        """Tell what a role asks of a cell."""
        path, column = self.paths[index.row()], self.columns[index.column()]
        if role == ROLE.DisplayRole:
            return column.text(path)
        if role == ROLE.TextAlignmentRole:
            return column.align
        if role == ROLE.ToolTipRole:
            return "\n".join(filter(None, (str(path), self.problem(path))))
        if role == ROLE.FontRole and (path == self._current or self.is_rejected(path)):
            font = QFont()
            font.setBold(path == self._current)
            font.setStrikeOut(self.is_rejected(path) and index.column() == 0)
            return font
        return None

    def _name(self, path: Path) -> str:
        return path.name.removesuffix(self._ending)

    def _labels(self, path: Path) -> str:
        tally = self.tallies.of(path)
        if not tally.is_complete:
            return str(tally.labels or "")
        return f"{tally.labels} {FULLY}"

    def _picks(self, path: Path) -> str:
        picks = self.tallies.of(path).picks(self.threshold)
        return "" if picks is None else str(picks)

    def _picks_number(self, path: Path) -> float:
        picks = self.tallies.of(path).picks(self.threshold)
        return math.nan if picks is None else float(picks)

    def _score_number(self, path: Path) -> float:
        score = self.tallies.of(path).mean(self.threshold)
        return math.nan if score is None else score

    def _score(self, path: Path) -> str:
        score = self.tallies.of(path).mean(self.threshold)
        return "" if score is None else f"{score:.2f}"

    def _arrange(self) -> None:
        """Take the rows anew; Qt's own sorting asks Python 30,000 questions for 2,000 rows."""
        everything = self.session.micrographs
        self.beginResetModel()
        self._rejected = self.session.rejected
        hidden = self._rejected if self._hides_rejected else frozenset()
        self.paths = [path for path in everything if self._wanted in path.name.lower() and path not in hidden]
        if self._column >= 0:
            descends = self._order == Qt.SortOrder.DescendingOrder
            self.paths.sort(key=self.columns[self._column].key, reverse=descends)
        self._rows = {path: row for row, path in enumerate(self.paths)}
        self._ending = shared_ending([path.name for path in everything])
        self.endResetModel()

    def _on_choice(self) -> None:
        if self._hides_rejected or self._column == len(self.columns) - 1:
            self._arrange()
            return
        self._rejected = self.session.rejected
        self._redraw(self.paths)

    def _on_tallies(self, paths: list[Path]) -> None:
        self._redraw(paths)
        # The current one changes by every click: it stays where it is.
        self._is_stale |= any(path != self._current for path in paths)
        self._settle_order()

    def _settle_order(self) -> None:
        """Sort anew what was picked or labelled elsewhere."""
        if self._is_stale and not self.session.picking.is_running:
            self._is_stale = False
            if self._column > 0:
                self._arrange()

    def _on_values(self) -> None:
        """Take up the columns of what is known of the micrographs."""
        columns = tuple(map(self._value_column, self.session.values.titles))
        self.columns = (*self._own_columns[:-1], *columns, self._own_columns[-1])
        if self._column >= len(self._own_columns) - 1:
            self._column = -1
        self._arrange()

    def _value_column(self, title: str) -> Column:
        def value(path: Path) -> float:
            return self.session.values.of(str(path), title)

        def text(path: Path) -> str:
            return "" if math.isnan(value(path)) else f"{value(path):.3g}"

        return Column(title, f"{title}, as another program found it", text, _order(value), number=value)

    def _on_current(self) -> None:
        before, self._current = self._current, self.session.current
        self._redraw([path for path in (before, self._current) if path is not None])

    def _redraw(self, paths: list[Path]) -> None:
        rows = [self._rows[path] for path in paths if path in self._rows]
        if rows:
            last = len(self.columns) - 1
            self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), last))


def shared_ending(names: Sequence[str]) -> str:
    """Find the end that nearly all names have, in parts that begin with a dot, a dash or an underscore.

    It says nothing and takes the room of what does. Of a single name it is what begins with its last dot.
    """
    if len(names) == 1:
        return Path(names[0]).suffix
    ending, holders = "", list(names)
    while True:
        parts = Counter(LAST_PART.findall(name.removesuffix(ending))[0] for name in holders)
        part, count = parts.most_common(1)[0] if parts else ("", 0)
        if not part or count < NEARLY_ALL * len(names):
            return ending
        ending = part + ending
        holders = [name for name in holders if name.endswith(ending)]


def _order(number: Callable[[Path], float]) -> Callable[[Path], float]:
    """Sort by a number; what is unknown comes before all."""

    def key(path: Path) -> float:
        return -math.inf if math.isnan(number(path)) else number(path)

    return key


def _name_key(path: Path) -> str:
    """Sort 9 before 10."""
    return re.sub(r"\d+", lambda number: number.group().zfill(12), path.name.lower())
