"""The part of the Export panel that picks all micrographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


KEEP = "Makes a model of the project of it, which can then pick all micrographs; you can still train later."


class PickSection(QWidget):
    """Start and stop the picking of the project, and see how far it is."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.start, self.stop = QPushButton(), QPushButton("Stop")
        self.start.clicked.connect(self._start)
        self.stop.clicked.connect(session.picking.stop)
        self.stop.setToolTip(
            "Stops after the micrograph that is being picked. What is picked is kept; you can go on later."
        )
        self.bar, self.note = QProgressBar(), QLabel()
        self.bar.setTextVisible(False)
        self.note.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.start, 1)
        row.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (row, self.bar, self.note):
            layout.addLayout(part) if isinstance(part, QHBoxLayout) else layout.addWidget(part)
        picking = session.picking
        for signal in (picking.changed, picking.progressed, picking.materials.changed):
            signal.connect(self._show)
        for signal in (session.model_changed, session.micrographs_changed, session.choice_changed):
            signal.connect(self._show)
        self._show()

    def _start(self) -> None:
        session = self.session
        session.guarded(session.picking.start if session.settings.model else session.learning.keep)

    def _show(self) -> None:
        picking = self.session.picking
        can, text, why = self._state()
        self.start.setText(text)
        self.start.setToolTip(why)
        self.start.setEnabled(can)
        self.stop.setVisible(picking.is_running)
        self.stop.setEnabled(picking.is_running and not picking.is_stopping)
        self.bar.setVisible(picking.is_running)
        step = picking.step
        self.bar.setRange(0, step.total if step else 0)
        self.bar.setValue(step.done if step else 0)
        self.note.setText(self._note())
        self.note.setVisible(bool(self.note.text()))
        self.note.setToolTip("\n".join(picking.problems[:30]))

    def _state(self) -> tuple[bool, str, str]:
        """Say whether the picking can start, what the button says, and its tooltip."""
        session, picking = self.session, self.session.picking
        count, plain = picking.remaining, "Pick the remaining micrographs"
        if picking.is_running:
            return False, "Stopping..." if picking.is_stopping else "Picking...", "It runs."
        if session.project is None or not session.micrographs:
            return False, plain, "Open micrographs first."
        if session.settings.model is None and session.learning.untrained:
            return True, f"Keep the {session.learning.untrained}", KEEP
        if session.settings.model is None:
            return False, plain, "Say how large the particle is (Label), or train a model (Train)."
        if count is None:
            return False, plain, "Being counted."
        if not session.accepted:
            return False, plain, "All micrographs are rejected: accept some under Micrographs."
        if not count:
            return False, "All micrographs are picked", "The model in use has picked all of them."
        what = "the remaining micrograph" if count == 1 else f"the remaining {count:,} micrographs"
        why = (
            f"Picks what {session.settings.model!r} has not picked yet, one after the other, while you go on."
        )
        return True, f"Pick {what}", why

    def _note(self) -> str:
        session, picking = self.session, self.session.picking
        step, problems = picking.step, picking.problems
        said = []
        if session.project is None or not session.micrographs:
            return "Open micrographs to begin."
        if session.settings.model is None:
            if what := session.learning.untrained:
                return f"The {what} is not kept yet. Keep it to pick all micrographs with it, or train."
            return "Say how large the particle is (Label), train a model (Train), or export your labels."
        if picking.is_running and step is None:
            said.append("Getting ready...")
        elif step is not None:
            said.append(f"{step.done - len(problems):,} of {step.total:,} picked")
            if picking.seconds_left is not None and not picking.is_stopping:
                said[-1] += f", {duration(picking.seconds_left)} left"
        if problems:
            count = "one could" if len(problems) == 1 else f"{len(problems):,} could"
            said.append(f"{count} not be picked: {problems[-1]}")
        return "; ".join(said)


def duration(seconds: float) -> str:
    """Say how long something takes, roughly."""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {round(minutes / 60)} h"
