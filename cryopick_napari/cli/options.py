"""Options that commands share, and options made from a configuration's fields."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cryopick_napari.config import ParticleSize, PickerConfig, TrainingConfig
from cryopick_napari.errors import CryopickError

# Named here, and not taken from coordinates/, so that a help text imports no numpy; a test compares the two.
COORDINATE_FORMATS = ("relion", "particles", "box", "cbox", "csv", "topaz", "cryoppp")

Config = type[PickerConfig] | type[TrainingConfig]


def add_fields(parser: argparse._ArgumentGroup, config: Config, names: Iterable[str]) -> None:
    """Add an option for each of a configuration's fields, with its help, unit and usual range.

    An option that is not given is absent from the result: presets decide then.
    """
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        if field.name in names:
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                default=argparse.SUPPRESS,
                help=_help(field),
                **_kind(hints[field.name]),
            )


def given(options: argparse.Namespace, config: Config) -> dict[str, Any]:
    """Collect the fields of a configuration that were given as options."""
    names = {field.name for field in dataclasses.fields(config)}
    return {name: value for name, value in vars(options).items() if name in names}


def add_size(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how large a particle is."""
    group = parser.add_argument_group("particle size (give one)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--diameter", type=float, metavar="Å", help="the particle's longest side, in Å")
    one.add_argument(
        "--particle-radius", type=float, metavar="PX", help="half of that, in pixels of the micrograph"
    )
    add_spacing(group)


def add_spacing(parser: argparse._ActionsContainer) -> None:
    """Add the option that says how large a pixel is."""
    parser.add_argument(
        "--spacing",
        type=float,
        metavar="Å/PX",
        help="pixel size, where the micrographs do not say it themselves",
    )


def add_sum_frames(parser: argparse._ActionsContainer) -> None:
    """Add the option to take stacks of frames for micrographs."""
    parser.add_argument(
        "--sum-frames", action="store_true", help="add up the frames of stacks (nothing is aligned)"
    )


def add_masks(parser: argparse._ActionsContainer) -> None:
    """Add the option for what other programs found contaminated."""
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="leave out what these images of the micrographs' names mark: MRC or PNG at any scale, "
        "not zero where contaminated",
    )


def note_bare(masks: Path | None, micrographs: Sequence[Path]) -> None:
    """Say which micrographs have no mask, if masks are given at all.

    Raises
    ------
    CryopickError
        If none has one.
    """
    from cryopick_napari.masks import check_masks

    bare = [] if masks is None else check_masks(masks, micrographs)
    if bare:
        more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        print(f"note: {masks} has no mask for {bare[0]}{more}", file=sys.stderr)


def particle_size(options: argparse.Namespace) -> ParticleSize:
    """Take the particle's size from the options.

    Raises
    ------
    CryopickError
        If it was not given, or is not above 0.
    """
    if options.diameter is not None:
        return ParticleSize(options.diameter)
    if options.particle_radius is not None:
        return ParticleSize(2 * options.particle_radius, in_angstrom=False)
    raise CryopickError("how large is a particle? give --diameter (Å) or --particle-radius (pixels)")


def _help(field: dataclasses.Field[Any]) -> str:
    unit, usual = field.metadata["unit"], field.metadata["usual"]
    parts = [f"{field.metadata['help']}"]
    if unit:
        parts.append(f", in {unit}")
    parts.append(f" (default {field.default}" + (f"; usual {usual})" if usual else ")"))
    return "".join(parts).replace("%", "%%")


def _kind(hint: Any) -> dict[str, Any]:
    """Translate a field's type to what argparse wants to know."""
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if isinstance(hint, types.UnionType):
        kind = next(part for part in typing.get_args(hint) if part is not types.NoneType)
        return {"type": _optional(kind), "metavar": "N"}
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": hint, "metavar": "N" if hint in (int, float) else "NAME"}


def _optional(kind: Any) -> Any:
    def parse(text: str) -> Any:
        return None if text == "none" else kind(text)

    parse.__name__ = f"{kind.__name__}, or none"
    return parse
