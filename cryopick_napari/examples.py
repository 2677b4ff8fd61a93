"""From micrographs and coordinate files to what a training starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_napari.config import GENERAL, PRESETS, ParticleSize, PickerConfig
from cryopick_napari.coordinates import match, read_coordinates
from cryopick_napari.errors import CryopickError
from cryopick_napari.fields import inside
from cryopick_napari.general import from_general
from cryopick_napari.labels import Example, Labels, look_complete
from cryopick_napari.masks import masked
from cryopick_napari.micrograph import Micrograph, read_micrograph, read_size
from cryopick_napari.neighbours import nearest, pairs_within
from cryopick_napari.picker import Picker
from cryopick_napari.picks import Picks
from cryopick_napari.rescale import network_diameter, seen, to_network_scale
from cryopick_napari.template import BINS, REACH, is_faint, mean_profile, radial_profile

FAINT_SETTINGS: dict[str, Any] = {"filter_channel": True, "base_features": 16}
SLIPS, MOST_CONTAMINATED = 2, 0.05  # labelled particles, and share of them: people label a few on carbon, too
NEIGHBOURS = 1.5  # diameters between particles whose distance tells how near they come to each other
CLOSEST, KEPT = 0.05, 0.8  # part of those pairs that may be mislabelled; part of the others' distance to keep
DOUBT = 5  # pairs; so many would have to say otherwise
FEWEST_NEIGHBOURS, IMPOSSIBLE = 10, 0.4  # labels; diameters between most of them and their neighbours
FEW = 5  # labelled particles; fewer make no model worth having


def load_examples(
    micrographs: Sequence[Path],
    coordinates: Path,
    size: ParticleSize,
    spacing: float | None = None,
    labelled: str = "auto",
    masks: Path | None = None,
    sum_frames: bool = False,
) -> tuple[list[Example], list[str]]:
    """Read micrographs and the labels that belong to them.

    Parameters
    ----------
    micrographs : sequence of Path
    coordinates : Path
        One file for all micrographs, or a folder with one a micrograph.
    size : ParticleSize
    spacing : float, optional
        Å/px, where the files do not say it.
    labelled : str
        ``fully``: every particle of these fields is labelled; ``partly``: some are; ``auto`` takes
        the former if labelled particles cover at least 8 % of a field.
    masks : Path, optional
        A folder of masks of contamination.
    sum_frames : bool
        Add up the frames of stacks.

    Returns
    -------
    examples : list of Example
        One for each micrograph that has labels.
    notes : list of str
        What was left out (labels without their micrograph, micrographs without labels), and what was
        taken for fully labelled.

    Raises
    ------
    CryopickError
        If no labels match, they lie outside their micrograph, or the size does not fit.
    """
    # A list of thousands may have labels for a few: only those are read as a whole.
    shapes = {str(path): read_size(path, spacing, sum_frames)[0] for path in micrographs}
    sets = read_coordinates(coordinates, shapes)
    matched, strangers = match(sets, list(micrographs))
    bare = [str(path) for path in micrographs if path not in matched]
    if not matched:
        raise CryopickError(
            f"{coordinates} has labels for {_some(strangers) or 'nothing'}, "
            f"and none of them is {_some(bare)}: compare their names"
        )
    notes = [f"labels of {_some(strangers)} left out: no such micrograph was given"] if strangers else []
    notes += [f"{_some(bare)} left out: {coordinates} has no labels for it"] if bare else []
    examples = [
        _example(masked(read_micrograph(path, spacing, sum_frames), masks), rows.picks, size, labelled)
        for path, rows in matched.items()
    ]
    whole = [str(example.micrograph.path) for example in examples if example.labels.complete]
    if labelled == "auto" and whole:
        notes.append(
            f"{_some(whole)}: the labels cover much of the field, and are taken for all its particles; "
            "if they are only some of them, add --labelled partly"
        )
    return examples, notes


def few_labels(count: int) -> str:
    """Say so if this many labelled particles are too few for a good model; otherwise nothing."""
    if count >= FEW or not count:
        return ""
    are = "particle is" if count == 1 else "particles are"
    return f"Only {count} {are} labelled: this model will be a rough one. 10 or more are better."


def crowded_labels(examples: Sequence[Example], config: PickerConfig) -> str:
    """Say so if labelled particles lie nearer to each other than any of this diameter can; else nothing."""
    distances = [
        nearest(example.labels.positives) / config.diameter_at(example.micrograph.spacing)
        for example in examples
        if len(example.labels.positives) > 1
    ]
    apart = np.concatenate([np.zeros(0), *distances])
    if len(apart) < FEWEST_NEIGHBOURS or np.median(apart) >= IMPOSSIBLE:
        return ""
    return (
        f"half of the labelled particles lie within {float(np.median(apart)):.2f} diameters of another one: "
        "is the diameter too large, or the pixel size wrong?"
    )


def _some(names: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _example(micrograph: Micrograph, positives: Picks, size: ParticleSize, labelled: str) -> Example:
    """Put a micrograph and its labels together."""
    rows, columns = micrograph.shape
    outside = len(positives) - len(positives.within(micrograph.shape))
    if outside:
        raise CryopickError(
            f"{outside} of {len(positives)} labels of {micrograph.path} lie outside its {rows} rows and "
            f"{columns} columns: are they another micrograph's, or of another binning?"
        )
    diameter = size.in_pixels(micrograph.spacing)
    fully = labelled == "fully" or (
        labelled == "auto" and look_complete(positives, micrograph.shape, diameter)
    )
    return Example(
        micrograph, Labels.of_whole_field(positives, micrograph.shape) if fully else Labels(positives)
    )


def new_picker(
    examples: Sequence[Example],
    diameter: float | None = None,
    *,
    radius: float | None = None,
    preset: str = "small",
    settings: Mapping[str, Any] | None = None,
    seed: int = 42,
    from_scratch: bool = False,
) -> Picker:
    """Make a picker to train that suits the labelled micrographs.

    Parameters
    ----------
    examples : sequence of Example
    diameter : float
        The particle's longest side, Å.
    radius : float
        Instead of the diameter: half of it, in px of the micrographs.
    preset : str
        ``small``, ``medium``, ``full`` or ``reference``.
    settings : mapping, optional
        Fields of `PickerConfig` that are to differ from the preset's.
    seed : int
        Of the initial weights, where they are random.
    from_scratch : bool
        Take random weights also where the general model's help: where no field is fully labelled, with the
        preset ``small``, unless the settings ask for another network.

    Raises
    ------
    CryopickError
        If the size is missing, impossible, or larger than a field.
    """
    own = settings or {}
    starts_general = (
        preset == "small"
        and not from_scratch
        and not any(example.labels.complete for example in examples)
        and all(own.get(name, value) == value for name, value in GENERAL.items())
    )
    chosen = {**PRESETS[preset].picker, **(GENERAL if starts_general else {}), **own}
    size = _size(diameter, radius, chosen)
    first = examples[0].micrograph
    pixels = size.in_pixels(first.spacing)
    for example in examples:
        if size.in_pixels(example.micrograph.spacing) > min(example.micrograph.shape):
            height, width = example.micrograph.shape
            raise CryopickError(
                f"a particle of {pixels:.0f} px is larger than {example.micrograph.path or 'the field'} "
                f"({height} x {width} px): check the diameter and the pixel size"
            )
    config = PickerConfig(
        **{
            "network_diameter": network_diameter(pixels, first.shape),
            **chosen,
            "diameter": pixels,
            "spacing": first.spacing,
        }
    )
    profile = average_particle(examples, config)
    fitting: dict[str, Any] = {
        "polarity": polarity(profile),
        "min_distance": least_distance(examples, config),
    }
    fitting |= FAINT_SETTINGS if is_faint(profile) else {}
    if _contradict_mask(examples, replace(config, polarity=fitting["polarity"])):
        fitting["contamination_mask"] = False  # what looks like contamination is none here
    config = replace(config, **{name: value for name, value in fitting.items() if name not in chosen})
    return from_general(config) if starts_general else Picker.new(config, seed)


def average_particle(examples: Sequence[Example], config: PickerConfig) -> NDArray[np.float64]:
    """Average labelled particles over all directions.

    Parameters
    ----------
    examples : sequence of Example
    config : PickerConfig
        Diameter and scale.

    Returns
    -------
    (32,) float64
        Grey value from the centre to 0.8 diameters, in standard deviations of a network pixel's noise.
    """
    total = np.zeros((2, BINS))
    for example in examples:
        diameter = config.diameter_at(example.micrograph.spacing)
        scaled = to_network_scale(example.micrograph, diameter, config.seen_diameter)
        total += radial_profile(
            scaled.image, scaled.from_source(example.labels.positives.yx), scaled.diameter
        )
    return mean_profile(total)


def least_distance(examples: Sequence[Example], config: PickerConfig) -> float:
    """Say how near to each other picks may be, by how near labelled particles come.

    Parameters
    ----------
    examples : sequence of Example
    config : PickerConfig
        Diameter, and the distance that goes where labels say nothing.

    Returns
    -------
    float
        In diameters; never less than that of ``config``. Of the pairs of neighbours, 95 % keep at least 1.25
        times this distance, if there are many; few of them weigh less.
    """
    distances: list[NDArray[np.floating]] = [np.zeros(0)]
    for example in examples:
        yx = example.labels.positives.yx / config.diameter_at(example.micrograph.spacing)
        distances.append(pairs_within(NEIGHBOURS, yx)[2])
    known, usual = np.concatenate(distances), config.min_distance
    if not len(known):
        return usual
    near = KEPT * float(np.quantile(known, CLOSEST))
    return max(usual, round((len(known) * near + DOUBT * usual) / (len(known) + DOUBT), 2))


def _contradict_mask(examples: Sequence[Example], config: PickerConfig) -> bool:
    """Tell whether more than a few labelled particles lie on what is taken for contamination."""
    there = []
    for example in examples:
        scaled = seen(example.micrograph, config)
        yx = scaled.from_source(example.labels.positives.yx)
        there.append(inside(yx, (scaled.dirt[0] & scaled.live).cpu().numpy()))
    known = np.concatenate(there)
    return int(known.sum()) > max(SLIPS, MOST_CONTAMINATED * len(known))


def polarity(profile: NDArray[np.float64]) -> str:
    """Tell whether particles are ``dark`` or ``light`` against what surrounds them."""
    edge = round(BINS * 0.5 / REACH)
    area = np.arange(BINS) + 0.5
    inner, outer = (
        np.average(profile[part], weights=area[part]) for part in (slice(edge), slice(edge, None))
    )
    return "light" if inner > outer else "dark"


def _size(diameter: float | None, radius: float | None, preset: Mapping[str, Any]) -> ParticleSize:
    """Take the size the user gave, or the preset's own."""
    if (diameter is None) == (radius is None):
        if diameter is None and "diameter" in preset:
            return ParticleSize(preset["diameter"], in_angstrom=False)
        raise CryopickError("give the particle's size once: its diameter in Å, or its radius in pixels")
    return (
        ParticleSize(diameter)
        if diameter is not None
        else ParticleSize(2 * (radius or 0.0), in_angstrom=False)
    )
