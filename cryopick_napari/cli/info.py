"""``cryopick info``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE, EXIT_ERROR
from cryopick_napari.errors import CryopickError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file, or a folder of coordinates"
    )


def run(options: argparse.Namespace) -> int:
    """Describe; return the exit code."""
    from cryopick_napari.describing import describe

    code = EXIT_DONE
    for file in options.files:
        try:
            for line in describe(file):
                print(line)
        except CryopickError as error:
            if len(options.files) == 1:
                raise
            print(f"cryopick info: {error}", file=sys.stderr)  # and what the others are
            code = EXIT_ERROR
    return code
