"""The command ``cryopick``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from cryopick_napari.errors import CryopickError

COMMANDS = {
    "train": "learn to pick from labelled micrographs",
    "pick": "pick micrographs with a trained model",
    "evaluate": "compare picks with true positions",
    "convert": "turn coordinate files of one program into those of another",
    "info": "say what a file is: coordinates, micrographs, or a list of them",
    "relion-job": "learn or pick as an External job of RELION's pipeline",
    "simulate": "make micrographs whose particles are known",
    "compare": "train other kinds of networks on the same labels and compare them",
    "demo": "train and pick on embedded sample micrographs, with a report",
    "gui": "open micrographs and coordinates in a napari window",
}
EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        0 done, 1 an error said in one line, 130 interrupted. Wrong usage exits with 2.
    """
    spin_little()
    options = parsed(list(sys.argv[1:] if arguments is None else arguments))
    if "run" not in options:
        _parser(None).print_help()
        return EXIT_DONE
    try:
        return int(options.run(options))
    except (CryopickError, OSError) as error:
        print(f"cryopick {options.command}: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print(f"cryopick {options.command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def parsed(words: list[str]) -> argparse.Namespace:
    """Read a command line; options that a command passes on to others are in ``rest``."""
    command = next((word for word in words if word in COMMANDS), None)
    module = _module(command) if command else None
    parser = _parser(command)
    try:
        options, rest = parser.parse_known_args(words, argparse.Namespace(words=words))
        if rest and not getattr(module, "PASSES_ON", False):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
    except SystemExit as stop:
        if stop.code and (refused := getattr(module, "refused", None)):
            refused(words)
        raise
    options.rest = rest
    return options


def spin_little() -> None:
    """Let threads that wait for each other give their processor away soon.

    OpenMP reads this when torch is imported. As it comes, two threads are several times slower
    than one as soon as anything else wants a processor; where nothing does, this costs a tenth.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _parser(command: str | None) -> argparse.ArgumentParser:
    """Make the parser; of the commands only the one that is asked for has its options imported."""
    parser = argparse.ArgumentParser(
        prog="cryopick",
        description="Pick particles in cryo-EM micrographs with an Attention U-Net.",
        epilog="cryopick COMMAND --help says more. Exit codes: 0 done, 1 error, 2 usage, 130 interrupted.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, about in COMMANDS.items():
        child = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        if name == command:
            module = _module(name)
            module.add_options(child)
            child.set_defaults(run=module.run)
    return parser


def _module(command: str) -> ModuleType:
    return import_module(f"cryopick_napari.cli.{command.replace('-', '_')}")


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from cryopick_napari import __version__

        print(f"cryopick {__version__}")
        parser.exit()
