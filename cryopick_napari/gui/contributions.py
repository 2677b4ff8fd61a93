"""What napari asks of a plugin: open micrographs and coordinates, save points, show samples.

Layers stay in pixels of the micrograph, so that points and images always agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.config import UNKNOWN_DIAMETER
from cryopick_napari.coordinates import CoordinateSet, match, read_coordinates
from cryopick_napari.coordinates.formats import ENDING, HEAD, recognise
from cryopick_napari.coordinates.naming import stem
from cryopick_napari.coordinates.writing import write_file
from cryopick_napari.errors import CryopickError
from cryopick_napari.micrograph import MRC_SUFFIXES, Micrograph, read_micrograph
from cryopick_napari.mrc import HEADER_BYTES, is_plausible, is_stamped, mrc_header
from cryopick_napari.picks import Picks
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | list[str]], list[LayerData]]

PERCENTILES = (1.0, 99.0)  # of the grey values, shown as black and white
PIXELS_LOOKED_AT = 250_000  # for the percentiles
MOST_LAYERS = 16  # of picks at once
PICK_STYLE = {"symbol": "disc", "face_color": "transparent", "border_color": "#3ddc84", "border_width": 0.06}


def get_reader(path: str | list[str]) -> Reader | None:
    """Give the reader for micrographs and coordinates, or None for files that are neither."""
    paths = [path] if isinstance(path, str) else path
    return read_layers if paths and all(_is_ours(Path(file)) for file in paths) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read files into layers; coordinates of many micrographs only for those that are open.

    Raises
    ------
    CryopickError
        If a file cannot be read, or holds picks of too many micrographs to show them all.
    """
    layers = []
    for file in map(Path, [path] if isinstance(path, str) else path):
        if file.suffix.lower() in MRC_SUFFIXES:
            layers.append(image_layer(read_micrograph(file)))
        else:
            layers += [points_layer(rows) for rows in _of_open_micrographs(file)]
    # napari's word for "read, and nothing to show"; an empty list would mean "cannot read this".
    return layers or [(None,)]  # type: ignore[list-item]


def image_layer(micrograph: Micrograph) -> LayerData:
    """Describe the image layer of a micrograph, named after its file."""
    image, path = micrograph.image, micrograph.path
    step = max(1, round((image.size / PIXELS_LOOKED_AT) ** 0.5))
    low, high = map(float, np.percentile(image[::step, ::step], PERCENTILES))
    if low >= high:
        low, high = float(image.min()), float(image.max())
    kwargs = {
        "name": path.stem if path else "micrograph",
        "contrast_limits": (low, high),
        "metadata": {"spacing": micrograph.spacing, "path": str(path) if path else None},
    }
    return image, kwargs, "image"


def points_layer(rows: CoordinateSet) -> LayerData:
    """Describe the points layer of the picks of one micrograph: circles as wide as the particle."""
    kwargs = {
        "name": f"{stem(rows.micrograph)} picks",
        "size": rows.diameter or UNKNOWN_DIAMETER,
        "features": {"score": rows.picks.score},
        "feature_defaults": {"score": 1.0},
        "metadata": {"micrograph": rows.micrograph, "spacing": rows.spacing},
        **PICK_STYLE,
    }
    return rows.picks.yx, kwargs, "points"


def write_points(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Save one points layer as the coordinates of one micrograph.

    Parameters
    ----------
    path : str
        Its suffix is the format: .star, .box or .cbox.
    data : (n, 2) array
        Rows and columns in px.
    attributes : dict
        The layer's; the size of the points is the diameter, a feature ``score`` the figure of merit.

    Returns
    -------
    list of str
        The file written; empty for another suffix.

    Raises
    ------
    CryopickError
        If the points are not in two dimensions, or the file cannot be written.
    """
    file = Path(path)
    kind = ENDING.get(file.suffix.lower())
    if kind is None:
        return []
    picks = _picks(data, attributes.get("features"))
    diameter = float(np.median(attributes["size"])) if len(picks) else UNKNOWN_DIAMETER
    rows = CoordinateSet(stem(file.name), picks, diameter=diameter)
    return [str(write_file([rows], file, kind))]


def sample_layers(number: int) -> list[LayerData]:
    """Describe the layers of a sample micrograph: its image, and where its particles are."""
    micrograph, truth = sample(number)
    name = str(micrograph.path)
    diameter = SAMPLE_DIAMETER / micrograph.spacing if micrograph.spacing else None
    rows = CoordinateSet(name, truth, micrograph.shape, micrograph.spacing, diameter)
    return [image_layer(micrograph), points_layer(rows)]


def open_plain_sample() -> list[LayerData]:
    """Give the sample without anything but particles."""
    return sample_layers(0)


def open_crowded_sample() -> list[LayerData]:
    """Give the sample with the most particles."""
    return sample_layers(1)


def open_carbon_sample() -> list[LayerData]:
    """Give the sample with the edge of a carbon film."""
    return sample_layers(2)


def open_ice_sample() -> list[LayerData]:
    """Give the sample with ice crystals."""
    return sample_layers(3)


def show_label_panel() -> None:
    """Open the widget where particles are labelled."""
    _show_panel("Label")


def show_review_panel() -> None:
    """Open the widget where picks are reviewed."""
    _show_panel("Review")


def show_export_panel() -> None:
    """Open the widget where coordinates are written."""
    _show_panel("Export")


def _show_panel(name: str) -> None:
    viewer = napari.current_viewer()
    if viewer is None:
        raise CryopickError("this needs a napari window")
    _, widget = viewer.window.add_plugin_dock_widget("cryopick-napari", "Pick particles")
    widget.show_panel(name)


def _is_ours(path: Path) -> bool:
    """Look at the beginning of a file; what is damaged is ours too, so that somebody says what is wrong."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    if suffix in MRC_SUFFIXES:
        return _is_one_image(path, head[:HEADER_BYTES])
    if not head.strip():
        return suffix == ".box"  # how EMAN says "no particles"
    return suffix in ENDING and b"\0" not in head and recognise(head.decode(errors="replace")) is not None


def _is_one_image(path: Path, head: bytes) -> bool:
    """Tell a micrograph from volumes and stacks, which other plugins show better."""
    if not (is_stamped(head) or is_plausible(head)):
        return False
    try:
        return mrc_header(path, head).frames <= 1
    except CryopickError:
        return True


def _of_open_micrographs(file: Path) -> Sequence[CoordinateSet]:
    """Read the picks of the micrographs that are open, or all when none of those is."""
    sets = read_coordinates(file)
    matched, _ = match(sets, list(_open_micrographs()))
    if not matched and len(sets) > MOST_LAYERS:
        raise CryopickError(
            f"{file}: has picks of {len(sets)} micrographs; first open the one you want to see"
        )
    return list(matched.values()) or sets


def _open_micrographs() -> Iterable[Path]:
    viewer = napari.current_viewer()
    for layer in viewer.layers if viewer else ():
        if isinstance(layer, napari.layers.Image):
            yield Path(layer.metadata.get("path") or layer.source.path or layer.name)


def _picks(data: NDArray[Any], features: Any) -> Picks:
    if np.ndim(data) != 2 or np.shape(data)[1] != 2:
        raise CryopickError(f"only points in two dimensions are picks; these have the shape {np.shape(data)}")
    if features is None or "score" not in features:
        return Picks.of(data)
    score = np.asarray(features["score"], dtype=np.float32)
    return Picks.of(data, np.where(np.isnan(score), 1.0, score))
