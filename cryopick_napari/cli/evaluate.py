"""``cryopick evaluate``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.cli import EXIT_DONE
from cryopick_napari.cli.options import add_size, particle_size
from cryopick_napari.errors import CryopickError

if TYPE_CHECKING:
    from cryopick_napari.coordinates import CoordinateSet
    from cryopick_napari.evaluation import Compared

Shape = tuple[int, int]
Place = tuple[Shape, float | None]  # rows and columns of a micrograph, and Å/px


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.epilog = (
        "F1: one-to-one matching, centres within half a particle radius; F1 (R): within a radius; "
        "best F1: at the best threshold on the scores; chance: of uniform random picks; "
        "flipped: of the picks mirrored in y."
    )
    parser.add_argument("picks", type=Path, metavar="PICKS", help="a coordinate file, or a folder of them")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="the same, of the true positions")
    parser.add_argument(
        "--micrographs", nargs="+", metavar="PATH", help="their sizes make chance and flip exact"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_size(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; return the exit code."""
    import json

    from cryopick_napari.evaluation import as_table, as_values, evaluate, warnings_of

    rows = evaluate(_compared(options))
    print(json.dumps(as_values(rows), indent=2) if options.json else as_table(rows))
    for warning in warnings_of(rows):
        print(f"note: {warning}", file=sys.stderr)
    return EXIT_DONE


def _compared(options: argparse.Namespace) -> list[Compared]:
    """Bring picks and true positions of the same micrographs together."""
    from cryopick_napari.coordinates import read_coordinates
    from cryopick_napari.evaluation import Compared, extent

    size = particle_size(options)
    fields = _fields(options)
    shapes = {str(path): shape for path, (shape, _) in fields.items()}
    pairs = _pairs(read_coordinates(options.picks, shapes), read_coordinates(options.truth, shapes), options)
    places = _places([true for _, true in pairs], fields)
    return [
        Compared(
            true.micrograph or mine.micrograph or "-",
            mine.picks,
            true.picks,
            size.in_pixels(place[1] if options.spacing is None else options.spacing),
            place[0] or extent(mine.picks.joined(true.picks)),
        )
        for (mine, true), place in zip(pairs, places, strict=True)
    ]


def _pairs(
    picks: Sequence[CoordinateSet], truth: Sequence[CoordinateSet], options: argparse.Namespace
) -> list[tuple[CoordinateSet, CoordinateSet]]:
    """Find the true positions of each set of picks."""
    from cryopick_napari.coordinates import match, merged

    if len(picks) == len(truth) == 1:  # two files are meant, whatever their names
        return [(picks[0], truth[0])]
    same: dict[Path, list[CoordinateSet]] = {}
    for rows in truth:
        same.setdefault(Path(rows.micrograph), []).append(rows)
    by_name = {name: merged(sets) for name, sets in same.items()}
    found, strangers = match(picks, list(by_name))
    if not found:
        raise CryopickError(f"{options.truth} has no micrograph of {options.picks}: compare their names")
    for what, names in (
        ("picked, but not in the truth, so left out", strangers),
        ("in the truth, but not picked, so left out", [str(name) for name in by_name if name not in found]),
    ):
        if names:
            print(f"note: {what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}", file=sys.stderr)
    return [(mine, by_name[name]) for name, mine in found.items()]


def _fields(options: argparse.Namespace) -> dict[Path, Place]:
    """Read the sizes of the micrographs that were given."""
    from cryopick_napari.micrograph import find_micrographs, read_size
    from cryopick_napari.micrograph_lists import listed_of

    fields: dict[Path, Place] = {}
    known = {one.path: one.spacing for one in listed_of(options.micrographs or ())}
    for path in find_micrographs(options.micrographs or ()):
        fields[path] = read_size(path, options.spacing or known.get(path), sum_frames=True)
    return fields


def _places(
    truth: Sequence[CoordinateSet], fields: dict[Path, Place]
) -> list[tuple[Shape | None, float | None]]:
    """Find the size and spacing of each set's micrograph, as far as they are known."""
    from cryopick_napari.coordinates import match

    if not fields:
        return [(rows.shape, rows.spacing) for rows in truth]
    if len(fields) == len(truth) == 1:
        return list(fields.values())
    found, _ = match(truth, list(fields))
    place = {rows.micrograph: fields[path] for path, rows in found.items()}
    return [place.get(rows.micrograph, (rows.shape, rows.spacing)) for rows in truth]
