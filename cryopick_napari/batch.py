"""Pick one micrograph of many: by which settings, and what is written of it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.coordinates import SUFFIX, CoordinateSet
from cryopick_napari.coordinates.naming import name_from
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import make_folder
from cryopick_napari.masks import masked, write_mask
from cryopick_napari.micrograph import Micrograph, read_micrograph, write_mrc
from cryopick_napari.overlay import draw_overlay, write_png
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks

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


def micrograph_name(path: Path) -> str:
    """Name a micrograph as the project's other files do: relative to the current folder if below it."""
    return name_from(path, Path.cwd())


def read(path: Path, settings: PickSettings) -> Micrograph:
    """Read a micrograph as the settings say, with its mask."""
    micrograph = read_micrograph(path, settings.spacing, settings.sum_frames)
    return masked(micrograph, None if settings.masks is None else Path(settings.masks))


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


def pick_one(
    picker: Picker, micrograph: Micrograph, name: str, settings: PickSettings, extras: dict[str, Path]
) -> CoordinateSet:
    """Pick a micrograph and write what was asked for beside its coordinates."""
    scaled, probability = picker.search(micrograph)
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
    return CoordinateSet(name, picks, micrograph.shape, micrograph.spacing, diameter)


def map_spacing(plane: NDArray[np.float32], micrograph: Micrograph) -> tuple[float, float] | None:
    """Pixel size (Å/px, rows and columns) of a map (h, w) that covers a micrograph."""
    if micrograph.spacing is None:
        return None
    rows, columns = (side / size for side, size in zip(micrograph.shape, plane.shape, strict=True))
    return micrograph.spacing * rows, micrograph.spacing * columns


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
