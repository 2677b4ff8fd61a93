"""What the model in use says about the micrograph that is looked at."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal

from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.answers import Answer, Question
from cryopick_napari.gui.asker import Asker
from cryopick_napari.gui.canvas import Kind
from cryopick_napari.gui.overlays import Overlays
from cryopick_napari.gui.pick_settings import DEFAULTS
from cryopick_napari.gui.shown_picks import ShownPicks
from cryopick_napari.picks import Picks

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session


class Review(ShownPicks):
    """Picks and maps of the current micrograph, by the model in use.

    Attributes
    ----------
    overlays : Overlays
        The maps.
    problem : str
        Why there are none; empty if all went well.

    Signals
    -------
    changed
        Work begins or ends, other maps are there, or something went wrong.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.overlays = Overlays(session.canvas)
        self.problem = ""
        self._asker = Asker()
        self._asker.answered.connect(self._on_answer)
        self._asker.failed.connect(self._on_failed)
        self._asker.changed.connect(self.changed)
        self._asker.saved.connect(session.row_changed)
        session.field_shown.connect(self._on_field)
        session.model_changed.connect(self._on_model)
        session.project_changed.connect(self._on_project)
        session.closing.connect(self._asker.close)
        session.closing.connect(self.overlays.close)

    @property
    def min_distance(self) -> float:
        """Least distance between picks, particle diameters."""
        return self.settings["min_distance"]

    def set_min_distance(self, diameters: float | None) -> None:
        """Keep picks apart, in particle diameters; None takes the model's own distance."""
        self.settings.change("min_distance", diameters)
        self._ask()

    @property
    def avoids_contamination(self) -> bool:
        """Whether nothing is picked on contamination."""
        own, model = self.session.settings.contamination_mask, self._model_avoids
        return model if own is None else own

    @property
    def _model_avoids(self) -> bool:
        picker = self.session.learning.picker
        return DEFAULTS.contamination_mask if picker is None else picker.config.contamination_mask

    def avoid_contamination(self, avoids: bool) -> None:
        """Pick nothing on contamination, or pick everywhere; micrographs that were picked are so anew."""
        session = self.session
        session.change(contamination_mask=None if avoids == self._model_avoids else avoids)
        session.model_changed.emit()

    @property
    def levels(self) -> int:
        """How many attention maps the model in use makes."""
        picker = self.session.learning.picker
        return 0 if picker is None or not picker.config.has_attention else picker.config.depth

    def show_overlay(self, kind: Kind, visible: bool) -> None:
        """Show or hide picks or a map; one whose layer was removed comes back."""
        canvas = self.session.canvas
        canvas.change_look(kind, visible=visible)
        if visible and kind is Kind.PICKS and canvas.layer(kind) is None:
            self.draw()

    @property
    def is_running(self) -> bool:
        """Whether the model is being asked."""
        return self._asker.is_running

    def _on_field(self) -> None:
        self._asker.forget()
        self.overlays.take(None)
        self.problem = ""
        self.forget()
        self._show_saved()
        self._ask()

    def _on_project(self) -> None:
        if self.session.field is None:  # one was closed
            self._on_field()

    def _on_model(self) -> None:
        if self.session.learning.picker is None:
            self._asker.forget()
            self.overlays.take(None)
            self._show_saved()
        self.threshold_changed.emit(self.threshold)
        self._ask()

    def _ask(self) -> None:
        """Ask the model in use about the micrograph that is looked at."""
        session, picker = self.session, self.session.learning.picker
        if session.field is None or picker is None:
            self._asker.ask(None)
            return
        field, project, model = session.field, session.project, session.learning.model_name
        question = Question(
            field.path,
            field.micrograph,
            picker,
            self.min_distance,
            self.avoids_contamination,
            is_draft=model is None and not session.learning.untrained,
        )
        if project is not None and model is not None:
            made_by = session.settings.picked_by(model) or model
            question = replace(question, save=partial(project.save_picks, field.path, model=made_by))
        self._asker.ask(question)

    def _on_answer(self, answer: Answer) -> None:
        self.problem = ""
        self.show(answer.picks)
        self.overlays.take(answer)
        self.changed.emit()

    def _on_failed(self, error: CryopickError) -> None:
        is_news = str(error) != self.problem  # a training asks again and again
        self.problem = str(error)
        if is_news:
            self.session.say(error)
        self.changed.emit()

    def _show_saved(self) -> None:
        """Show what the model in use said of this micrograph before, if it did."""
        session, saved = self.session, None
        if session.project is not None and session.field is not None:
            saved = session.project.picks(session.field.path)
        known = saved is not None and saved[1] == session.settings.picked_by(session.learning.model_name)
        self.show(saved[0] if saved is not None and known else Picks.of([]))
