"""What every test may count on: no traces in the user's home, real data or a clear word, a screen."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUI = Path(__file__).parent / "gui"
SCREEN_NEEDED = (
    "no Xvfb for the window's tests: sudo apt-get install -y xvfb xauth; or set CRYOPICK_NO_WINDOW=1"
)
NO_DATA = "no real data"


def pytest_configure(config: pytest.Config) -> None:
    """Point everything that keeps settings to a folder that goes away, before anything reads its own."""
    home = Path(tempfile.mkdtemp(prefix="cryopick-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        os.environ[variable] = str(home / variable.lower())
    os.environ["NAPARI_CONFIG"] = str(home / "napari.yaml")
    os.environ["MPLBACKEND"] = "Agg"
    # Threads that spin while they wait for a core make training many times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "PYTEST_XDIST_WORKER" in os.environ:  # the others have a core each
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.platform == "linux":
        # On a Wayland desktop Qt 6 would pass Xvfb by; "offscreen" has no OpenGL.
        os.environ["QT_QPA_PLATFORM"] = "xcb"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the window's tests out where the user says so."""
    if os.environ.get("CRYOPICK_NO_WINDOW") == "1":
        for item in filter(needs_screen, items):
            item.add_marker(pytest.mark.skip(reason="CRYOPICK_NO_WINDOW=1"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail with words where Qt would abort the whole run."""
    skipped = any(True for _ in item.iter_markers("skip"))
    if needs_screen(item) and not skipped and sys.platform == "linux" and not shutil.which("Xvfb"):
        pytest.fail(SCREEN_NEEDED, pytrace=False)


def needs_screen(item: pytest.Item) -> bool:
    """Whether a test is one of the window's."""
    return item.path.is_relative_to(GUI)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real micrographs: CRYOPICK_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("CRYOPICK_DATA") or ROOT.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    reason = f"{NO_DATA} in {folder}; set CRYOPICK_DATA"
    if os.environ.get("CRYOPICK_REQUIRE_DATA") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Say at the very end how many tests did not run for want of data."""
    yield
    if count := sum(NO_DATA in str(report.longrepr) for report in terminalreporter.getreports("skipped")):
        terminalreporter.write_line(f"{count} skipped for want of real data (set CRYOPICK_DATA)", yellow=True)
