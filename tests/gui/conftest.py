"""A session in the real viewer."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from qtpy.QtWidgets import QApplication

from cryopick_napari.gui.session import Session
from cryopick_napari.simulate import samples


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the projects of tests out of the user's home, and apart."""
    home = tmp_path / "data home"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home


@pytest.fixture
def session(make_napari_viewer, data_home) -> Generator[Session, None, None]:
    """Give a session in a window that is really drawn."""
    session = Session.of(make_napari_viewer(show=True))
    QApplication.setDoubleClickInterval(60)  # tests need not wait as long between clicks as a person may
    said: list[str] = []
    session.failed.connect(said.append)
    session.said = said
    yield session
    session.close()


@pytest.fixture
def opened(session, qtbot) -> Session:
    """Give a session with the samples open, the first one shown, and the particle's size known."""
    from cryopick_napari.config import ParticleSize
    from cryopick_napari.simulate import SAMPLE_DIAMETER

    session.open_paths(samples())
    qtbot.waitUntil(lambda: session.field is not None, timeout=10_000)
    session.set_size(ParticleSize(SAMPLE_DIAMETER))
    return session
