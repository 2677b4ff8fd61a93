"""``cryopick convert``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE
from cryopick_napari.cli.options import COORDINATE_FORMATS
from cryopick_napari.errors import CryopickError
from cryopick_napari.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryopick_napari.coordinates import About, Turn

SHOWN = 20  # names of micrographs that are not there, before they are only counted


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a coordinate file, or a folder with one a micrograph"
    )
    parser.add_argument(
        "target",
        type=Path,
        nargs="?",
        metavar="OUT",
        help="a folder; or a file (not needed with --check)",
    )
    parser.add_argument(
        "--format", choices=(*COORDINATE_FORMATS, "cs"), help="of OUT; a file's ending can say it"
    )
    parser.add_argument(
        "--source-format", choices=COORDINATE_FORMATS, help="of IN, where its content does not say it"
    )
    parser.add_argument("--flip-y", action="store_true", help="mirror: row r becomes height - 1 - r")
    parser.add_argument("--flip-x", action="store_true", help="mirror: column c becomes width - 1 - c")
    parser.add_argument(
        "--swap-xy", action="store_true", help="exchange x and y, before anything is mirrored"
    )
    parser.add_argument(
        "--micrographs",
        nargs="+",
        metavar="PATH",
        help="files, folders, or RELION's or cryoSPARC's lists: where names, sizes and CTF are from",
    )
    parser.add_argument("--height", type=int, metavar="PX", help="of the micrographs, instead of giving them")
    parser.add_argument(
        "--diameter-px", type=float, metavar="PX", help="side of a box, for formats that have one"
    )
    parser.add_argument(
        "--exposures", type=Path, metavar="CS", help="cryoSPARC's own .cs of the micrographs, to write a .cs"
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="MICROGRAPH",
        help="look whether the positions fit this micrograph as they are, flipped or with x and y exchanged; "
        "writes a picture",
    )

    parser.set_defaults(complain=parser.error)


def run(options: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    from cryopick_napari.coordinates import Turn
    from cryopick_napari.micrograph_lists import about_micrographs

    if options.height is not None and options.height < 1:
        raise CryopickError(f"--height must be at least 1 px, not {options.height}")
    if options.target is None and options.check is None:
        options.complain("give OUT, a file or folder to write; or --check MICROGRAPH")
    micrographs = about_micrographs(options.micrographs) if options.micrographs else None
    turn = Turn(options.swap_xy, options.flip_y, options.flip_x)
    if options.check is not None:
        _check(options, turn)
    if options.target is not None:
        _convert(options, turn, micrographs)
        if micrographs and (warning := _warning(options, turn, micrographs)):
            print(f"note: {warning}", file=sys.stderr)
    return EXIT_DONE


def _convert(options: argparse.Namespace, turn: Turn, micrographs: Mapping[Path, About] | None) -> None:
    from cryopick_napari.coordinates import convert

    converted = convert(
        options.source,
        options.target,
        options.format,
        turn=turn,
        micrographs=micrographs,
        height=options.height,
        diameter=options.diameter_px,
        source_format=options.source_format,
        exposures=options.exposures,
    )
    if lost := converted.unmatched:
        names = "".join(f"\n  {name}" for name in lost[:SHOWN])
        more = f"\n  and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        print(f"note: left out, for no single micrograph is called so: {names}{more}", file=sys.stderr)
    written = converted.files
    print(f"wrote {written[-1]}" + (f" and {len(written) - 1} more" if len(written) > 1 else ""))


def _warning(options: argparse.Namespace, turn: Turn, micrographs: Mapping[Path, About]) -> str:
    """Look at a few micrographs, for positions that are upside down look like any others."""
    from cryopick_napari.config import UNKNOWN_DIAMETER
    from cryopick_napari.coordinates import pair, read_sets
    from cryopick_napari.flip import flip_warning
    from cryopick_napari.importing import looked_at

    sets = read_sets(options.source, micrographs, options.source_format, options.height)
    found, _ = pair(sets, list(micrographs))
    turned = {path: turn(micrographs[path].of(rows)) for path, rows in found.items()}
    outside = sum(
        len(rows.picks) - len(rows.picks.within(rows.shape)) for rows in turned.values() if rows.shape
    )
    if outside:
        return f"{counted(outside, 'position')} of {options.source} lie outside their micrograph"
    picks = {path: rows.picks for path, rows in turned.items()}
    sizes = {path: options.diameter_px or rows.diameter or UNKNOWN_DIAMETER for path, rows in turned.items()}
    return flip_warning(looked_at(picks, sizes, None), f"positions of {options.source}")


def _check(options: argparse.Namespace, turn: Turn) -> None:
    from cryopick_napari.flip_report import check_file

    picture = Path(f"{options.source.stem}_check.png")
    size, kind = options.diameter_px, options.source_format
    for line in check_file(options.source, options.check, picture, turn, size, kind):
        print(line)
