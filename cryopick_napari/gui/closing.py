"""Tell when a window of napari really goes: it may ask first, and be told to stay."""

from __future__ import annotations

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Signal
from qtpy.QtWidgets import QWidget


class Closing(QObject):
    """Watches a window.

    Signals
    -------
    asked
        Somebody wants to close it.
    closed
        It is gone, or the program ends.
    """

    asked = Signal()
    closed = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._was_asked = False
        window.installEventFilter(self)
        application = QCoreApplication.instance()
        assert application is not None  # there is a window
        self._quit = application.aboutToQuit
        self._quit.connect(self.closed)

    def stop(self) -> None:
        """Watch no longer."""
        window = self.parent()
        if window is not None:
            window.removeEventFilter(self)
        self.setParent(None)
        self._quit.disconnect(self.closed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802, Qt's name
        """Hear of the closing. The program asks nobody; after a person said yes, the window is hidden."""
        kind = event.type()
        if kind == QEvent.Type.Close:
            self._was_asked = True
            self.asked.emit()
        if self._was_asked and kind in (QEvent.Type.Close, QEvent.Type.Hide) and not event.spontaneous():
            self.closed.emit()
        return False
