"""``cryopick gui``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="micrographs and coordinates; samples if none"
    )


def run(options: argparse.Namespace) -> int:
    """Open the window and wait until it is closed; return the exit code."""
    from cryopick_napari.gui.app import open_window

    open_window(options.paths)
    return EXIT_DONE
