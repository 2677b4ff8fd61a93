"""The Train panel: let the picker learn, watch it, and choose among its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from cryopick_napari.gui.curves import Curves
from cryopick_napari.gui.panels.models import ModelTable
from cryopick_napari.gui.panels.train_words import course, obstacle, readiness
from cryopick_napari.gui.panels.training_options import TrainingOptions

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

HEIGHT = 36  # px, of the button that matters most
TRAIN_TIP = "Learns from all labels of the project, beside the window: go on labelling meanwhile."


class TrainPanel(QWidget):
    """Start and stop a training, and see how it goes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.learning = session.learning
        self.state, self.note = QLabel(), QLabel()
        for label in (self.state, self.note):
            label.setWordWrap(True)
        self.options = TrainingOptions(self.learning)
        self.curves = Curves()
        self.curves_name = QLabel()
        self.models = ModelTable(session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.state)
        layout.addLayout(self._buttons())
        layout.addWidget(self._bar())
        for widget in (self.note, self.options, self.curves_name, self.curves):
            layout.addWidget(widget)
        layout.addWidget(QLabel("<b>Models</b>"))
        layout.addWidget(self.models)
        layout.addStretch(1)
        self._connect()
        self._show()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802, Qt's name
        """Look which preset suits the computer, now that somebody wants to know."""
        super().showEvent(event)
        self.learning.look_at_device()

    # what the panel is made of

    def _buttons(self) -> QHBoxLayout:
        self.train, self.go_on = QPushButton("Train"), QPushButton("Continue")
        self.stop = QPushButton("Stop and keep the best")
        self.train.setStyleSheet("font-weight: bold")
        self.go_on.setToolTip(
            "Goes on with the training that was interrupted, with the labels and settings it had."
        )
        self.stop.setToolTip(
            "Ends the training early. The best model so far is kept, unless the first epoch is not over yet."
        )
        self.train.clicked.connect(self._start)
        self.go_on.clicked.connect(self._resume)
        self.stop.clicked.connect(self.learning.stop)
        row = QHBoxLayout()
        for button, share in ((self.train, 2), (self.go_on, 1), (self.stop, 2)):
            button.setMinimumHeight(HEIGHT)
            row.addWidget(button, share)
        return row

    def _bar(self) -> QProgressBar:
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.bar.setToolTip("How much of the training is done. It may end sooner if nothing improves.")
        return self.bar

    def _connect(self) -> None:
        session = self.session
        for signal in (session.project_changed, session.micrographs_changed, session.size_changed):
            signal.connect(self._show)
        for signal in (
            session.choice_changed,
            self.learning.changed,
        ):
            signal.connect(self._show)
        session.tallies.changed.connect(self._show)
        self.learning.progressed.connect(self._show_progress)
        self.models.selected.connect(self._show_curves)

    # what a person does

    def _start(self) -> None:
        self.session.guarded(self._start_with_options)

    def _resume(self) -> None:
        self.session.guarded(self.learning.resume)

    def _start_with_options(self) -> None:
        options = self.options
        self.learning.start(options.preset(), options.picker_settings(), options.training_settings())

    # what the session says

    def _show(self) -> None:
        running, particles = self.learning.is_running, self.session.tallies.labelled()[0]
        told = obstacle(self.session, particles)
        self.train.setVisible(not running)
        self.train.setEnabled(not told)
        self.train.setToolTip(told or TRAIN_TIP)
        self.go_on.setVisible(self.learning.can_resume)
        self.stop.setVisible(running)
        self.stop.setEnabled(not self.learning.is_stopping)
        self.bar.setVisible(running)
        self.options.setEnabled(not running)
        self.note.setText(self.learning.message)
        self.note.setVisible(bool(self.learning.message))
        self._show_progress()
        self._show_curves()

    def _show_progress(self) -> None:
        learning = self.learning
        if not learning.is_running:
            self.state.setText(readiness(self.session, *self.session.tallies.labelled()))
            return
        progress = learning.progress
        self.state.setText(course(progress, learning.seconds_left, learning.is_stopping))
        steps = progress.steps if progress is not None else 0
        self.bar.setRange(0, steps)
        self.bar.setValue(progress.step if progress is not None else 0)

    def _show_curves(self) -> None:
        """Show the training that runs, or how the selected model was made."""
        learning, record = self.learning, self.models.selection()
        if learning.is_running:
            name, rows = "This training", learning.rows
        elif record is not None:
            name, rows = f"How {record.name} was trained", list(record.rows)
        else:
            name, rows = "", learning.rows
        epochs = learning.progress.epochs if learning.progress is not None else len(rows)
        self.curves.set_epochs(epochs)
        self.curves.set_rows(rows)
        self.curves_name.setText(name)
        self.curves_name.setVisible(bool(name))
