"""How the picks of a model are chosen: as the project says, or else the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from cryopick_napari.config import PickerConfig

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session

SAVE_AFTER = 300  # ms without another change
DEFAULTS = PickerConfig()


class PickSettings(QObject):
    """``threshold`` and ``min_distance``, written to the project when a slider has come to rest."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._unsaved: dict[str, float | None] = {}
        self._save = QTimer(self)
        self._save.setSingleShot(True)
        self._save.setInterval(SAVE_AFTER)
        self._save.timeout.connect(self._write)
        session.project_changed.connect(self._forget)
        session.closing.connect(self._write)

    def __getitem__(self, name: str) -> float:
        own, picker = self.own(name), self._session.learning.picker
        value: float = getattr(DEFAULTS if picker is None else picker.config, name) if own is None else own
        return value

    def own(self, name: str) -> float | None:
        """Give what a person set in place of the model's value, None if nothing."""
        if name in self._unsaved:
            return self._unsaved[name]
        value: float | None = getattr(self._session.settings, name)
        return value

    def change(self, name: str, value: float | None) -> None:
        """Set a value; None takes the model's own."""
        self._unsaved[name] = value
        self._save.start()

    def _write(self) -> None:
        self._save.stop()
        unsaved, self._unsaved = self._unsaved, {}
        self._session.change(**unsaved)

    def _forget(self) -> None:
        """Another project has its own."""
        self._save.stop()
        self._unsaved.clear()
