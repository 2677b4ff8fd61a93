"""``cryopick convert``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryopick_napari.cli import EXIT_DONE
from cryopick_napari.errors import CryopickError

FORMATS = ("relion", "box", "cbox", "csv", "topaz")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a coordinate file, or a folder with one a micrograph"
    )
    parser.add_argument("target", type=Path, metavar="OUT", help="a folder; or a file, for one micrograph")
    parser.add_argument("--format", choices=FORMATS, help="of OUT; a file's ending can say it")
    parser.add_argument("--source-format", choices=FORMATS, help="of IN, where its content does not say it")
    parser.add_argument("--flip-y", action="store_true", help="mirror: row r becomes height - 1 - r")
    parser.add_argument(
        "--micrographs", nargs="+", metavar="PATH", help="where names and heights are taken from"
    )
    parser.add_argument("--height", type=int, metavar="PX", help="of the micrographs, instead of giving them")
    parser.add_argument(
        "--diameter-px", type=float, metavar="PX", help="side of a box, for formats that have one"
    )


def run(options: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    from cryopick_napari.coordinates import convert
    from cryopick_napari.micrograph import find_micrographs, read_micrograph

    if options.height is not None and options.height < 1:
        raise CryopickError(f"--height must be at least 1 px, not {options.height}")
    shapes = None
    if options.micrographs:
        shapes = {path: read_micrograph(path).shape for path in find_micrographs(options.micrographs)}
    written = convert(
        options.source,
        options.target,
        options.format,
        flip_y=options.flip_y,
        micrographs=shapes,
        height=options.height,
        diameter=options.diameter_px,
        source_format=options.source_format,
    )
    print(f"wrote {written[-1]}" + (f" and {len(written) - 1} more" if len(written) > 1 else ""))
    return EXIT_DONE
