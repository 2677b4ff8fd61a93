"""Check the installed package, without napari and Qt, from a folder that has nothing to do with it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


def run(command: str, *arguments: str) -> str:
    """Run an installed command; its output, once it has ended well."""
    print("$", command, *arguments, flush=True)
    # One thread: on a busy machine several wait for each other, and this is about the packaging.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [SCRIPTS / command, *arguments]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command} ended with {done.returncode}")
    return done.stdout


def main() -> None:
    """Raise at the first thing that is wrong."""
    present = [name for name in ("napari", "qtpy", "magicgui", "PyQt5", "PySide6") if find_spec(name)]
    assert not present, f"the core must do without {present}"
    package = find_spec("cryopick_napari")
    assert package and package.origin and Path(package.origin).is_relative_to(sys.prefix), package
    run("npe2", "validate", "cryopick-napari")
    assert version("cryopick-napari") in run("cryopick", "--version")
    run("cryopick", "demo", "--output", "out", "--quick")
    for name in ("relion/autopick.star", "report.html"):
        assert Path("out", name).stat().st_size > 0, name


if __name__ == "__main__":
    main()
