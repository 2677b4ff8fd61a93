"""The Label panel: how large the particle is, and where some are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari.gui.panels.size import SizeForm
from cryopick_napari.gui.tools import CIRCLES, DRAWING, KEYS, Tool
from cryopick_napari.labels import Labels, look_complete

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

HOW_TO_DRAW = "Click its corners; double-click or press Enter at the last one."
WORDS = {
    Tool.ADD: ("Add particle", "Click the middle of a particle. Shift-click takes a label away."),
    Tool.NEGATIVE: (
        "Not a particle",
        "Click ice, carbon, or anything the picker takes for a particle by mistake.",
    ),
    Tool.REMOVE: ("Remove", "Click a label to take it away."),
    Tool.ERASE: ("Eraser", "Drag a circle over labels to take them away."),
    Tool.MOVE: ("Move", "Drag to move the view; click a pick to see its score."),
    Tool.COMPLETE: (
        "Fully labelled",
        "Draw an area in which you have labelled every particle: the rest of it is then learned as "
        f"background. {HOW_TO_DRAW}",
    ),
    Tool.EXCLUDE: (
        "Exclude",
        "Draw an area to leave alone, such as carbon: nothing in it is learned, picked or exported. "
        f"{HOW_TO_DRAW}",
    ),
}
AFTER_CLICKS = "general model, after clicks"
LOOKS = {
    "general model": (
        "<b>Before your first click</b>: {:,} places are circled by the general model, which learned from "
        "simulations only. Click some particles, right or missed: the picks follow."
    ),
    AFTER_CLICKS: (
        "<b>Before the third click</b>: {:,} places are circled by the general model. After it, "
        "those like your clicks are."
    ),
    "first look": (
        "<b>First look</b>: {:,} places like your clicks are circled. Nothing is trained yet: "
        "click some that are missed, then go on to Train."
    ),
}
CLICKING = (Tool.ADD, Tool.NEGATIVE, Tool.REMOVE, Tool.ERASE, Tool.MOVE)


class LabelPanel(QWidget):
    """Set the particle's size, choose what clicks do, and see how many labels there are."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.counts, self.look = QLabel(), QLabel()
        for label in (self.counts, self.look):
            label.setWordWrap(True)
        self.buttons = {tool: self._tool_button(tool) for tool in WORDS}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(_heading("1. How large is the particle?"))
        self.size_form = SizeForm(session)
        layout.addWidget(self.size_form)
        layout.addWidget(_heading("2. Where are some?"))
        layout.addLayout(self._tool_grid())
        layout.addLayout(self._circle_row())
        layout.addWidget(self.counts)
        layout.addWidget(self.look)
        layout.addLayout(self._history_row())
        layout.addWidget(_heading("3. Areas (optional)"))
        layout.addLayout(self._area_grid())
        layout.addStretch(1)
        session.tools.changed.connect(self._show_tool)
        for signal in (session.labels_changed, session.current_changed, session.field_shown):
            signal.connect(self._show_labels)
        session.review.picks_changed.connect(self._show_look)
        for signal in (session.learning.changed, session.first_look.changed, session.review.changed):
            signal.connect(self._show_look)
        self._show_tool()
        self._show_labels()

    # what the panel is made of

    def _tool_button(self, tool: Tool) -> QPushButton:
        text, tip = WORDS[tool]
        key = next((key.upper() for key, own in KEYS.items() if own is tool), "")
        button = QPushButton(f"{text} ({key})" if key else text)
        button.setToolTip(f"{tip} Key: {key}." if key else tip)
        button.setCheckable(True)
        button.clicked.connect(lambda: self._take(tool))
        return button

    def _tool_grid(self) -> QGridLayout:
        grid = QGridLayout()
        for number, tool in enumerate(CLICKING):
            grid.addWidget(self.buttons[tool], number // 2, number % 2)
        return grid

    def _circle_row(self) -> QHBoxLayout:
        self.circle = QSlider(Qt.Orientation.Horizontal)
        self.circle.setRange(5, 80)
        self.circle.setValue(round(self.session.tools.circle * 10))
        self.circle.setToolTip("Size of the eraser's circle.")
        self.circle.valueChanged.connect(lambda tenths: self.session.tools.set_circle(tenths / 10))
        row = QHBoxLayout()
        self.circle_name = QLabel("Eraser size")
        row.addWidget(self.circle_name)
        row.addWidget(self.circle, 1)
        return row

    def _history_row(self) -> QHBoxLayout:
        self.undo, self.redo, self.clear = QPushButton("Undo"), QPushButton("Redo"), QPushButton("Clear")
        self.undo.setToolTip("Takes the last change of this micrograph's labels back. Key: Ctrl+Z.")
        self.redo.setToolTip("Takes the last undo back. Key: Ctrl+Shift+Z.")
        self.clear.setToolTip("Removes all labels of this micrograph; Undo brings them back.")
        self.undo.clicked.connect(self.session.undo)
        self.redo.clicked.connect(self.session.redo)
        self.clear.clicked.connect(lambda: self.session.edit(Labels(self.session.labels.positives.above(2))))
        row = QHBoxLayout()
        for button in (self.undo, self.redo, self.clear):
            row.addWidget(button)
        return row

    def _area_grid(self) -> QGridLayout:
        self.whole = QPushButton("Whole field is labelled")
        self.whole.setCheckable(True)
        self.whole.setToolTip("Says that every particle of this micrograph is labelled.")
        self.whole.clicked.connect(self._set_whole)
        self.areas_note = QLabel()
        self.areas_note.setWordWrap(True)
        grid = QGridLayout()
        grid.addWidget(self.buttons[Tool.COMPLETE], 0, 0)
        grid.addWidget(self.buttons[Tool.EXCLUDE], 0, 1)
        grid.addWidget(self.whole, 1, 0, 1, 2)
        grid.addWidget(self.areas_note, 2, 0, 1, 2)
        return grid

    # what a person does

    def _take(self, tool: Tool) -> None:
        # A second click on the tool in hand puts it down.
        back = tool is self.session.tools.tool and tool is not Tool.ADD
        self.session.guarded(self.session.tools.take, Tool.ADD if back else tool)
        self._show_tool()

    def _set_whole(self) -> None:
        session = self.session
        if session.field is None:
            return
        labels = session.labels
        complete = (
            Labels.of_whole_field(labels.positives, session.field.micrograph.shape).complete
            if self.whole.isChecked()
            else ()
        )
        session.edit(Labels(labels.positives, labels.negatives, complete, labels.excluded))

    # what the session says

    def _show_tool(self) -> None:
        tool = self.session.tools.tool
        for own, button in self.buttons.items():
            button.setChecked(own is tool)
        for widget in (self.circle, self.circle_name):
            widget.setVisible(tool in CIRCLES)
        self._show_areas()

    def _show_labels(self) -> None:
        session = self.session
        has_field = session.field is not None
        for widget in (*self.buttons.values(), self.whole):
            widget.setEnabled(has_field)
        labels = session.labels
        has_points = len(labels.positives) + len(labels.negatives) > 0
        self.clear.setEnabled(has_field and (has_points or bool(labels.complete or labels.excluded)))
        history = session.history(session.current) if session.current is not None else None
        self.undo.setEnabled(history is not None and bool(history.past))
        self.redo.setEnabled(history is not None and bool(history.future))
        self.whole.blockSignals(True)
        self.whole.setChecked(bool(labels.complete))
        self.whole.blockSignals(False)
        self.counts.setText(_count_text(labels) if has_field else "")
        self._show_look()
        self._show_areas()

    def _show_look(self) -> None:
        """Say where the circles on the micrograph come from."""
        session = self.session
        untrained, has_clicks = session.learning.untrained, len(session.labels.positives) > 0
        words = LOOKS.get(AFTER_CLICKS if has_clicks and untrained == "general model" else untrained, "")
        shown = int(session.review.is_shown().sum())
        is_coming = session.first_look.is_running or (bool(untrained) and session.review.is_running)
        self.look.setText(words.format(shown) if shown else "Looking for particles…" if is_coming else "")
        self.look.setVisible(bool(self.look.text()))

    def _show_areas(self) -> None:
        """Say how an area is drawn while one is, else which there are."""
        is_drawing = self.session.tools.tool in DRAWING
        self.areas_note.setText(HOW_TO_DRAW if is_drawing else self._areas_text(self.session.labels))

    def _areas_text(self, labels: Labels) -> str:
        field = self.session.field
        if field is None:
            return ""
        said = []
        if labels.complete:
            said.append(f"fully labelled areas: {len(labels.complete)}")
        if labels.excluded:
            said.append(f"excluded areas: {len(labels.excluded)}")
        diameter = self.session.known_diameter
        shape = field.micrograph.shape
        if diameter and not labels.complete and look_complete(labels.positives, shape, diameter):
            said.append("Many particles are labelled. All of them? Then say so: the picker learns more.")
        return "; ".join(said)


def _count_text(labels: Labels) -> str:
    particles, others = len(labels.positives), len(labels.negatives)
    if not particles and not others:
        return "Click the middle of a few particles on the micrograph. 10 are a start, 30 are good."
    text = f"<b>{particles}</b> particle{'s' * (particles != 1)}"
    return text + (f", <b>{others}</b> marked as no particle" if others else "") + " on this micrograph"


def _heading(text: str) -> QLabel:
    label = QLabel(f"<b>{text}</b>")
    label.setContentsMargins(0, 6, 0, 0)
    return label
