"""Pick many micrographs: one in memory at a time, what is done skipped, a bad one passed over."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates import SUFFIX, CoordinateSet, targets, write_index, write_one
from cryopick_napari.coordinates.naming import name_from
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import make_folder, remove, write_json
from cryopick_napari.masks import masked, write_mask
from cryopick_napari.micrograph import Micrograph, read_micrograph, write_mrc
from cryopick_napari.overlay import draw_overlay, write_png
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks

RECORD = "picking.json"
MASKS = "masks"  # folder of the masks that are written


@dataclass(frozen=True)
class PickSettings:
    """How micrographs are picked and what is written.

    Attributes
    ----------
    format : str
        One of `coordinates.FORMATS`.
    threshold : float or None
        Least score; None takes the model's own.
    min_distance : float or None
        Least distance between picks in particle diameters; None takes the model's own.
    border : float
        Picks nearer than this to an edge are left out, px of the micrograph.
    spacing : float or None
        Å/px where the files do not say it.
    flip_y : bool
        Count rows from the other end when writing.
    maps, overlays, save_masks : bool
        Write probability and attention maps (MRC); pictures (PNG); masks of what was left out (PNG).
    masks : str or None
        A folder of other programs' masks of contamination.
    sum_frames : bool
        Add up the frames of stacks.
    """

    format: str = "relion"
    threshold: float | None = None
    min_distance: float | None = None
    border: float = 0.0
    spacing: float | None = None
    flip_y: bool = False
    maps: bool = False
    overlays: bool = False
    save_masks: bool = False
    masks: str | None = None
    sum_frames: bool = False

    def __post_init__(self) -> None:
        """Refuse what would silently leave out every pick, or none."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise CryopickError(f"the threshold must lie between 0 and 1, not {self.threshold:g}")
        for name in ("border", "min_distance"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise CryopickError(f"the {name.replace('_', ' ')} must be 0 or more, not {value:g}")


@dataclass(frozen=True, eq=False)
class Picked:
    """What became of one micrograph.

    Attributes
    ----------
    path : Path
    state : str
        ``picked``, ``skipped`` (it was done before) or ``failed``.
    picks : Picks or None
    message : str
        Why it failed.
    """

    path: Path
    state: Literal["picked", "skipped", "failed"]
    picks: Picks | None = None
    message: str = ""


def pick_files(
    picker: Picker,
    paths: Sequence[Path],
    folder: Path,
    settings: PickSettings,
    names: Mapping[Path, str] | None = None,
    root: Path | None = None,
) -> Generator[Picked, None, None]:
    """Pick micrographs one after the other, writing each one's coordinates at once.

    The format's index (RELION's ``autopick.star``) is written at the end, also when the iteration is
    closed early, and lists the micrographs of earlier runs into the same folder too.

    Parameters
    ----------
    picker : Picker
    paths : sequence of Path
        Micrographs.
    folder : Path
        Where to write; made if it is not there.
    settings : PickSettings
    names : mapping of Path to str, optional
        Of micrographs that are called otherwise than `micrograph_name` says: as a list writes them.
    root : Path, optional
        Folders of micrographs below this one are kept below ``folder``; by default the lowest that all
        of them are in.

    Yields
    ------
    Picked
        One for each path, in order.

    Raises
    ------
    CryopickError
        If the folder cannot be written, holds picks of other micrographs or coordinates from
        elsewhere, or two names collide.
    """
    record = Record.opened(folder, paths, root)
    names = {path: (names or {}).get(path) or micrograph_name(path) for path in paths}
    mark = fingerprint(picker, settings)
    made_by = {**record.made_by} | dict.fromkeys(names.values(), mark)
    every = list(made_by)
    files = targets(every, folder, settings.format, record.root)
    for name in names.values():
        if files[name].exists() and not (folder / RECORD).exists():
            raise CryopickError(f"{files[name]} is there and is not from here: choose another --output")
    for name in names.values():
        if record.made_by.get(name) != mark:
            # What another model picked must not pass for done, also if this run is interrupted.
            everything = replace(settings, maps=True, overlays=True, save_masks=True)
            extras = extra_files(files[name], folder, picker, everything)
            for file in (files[name], *extras.values()):
                remove(file)
    replace(record, made_by=made_by).save()
    try:
        for path, name in names.items():
            extras = extra_files(files[name], folder, picker, settings)
            if all(file.is_file() for file in (files[name], *extras.values())):
                yield Picked(path, "skipped")
                continue
            try:
                found = _pick_one(picker, path, settings, extras)
            except CryopickError as error:
                yield Picked(path, "failed", message=str(error))
                continue
            # The coordinates come last: when they are there, everything is.
            found = replace(found, micrograph=name)
            write_one(found.flipped_y() if settings.flip_y else found, folder, settings.format, record.root)
            yield Picked(path, "picked", found.picks)
    finally:
        write_index(every, folder, settings.format, record.root)


def micrograph_name(path: Path) -> str:
    """Name a micrograph as the project's other files do: relative to the current folder if below it."""
    return name_from(path, Path.cwd())


def extra_files(file: Path, folder: Path, picker: Picker, settings: PickSettings) -> dict[str, Path]:
    """Say where maps, pictures and masks go that belong to a coordinate file in an output folder."""
    stem = file.name.removesuffix(SUFFIX[settings.format])
    extras = {}
    if settings.maps:
        depth = picker.config.depth if picker.config.has_attention else 0
        levels = [f"att{level + 1}" for level in range(depth)]
        extras = {kind: file.with_name(f"{stem}_{kind}.mrc") for kind in ("probability", *levels)}
    if settings.overlays:
        extras["overlay"] = file.with_name(f"{stem}_overlay.png")
    if settings.save_masks:
        extras["mask"] = (folder / MASKS / file.relative_to(folder)).with_name(f"{stem}.png")
    return extras


def _pick_one(picker: Picker, path: Path, settings: PickSettings, extras: dict[str, Path]) -> CoordinateSet:
    """Pick a micrograph and write what was asked for beside its coordinates."""
    micrograph = read_micrograph(path, settings.spacing, settings.sum_frames)
    micrograph = masked(micrograph, None if settings.masks is None else Path(settings.masks))
    scaled = picker.upright(picker.scale(micrograph))
    probability = picker.probability(scaled)
    picks = picker.picks(probability, scaled, settings.min_distance)
    picks = picks.above(picker.config.threshold if settings.threshold is None else settings.threshold)
    picks = picks.within(micrograph.shape, settings.border)
    diameter = picker.config.diameter_at(micrograph.spacing)
    for file in extras.values():
        make_folder(file.parent)
    if settings.maps:
        for kind, plane in {"probability": probability, **picker.attention(scaled)}.items():
            write_mrc(extras[kind], plane, map_spacing(plane, micrograph))
    if settings.save_masks:
        write_mask(extras["mask"], scaled.left_out.cpu().numpy(), scaled.ratio, micrograph.shape)
    if settings.overlays:
        write_png(extras["overlay"], draw_overlay(micrograph, picks, diameter, probability))
    return CoordinateSet(micrograph_name(path), picks, micrograph.shape, micrograph.spacing, diameter)


def map_spacing(plane: NDArray[np.float32], micrograph: Micrograph) -> tuple[float, float] | None:
    """Pixel size (Å/px, rows and columns) of a map (h, w) that covers a micrograph."""
    if micrograph.spacing is None:
        return None
    rows, columns = (side / size for side, size in zip(micrograph.shape, plane.shape, strict=True))
    return micrograph.spacing * rows, micrograph.spacing * columns


@dataclass(frozen=True)
class Record:
    """What an output folder knows about how it was made.

    Attributes
    ----------
    folder : Path
        The output folder.
    root : Path
        The folder above all micrographs; folders below it are kept in the output.
    made_by : mapping of str to str
        The micrographs of all runs so far, and the fingerprint of the model and settings of each.
    """

    folder: Path
    root: Path
    made_by: Mapping[str, str]

    @classmethod
    def opened(cls, folder: Path, paths: Sequence[Path], root: Path | None = None) -> Record:
        """Read the record of a folder, or begin one.

        Raises
        ------
        CryopickError
            If the folder cannot be made, or holds picks of micrographs from elsewhere.
        """
        make_folder(folder)
        lowest = os.path.commonpath([Path(os.path.normpath(path.absolute())).parent for path in paths])
        root = Path(os.path.normpath(root.absolute())) if root else Path(lowest)
        known = _read_record(folder / RECORD)
        before = Path(known["root"]) if known else root
        if not root.is_relative_to(before):
            raise CryopickError(
                f"{folder} holds picks of micrographs below {before}, not of {root}: choose another --output"
            )
        return cls(folder, before, known["micrographs"] if known else {})

    def save(self) -> None:
        """Write the record, all of it or nothing."""
        content = {"root": str(self.root), "micrographs": dict(self.made_by)}
        write_json(self.folder / RECORD, content)


def _read_record(path: Path) -> dict[str, Any]:
    """Read a record; a missing or damaged one is as good as none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_whole = (
        isinstance(content, dict)
        and isinstance(content.get("root"), str)
        and isinstance(content.get("micrographs"), dict)
    )
    return content if is_whole else {}


def fingerprint(picker: Picker, settings: PickSettings) -> str:
    """Digest a model and the settings that change what it picks or how that is written."""
    said = {"picker": picker.config.for_digest(), "settings": asdict(settings)}
    # These add files, which are looked for by name, or change nothing about what could be picked before.
    for extra in ("maps", "overlays", "save_masks", "sum_frames"):
        del said["settings"][extra]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, tensor in sorted(picker.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
