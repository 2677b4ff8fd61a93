"""The general model, which comes with the package: it picks before the first click.

It has learned from simulated fields alone. `docs/general.md` is its card, ``benchmarks/general.py`` made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from cryopick_napari.blind import is_guess_sure
from cryopick_napari.config import PickerConfig
from cryopick_napari.fields import prepare
from cryopick_napari.first_look import with_template
from cryopick_napari.labels import Example, Labels, no_picks
from cryopick_napari.micrograph import Micrograph
from cryopick_napari.mixture import expected_cut, expected_f1
from cryopick_napari.picker import Picker, make_network
from cryopick_napari.picks import Picks, falling_scores

SUREST, FEWEST = 20, 15  # picks that make the template: at most, in a field; at least, in all
PRIMING = 3  # fields are enough for it


def general_file() -> Path:
    """Find the model's file."""
    return Path(str(resources.files("cryopick_napari"))) / "resources" / "general.safetensors"


def general_picker(
    diameter: float, spacing: float | None = None, micrographs: Sequence[Micrograph] = ()
) -> Picker:
    """Make a picker that needs no labels.

    Parameters
    ----------
    diameter : float
        The particle's longest side, px of micrographs with this spacing.
    spacing : float, optional
        Å/px.
    micrographs : sequence of Micrograph
        A few of those to pick. They tell whether particles are dark or light; and what the model is surest of
        in them makes the average particle that it looks for from then on, as clicks would.

    Returns
    -------
    Picker
    """
    config = replace(_shipped().config, diameter=diameter, spacing=spacing, polarity="dark")
    picker = replace(from_general(config), training={"answer": "general model"})
    return _primed(picker, micrographs) if micrographs else picker


def from_general(config: PickerConfig) -> Picker:
    """Make a picker with the general model's weights, which must be built as ``config.GENERAL`` says.

    It is built anew, for the template's side depends on the diameter, and the rest is copied.
    """
    network = make_network(config)
    template = ("kernel", "gain")
    weights = {name: value for name, value in _shipped().network.state_dict().items() if name not in template}
    network.load_state_dict({**network.state_dict(), **weights})
    config = replace(config, threshold=_shipped().config.threshold)
    return Picker(config, network.eval(), is_experienced=True)


def _primed(picker: Picker, micrographs: Sequence[Micrograph]) -> Picker:
    """Give the picker a template, or none, whatever makes it surest of what it finds.

    Templates are the one that the micrographs suggest, and the averages of its surest picks.
    """
    quick = picker.configured(averaging=False)
    inverted = sum(quick.upright(scaled) is not scaled for scaled in map(quick.scale, micrographs))
    if 2 * inverted > len(micrographs):
        picker = picker.configured(polarity="light")
    if not is_guess_sure(micrographs, picker.config):
        # In mere noise, what the model is surest of would average to a particle, and be found again.
        return picker
    guessed = _with_template(picker, micrographs, [no_picks()] * len(micrographs))
    found = [_all_picks(one, micrographs) for one in (picker, guessed)]
    averaged = [_averaged(one, micrographs, some) for one, some in zip((picker, guessed), found, strict=True)]
    tried = [picker, guessed, *averaged]
    scores = [falling_scores(some) for some in (*found, *(_all_picks(one, micrographs) for one in averaged))]
    sureness = [float(expected_f1(some).max()) if len(some) else 0.0 for some in scores]
    best = int(np.argmax(sureness))
    if not len(scores[best]):
        return picker
    return tried[best].configured(threshold=expected_cut(scores[best], scores[best]))


def _averaged(picker: Picker, micrographs: Sequence[Micrograph], found: Sequence[Picks]) -> Picker:
    """Give a picker the template of the surest of the picks it found, if there are some."""
    sure = [some.above(picker.config.threshold) for some in found]
    if sum(map(len, sure)) < FEWEST:
        return picker
    surest = [some.where(np.arange(min(SUREST, len(some)))) for some in sure]
    return _with_template(picker, micrographs, surest)


def _all_picks(picker: Picker, micrographs: Sequence[Micrograph]) -> list[Picks]:
    quick = picker.configured(averaging=False)
    return [quick.picks(quick.probability(scaled), scaled) for scaled in map(quick.scale, micrographs)]


def _with_template(picker: Picker, micrographs: Sequence[Micrograph], found: Sequence[Picks]) -> Picker:
    """Give a picker the template of some picks, completed by the guess."""
    examples = [Example(one, Labels(picks)) for one, picks in zip(micrographs, found, strict=True)]
    fields = [prepare(example, picker.config) for example in examples]
    network = from_general(picker.config).network
    return replace(picker, network=with_template(network, fields, picker.config).eval())


@cache
def _shipped() -> Picker:
    """Read the model, once."""
    return Picker.load(general_file())
