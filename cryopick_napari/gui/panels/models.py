"""The project's models, one beneath the other to be compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.panels.train_words import FIGURES, UNKNOWN, date, figure, is_known
from cryopick_napari.models import ModelRecord

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

COLUMNS = {
    "": "The model in use is marked.",
    "Model": "Double-click to use; F2 to rename.",
    "Made": "When its training ended.",
    "Labels": "Labelled particles it learned from.",
    "F1": "Of its picks on held-out labels: 1 is perfect. Known where areas are fully labelled.",
    "Recall": "Part of the held-out particles that it finds.",
}
NAME, F1 = map(list(COLUMNS).index, ("Model", "F1"))
MOST_ROWS = 6  # that are seen without scrolling
FILES = "Models (*.safetensors)"
CLICKS_ONLY = "Unknown: labels that are only clicks do not say where no particle is."


class ModelTable(QWidget):
    """Lists the models; uses, renames, imports and exports them.

    Signals
    -------
    selected
        Another model is selected, or none.
    """

    selected = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.records: list[ModelRecord] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.empty = QLabel("They appear here after the first training.")
        layout.addWidget(self.empty)
        layout.addWidget(self._table())
        layout.addLayout(self._buttons())
        session.learning.changed.connect(self.refresh)
        session.project_changed.connect(self.refresh)
        self.refresh()

    def selection(self) -> ModelRecord | None:
        """Give the selected model."""
        chosen = self.table.selectedItems()
        return self.records[chosen[0].row()] if chosen else None

    # what it is made of

    def _table(self) -> QTableWidget:
        self.table = QTableWidget(0, len(COLUMNS))
        for number, (name, tip) in enumerate(COLUMNS.items()):
            item = QTableWidgetItem(name)
            item.setToolTip(tip)
            self.table.setHorizontalHeaderItem(number, item)
        header, side = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None and side is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        side.hide()
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.table.setAccessibleName("Models of the project")
        self.table.cellDoubleClicked.connect(self._use)
        self.table.itemChanged.connect(self._rename)
        self.table.itemSelectionChanged.connect(self._on_selection)
        return self.table

    def _buttons(self) -> QHBoxLayout:
        self.use, self.edit = QPushButton("Use"), QPushButton("Rename")
        self.export, self.bring = QPushButton("Export..."), QPushButton("Import...")
        self.edit.setToolTip("Gives the selected model another name.")
        self.export.setToolTip("Writes the selected model to a file, for the command line or other projects.")
        self.bring.setToolTip("Takes a model file, such as the command line makes, into this project.")
        self.use.clicked.connect(self._use)
        self.edit.clicked.connect(lambda: self.table.editItem(self.table.item(self.table.currentRow(), NAME)))
        self.export.clicked.connect(self._export)
        self.bring.clicked.connect(self._import)
        row = QHBoxLayout()
        for button in (self.use, self.edit, self.export, self.bring):
            row.addWidget(button)
        return row

    # what a person does

    def _use(self) -> None:
        record = self.selection()
        if record is not None:
            self.session.guarded(self.session.learning.use, record.name)

    def _rename(self, item: QTableWidgetItem) -> None:
        old = self.records[item.row()].name
        if item.text() != old and not self.session.guarded(self.session.learning.rename, old, item.text()):
            self.refresh()

    def _export(self) -> None:
        record = self.selection()
        if record is None:
            return
        proposal = str(Path.home() / f"{record.name}.safetensors")
        path, _ = QFileDialog.getSaveFileName(self, "Export model", proposal, FILES)
        if path:
            self.session.guarded(self.session.learning.export_model, record.name, path)

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import model", "", FILES)
        if path:
            self.session.guarded(self.session.learning.import_model, path)

    # what the session says

    def refresh(self) -> None:
        """Show the models as they are now."""
        kept = self.selection()
        names = [record.name for record in self.records]
        self.records = self.session.learning.models()
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.records))
        for number, record in enumerate(self.records):
            self._fill(number, record)
        self.table.blockSignals(False)
        self._fit()
        new = [record.name for record in self.records if record.name not in names]
        wanted = new[-1] if new else kept.name if kept else self.session.learning.model_name
        self._select(wanted)
        self._on_selection()

    def _fill(self, number: int, record: ModelRecord) -> None:
        in_use = record.name == self.session.learning.model_name
        found = record.validation
        texts = ("●" if in_use else "", record.name, date(record.created), str(record.labels or UNKNOWN))
        tips = {0: "In use." if in_use else "", F1: "" if is_known(found.get("f1")) else CLICKS_ONLY}
        for column, text in enumerate((*texts, *(figure(found.get(key)) for key in FIGURES))):
            # What is there is only changed: a name may be being edited.
            item = self.table.item(number, column) or self._new_item(number, column)
            item.setText(text)
            item.setToolTip(tips.get(column, ""))
            font = item.font()
            font.setBold(in_use)
            item.setFont(font)

    def _new_item(self, row: int, column: int) -> QTableWidgetItem:
        item = QTableWidgetItem()
        if column != NAME:
            item.setFlags(item.flags() ^ Qt.ItemFlag.ItemIsEditable)
        if column > NAME:
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table.setItem(row, column, item)
        return item

    def _fit(self) -> None:
        """Be as high as the models need, and leave the scrolling to the panel if they are few."""
        self.empty.setVisible(not self.records)
        self.table.setVisible(bool(self.records))
        rows = min(len(self.records), MOST_ROWS)
        header, side = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None and side is not None
        self.table.setFixedHeight(side.defaultSectionSize() * rows + header.sizeHint().height() + 4)

    def _select(self, name: str | None) -> None:
        for number, record in enumerate(self.records):
            if record.name == name:
                self.table.selectRow(number)
                return
        self.table.clearSelection()

    def _on_selection(self) -> None:
        learning, record = self.session.learning, self.selection()
        for button in (self.edit, self.export):
            button.setEnabled(record is not None)
        self.bring.setEnabled(self.session.project is not None and not learning.is_running)
        is_other = record is not None and record.name != learning.model_name
        self.use.setEnabled(is_other and not learning.is_running)
        self.use.setToolTip(
            "Stop the training first: its model is in use."
            if learning.is_running
            else "Picks with the selected model."
            if is_other or record is None
            else "This model is in use."
        )
        self.selected.emit()
