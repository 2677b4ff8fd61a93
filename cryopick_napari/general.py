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
from cryopick_napari.picker import Picker, make_network

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
    """Give the picker the template that the micrographs suggest, and then that of its surest picks."""
    quick = picker.configured(averaging=False)
    inverted = sum(quick.upright(scaled) is not scaled for scaled in map(quick.scale, micrographs))
    if 2 * inverted > len(micrographs):
        picker = picker.configured(polarity="light")
    if is_guess_sure(micrographs, picker.config):
        picker = _with_template_of([Example(one, Labels(no_picks())) for one in micrographs], picker)
    quick = picker.configured(averaging=False)
    examples = []
    for micrograph in micrographs:
        scaled = quick.scale(micrograph)
        # In mere noise, what scores best would average to a particle all the same.
        found = quick.picks(quick.probability(scaled), scaled).above(picker.config.threshold)
        examples.append(Example(micrograph, Labels(found.where(np.arange(min(SUREST, len(found)))))))
    if sum(len(example.labels.positives) for example in examples) < FEWEST:
        return picker
    return _with_template_of(examples, picker)


def _with_template_of(examples: Sequence[Example], picker: Picker) -> Picker:
    fields = [prepare(example, picker.config) for example in examples]
    network = from_general(picker.config).network
    return replace(picker, network=with_template(network, fields, picker.config).eval())


@cache
def _shipped() -> Picker:
    """Read the model, once."""
    return Picker.load(general_file())
