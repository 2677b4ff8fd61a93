"""Options of ``cryopick pick`` for many micrographs: several processes, a cluster, a microscope that runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryopick_napari.errors import CryopickError


def add_sharing(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    live = parser.add_argument_group("while the microscope runs")
    live.add_argument(
        "--watch",
        metavar="DIR",
        help="instead of PATH: pick micrographs as they arrive in this folder (or for this glob) "
        "until Ctrl-C or --quiet-time",
    )
    live.add_argument(
        "--quiet-time", type=float, metavar="MINUTES", help="end when nothing has arrived for this long"
    )
    many = parser.add_argument_group("many machines, with files that all of them see")
    many.add_argument(
        "--shard",
        metavar="I/N",
        help="pick only the I-th of N parts; the one that ends last writes the index, "
        "or the same command without --shard does",
    )
    many.add_argument(
        "--scheduler", metavar="ADDRESS", help="let the workers of a Dask cluster pick, as tcp://host:8786"
    )
    for name, what in (("ca", "authority"), ("cert", "certificate"), ("key", "key")):
        many.add_argument(
            f"--tls-{name}",
            type=Path,
            metavar="FILE",
            help=f"{what} (PEM) for a tls:// scheduler; default Dask's",
        )


def check_sources(options: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises
    ------
    CryopickError
        If there is nothing to pick, or two ways to find or share it.
    """
    if options.model and (options.diameter is not None or options.particle_radius is not None):
        raise CryopickError("--model knows the particle's size: leave out --diameter and --particle-radius")
    if bool(options.paths) == (options.watch is not None):
        raise CryopickError("which micrographs? give their paths, or --watch and a folder")
    if options.quiet_time is not None and options.watch is None:
        raise CryopickError("--quiet-time ends --watch: give both, or neither")
    if options.quiet_time is not None and not options.quiet_time > 0:
        raise CryopickError(f"--quiet-time must be above 0, not {options.quiet_time:g}")
    if options.shard and (options.watch is not None or options.scheduler):
        raise CryopickError("--shard is a way of its own: leave out --watch and --scheduler")
    if (options.tls_ca or options.tls_cert or options.tls_key) and not options.scheduler:
        raise CryopickError("--tls-ca, --tls-cert and --tls-key are for --scheduler")
