"""The Review panel: see what the model in use picks, choose the threshold, correct it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QApplication, QGridLayout, QLabel, QPushButton, QShortcut, QVBoxLayout, QWidget

from cryopick_napari.gui.histogram import ScoreHistogram
from cryopick_napari.gui.panels.circles import CircleTools
from cryopick_napari.gui.panels.overlays import OverlayForm
from cryopick_napari.gui.panels.pick_gallery import PickGallery
from cryopick_napari.gui.panels.pick_numbers import NumberForm
from cryopick_napari.gui.tools import Tool

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

TALLEST_HISTOGRAM = 160  # px
# Models that are not saved under a name; without a word of what they are, they are being trained.
NAMELESS = {
    "general model": "general model (it has learned from simulations only)",
    "first look": "first look (your clicks; nothing is trained yet)",
    "": "the model in training",
}


class ReviewPanel(QWidget):
    """Histogram and gallery of the picks, overlays, and what a person says of the picks."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.review = session, session.review
        self.state, self.choice = QLabel(), QLabel()
        self.histogram = ScoreHistogram()
        self.histogram.setMaximumHeight(TALLEST_HISTOGRAM)
        self.numbers, self.overlays = NumberForm(session), OverlayForm(session)
        self.gallery, self.circles = PickGallery(session), CircleTools(session)
        self.shortcuts: list[QShortcut] = []
        self.accept = self._button("Accept", "A", "Labels the selected picks as particles.", self._accept)
        self.reject = self._button(
            "Reject", "X", 'Labels the selected picks as "not a particle".', self._reject
        )
        self.uncertain = self._button(
            "Next most uncertain",
            "U",
            "Selects the pick without a label whose score is nearest the threshold: what you say of it "
            "teaches the model most.",
            self.review.next_uncertain,
        )
        self.accept_all = self._button(
            "Accept all shown",
            "",
            "Labels all picks at or above the threshold as particles, but those you rejected.",
            self.review.accept_all,
        )
        self._lay_out()
        self._connect()
        self._refresh()

    def _button(self, text: str, key: str, tip: str, action: Callable[[], object]) -> QPushButton:
        button = QPushButton(f"{text} ({key})" if key else text)
        button.setToolTip(f"{tip} Key: {key}." if key else tip)
        button.clicked.connect(partial(self._do, action))
        if key:
            # The keys work all over napari's window, as long as this panel is in sight.
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.activated.connect(button.click)
            self.shortcuts.append(shortcut)
        return button

    def _do(self, action: Callable[[], object], *_: bool) -> None:
        self.session.guarded(action)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        for label in (self.state, self.choice):
            label.setWordWrap(True)
        buttons = QGridLayout()
        for number, button in enumerate((self.accept, self.reject, self.uncertain, self.accept_all)):
            buttons.addWidget(button, number // 2, number % 2)
        for widget in (self.state, self.histogram, self.numbers, self.overlays, self.choice):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self.circles)
        layout.addWidget(self.gallery, 1)

    def _connect(self) -> None:
        session, review = self.session, self.review
        self.histogram.threshold_changed.connect(review.set_threshold)
        review.picks_changed.connect(self._refresh)
        review.threshold_changed.connect(self._refresh)
        review.selected.connect(self._refresh_choice)
        review.changed.connect(self._refresh)
        self.gallery.chosen_changed.connect(self._refresh_choice)
        session.labels_changed.connect(self._refresh)
        session.tools.changed.connect(self._refresh_choice)
        session.learning.changed.connect(self._refresh)
        session.current_changed.connect(self._refresh)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)

    def _on_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        """Leave A and X to the gallery while it has the focus: two shortcuts would cancel each other out."""
        is_there = now is not None and self.gallery.isAncestorOf(now)
        for shortcut in self.shortcuts:
            shortcut.setEnabled(not (is_there and shortcut.key().toString() in ("A", "X")))

    def _targets(self) -> list[int]:
        """Say which picks are meant: those highlighted in the gallery, or the one selected on the field."""
        chosen = self.gallery.selection()
        return chosen if chosen or self.review.index is None else [self.review.index]

    def _accept(self) -> None:
        self.review.accept(self._targets())

    def _reject(self) -> None:
        self.review.reject(self._targets())

    def _refresh(self) -> None:
        review = self.review
        self.state.setText(self._state_text())
        self.histogram.set_scores(review.picks.score)
        self.histogram.set_threshold(review.threshold)
        has_picks = len(review.picks) > 0
        self.numbers.setEnabled(self.session.learning.picker is not None)
        self.uncertain.setEnabled(has_picks)
        self.accept_all.setEnabled(bool(review.is_shown().any()))
        self._refresh_choice()

    def _refresh_choice(self) -> None:
        targets = self._targets()
        self.accept.setEnabled(bool(targets))
        self.reject.setEnabled(bool(targets))
        if self.session.tools.tool in (Tool.ACCEPT, Tool.REJECT):
            self.choice.setText("Drag the circle over picks; click its button again to put it down.")
        elif len(targets) > 1:
            self.choice.setText(f"{len(targets)} picks are selected.")
        elif targets:
            score = float(self.review.picks.score[targets[0]])
            self.choice.setText(f"The selected pick scores <b>{score:.2f}</b>.")
        else:
            self.choice.setText("Click a pick, here or on the micrograph, to select it.")
        self.choice.setVisible(len(self.review.picks) > 0)

    def _state_text(self) -> str:
        session, review, learning = self.session, self.review, self.session.learning
        if session.current is None:
            return "Open micrographs to begin (Micrographs)."
        if learning.picker is None and not len(review.picks):
            if learning.model_name or learning.is_running:
                return "The model is not ready yet."
            return "No model yet: say how large the particle is (Label), and picks appear."
        if review.problem:
            return f"The model could not look at this micrograph: {review.problem}"
        if not len(review.picks):
            return "Looking for particles…" if review.is_running else "The model finds nothing here."
        shown = int(np.count_nonzero(review.is_shown()))
        model = learning.model_name or NAMELESS[learning.untrained]
        picks = f"{shown:,} pick{'s' * (shown != 1)} of {len(review.picks):,}"
        said = f"{picks} at score ≥ {review.threshold:.2f}, {model}"
        accepted, rejected = (int(np.count_nonzero(mask)) for mask in review.judged())
        return said + (f"; {accepted} accepted, {rejected} rejected" if accepted or rejected else "")
