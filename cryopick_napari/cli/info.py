"""``cryopick info``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file, or a folder of coordinates"
    )


def run(options: argparse.Namespace) -> int:
    """Describe; return the exit code."""
    from cryopick_napari.describing import describe

    for file in options.files:
        for line in describe(file):
            print(line)
    return EXIT_DONE
