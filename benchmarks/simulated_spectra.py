"""Power spectra and noise of simulated fields beside those of real ones, at the network's scale.

Needs the micrographs in ``../shared/data`` or in the folder that ``CRYOPICK_DATA`` names; of their
labels nothing is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, save
from benchmarks.real import data_folder
from cryopick_napari.camera import Camera
from cryopick_napari.config import PickerConfig
from cryopick_napari.curriculum import training_fields
from cryopick_napari.micrograph import Micrograph, find_micrographs, read_micrograph
from cryopick_napari.rescale import to_network_scale
from cryopick_napari.scene import Scene
from cryopick_napari.simulate import simulate
from cryopick_napari.structures import invented

SCALE = PickerConfig().network_diameter
REAL = {"empiar-10017": 108.0, "empiar-10146": 80.0, "empiar-10146-frame": 80.0}  # px across
EDGES = np.array([0.02, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
HEAD = "| fields | particles over noise | skewness | excess kurtosis | {} |"
APOFERRITIN = Scene(
    (1200, 1240),
    1.5,
    120.0,
    coverage=0.4,
    gap=0.95,
    debris=0.1,
    dose=40.0,
    amorphous=0.1,
    undulation=0.003,
)
GALACTOSIDASE = Scene(
    (4096, 4096),
    1.77,
    191.0,
    coverage=0.35,
    gap=0.6,
    debris=0.3,
    defocus=2.5,
    dose=2.0,
    amorphous=0.3,
    undulation=0.001,
    gradient=0.01,
)
FRAME = 0.55  # electrons per Å² of a single one, as far as the detector counts them


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one field: its spectrum (power a frequency band over the mean), and its pixels' moments."""

    spectrum: NDArray[np.float64]
    skewness: float
    kurtosis: float

    @property
    def excess(self) -> float:
        """Power where particles are over that where only noise is, less 1."""
        floor = self.spectrum[EDGES[:-1] >= 0.4].mean()
        return float(self.spectrum[EDGES[:-1] < 0.2].mean() / max(floor, 1e-9) - 1)


def figures(micrograph: Micrograph, diameter: float, scale: float | None) -> Figures:
    scaled = to_network_scale(micrograph, diameter, scale)
    live = np.argwhere(scaled.valid.numpy())
    top, left = live.min(axis=0)
    image = scaled.image.numpy()[top:, left:].astype(float)
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
    band = np.digitize(frequency, EDGES)
    spectrum = np.array([power[band == number].mean() for number in range(1, len(EDGES))])
    deviation = (image - image.mean()) / image.std()
    return Figures(
        spectrum / power[(frequency > EDGES[0]) & (frequency < 0.5)].mean(),
        float((deviation**3).mean()),
        float((deviation**4).mean() - 3),
    )


def real(name: str) -> Iterator[Figures]:
    for path in find_micrographs([data_folder() / name / "micrographs"]):
        yield figures(read_micrograph(path), REAL[name], SCALE)


def alike(scene: Scene, shape: str, symmetry: str, fields: int) -> Iterator[Figures]:
    """Whole micrographs of a particle of the same size, shape and symmetry, reduced as real ones are."""
    for seed in range(fields):
        particle = invented(shape, symmetry, scene.diameter, np.random.default_rng(seed))
        micrograph, _ = simulate(replace(scene, structure=particle), seed)
        yield figures(micrograph, scene.width, SCALE)


def stream(fields: int, denoised: bool) -> Iterator[Figures]:
    treated = {"low-pass", "bilateral", "non-local"}
    right = (field for field in training_fields(0) if bool(treated & set(field.kind)) == denoised)
    for field in islice(right, fields):
        image = -field.image if field.light else field.image
        yield figures(Micrograph(image), field.diameter, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=100, help="of the stream of training fields")
    options = parser.parse_args()
    denoised = Camera(denoising="low-pass", strength=0.93, eight_bit=True)
    groups = {name: list(real(name)) for name in REAL}
    groups |= {
        "simulated like 10017": list(alike(replace(GALACTOSIDASE, camera=denoised), "compact", "D2", 1)),
        "simulated like 10146": list(alike(APOFERRITIN, "hollow", "O", 3)),
        "simulated like 10146-frame": list(alike(replace(APOFERRITIN, dose=FRAME), "hollow", "O", 3)),
        "training fields": list(stream(options.fields, denoised=False)),
        "training fields, denoised": list(stream(options.fields // 2, denoised=True)),
    }
    bands = " | ".join(f"{edge:g}" for edge in EDGES[1:])
    rows = [HEAD.format(bands), "|---" * (len(EDGES) + 3) + "|"]
    rows += [_row(name, fields) for name, fields in groups.items()]
    note = (
        "Medians over fields, for training fields with the range of the middle four fifths. "
        "The last columns are the power in bands of "
        "frequency that end at so many cycles a network pixel, over its mean. *Particles over noise*: power "
        "below 0.2 cycles over that above 0.4, less 1; not meant for denoised pictures."
    )
    _plot(groups)
    command = f"python -m benchmarks.simulated_spectra --fields {options.fields}"
    save("simulated_spectra", command, "\n".join(rows) + f"\n\n{note}\n\n![spectra](simulated_spectra.png)")


def _row(name: str, fields: list[Figures]) -> str:
    spread = name.startswith("training")
    columns = [
        _number([f.excess for f in fields], spread),
        _number([f.skewness for f in fields], spread),
        _number([f.kurtosis for f in fields], spread),
        *(_number(list(values), spread) for values in np.asarray([f.spectrum for f in fields]).T),
    ]
    return f"| {name} | {' | '.join(columns)} |"


def _number(values: list[float], spread: bool) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    if abs(middle) > 999:
        return "-"
    return f"{middle:.2f} ({low:.2f} to {high:.2f})" if spread else f"{middle:.2f}"


def _plot(groups: dict[str, list[Figures]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    for name, fields in groups.items():
        panel = panels[int("10017" in name or "denoised" in name)]
        spectra = np.maximum([f.spectrum for f in fields], 1e-5)
        line = np.median(spectra, axis=0)
        if name.startswith("training"):
            low, high = np.percentile(spectra, [10, 90], axis=0)
            panel.fill_between(middle, low, high, color="0.85", label=f"{name}: middle four fifths")
        else:
            colour = "C0" if name.endswith("frame") else "C3"
            style = "--" if name.startswith("simulated") else "-"
            panel.plot(middle, line, style, color=colour, label=name)
    for panel in panels:
        panel.set(yscale="log", ylim=(1e-3, 60), xlabel="cycles a network pixel")
        panel.legend(fontsize=8)
    panels[0].set_ylabel("power over its mean")
    figure.savefig(RESULTS / "simulated_spectra.png", dpi=90)


if __name__ == "__main__":
    main()
