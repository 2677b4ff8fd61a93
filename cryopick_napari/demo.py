"""The main job from end to end on the embedded samples, and a one-page report of it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template

import cv2
import numpy as np
from numpy.typing import NDArray

from cryopick_napari.batch import PickSettings
from cryopick_napari.errors import CryopickError
from cryopick_napari.evaluation import Agreement, Compared, evaluate
from cryopick_napari.files import replacing
from cryopick_napari.labels import Example, Labels
from cryopick_napari.metrics import STRICT, matched
from cryopick_napari.overlay import MISSED, RIGHT, WRONG, draw_circles, draw_field, write_png
from cryopick_napari.picker import Picker
from cryopick_napari.runs import pick_files
from cryopick_napari.simulate import sample, samples

CLICKS = 40  # true positions that stand for a person's clicks
CLICKED = 2  # sample micrographs they are on; the others are for testing only
CLICK = (120, 255, 120)
WINDOW = {
    "label": "Particles are clicked",
    "train": "The network learns; its answer is shown meanwhile",
    "review": "Picks, coloured by score, over the probability",
    "export": "Coordinates are written",
}


def clicked_samples(seed: int = 1) -> list[Example]:
    """Take random true positions of the first samples for clicks."""
    rng = np.random.default_rng(seed)
    examples = []
    for number in range(CLICKED):
        micrograph, truth = sample(number)
        chosen = rng.permutation(len(truth))[: CLICKS // CLICKED]
        examples.append(Example(micrograph, Labels(truth.where(chosen))))
    return examples


def pick_samples(picker: Picker, folder: Path) -> list[Agreement]:
    """Pick all samples, write a RELION job and pictures, and score the picks against the truth."""
    settings = PickSettings(format="relion", maps=True, overlays=True)
    fields = []
    for number, picked in enumerate(pick_files(picker, samples(), folder / "relion", settings)):
        if picked.state == "failed":
            raise CryopickError(picked.message)
        micrograph, truth = sample(number)
        picks = picker.pick(micrograph) if picked.picks is None else picked.picks
        diameter = picker.config.diameter_at(micrograph.spacing)
        fields.append(Compared(picked.path.stem, picks, truth, diameter, micrograph.shape))
        write_png(folder / f"{picked.path.stem}.png", _judged(fields[-1], draw_field(micrograph, diameter)))
    return evaluate(fields)


def write_report(folder: Path, picker: Picker, rows: Sequence[Agreement], seconds: float) -> Path:
    """Write a page that shows what was learned from what, and how well it went.

    Returns
    -------
    Path
        ``report.html``; its pictures lie beside it.
    """
    for example in clicked_samples():
        name = example.micrograph.path.stem if example.micrograph.path else "field"
        diameter = picker.config.diameter_at(example.micrograph.spacing)
        field = draw_field(example.micrograph, diameter)
        clicks = draw_circles(field, example.labels.positives, example.micrograph.shape, diameter, CLICK)
        write_png(folder / f"{name}_clicks.png", clicks)
    _write_attention(folder, picker)
    page = folder / "report.html"
    with replacing(page) as temporary:
        temporary.write_text(_page(picker, rows, seconds, _window(folder)), encoding="utf-8")
    return page


def _judged(field: Compared, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw right picks, wrong ones and missed particles in colours of their own."""
    reach = STRICT * field.diameter
    right = matched(field.picks, field.truth, reach)
    found = matched(field.truth, field.picks, reach)
    for picks, colour in (
        (field.truth.where(~found), MISSED),
        (field.picks.where(~right), WRONG),
        (field.picks.where(right), RIGHT),
    ):
        picture = draw_circles(picture, picks, field.shape, field.diameter, colour)
    return picture


def _write_attention(folder: Path, picker: Picker) -> None:
    """Draw the probability and the attention maps of the last sample side by side, on one scale."""
    scaled, probability = picker.search(sample(len(samples()) - 1)[0])
    planes = {"probability": probability, **picker.attention(scaled)}
    height, width = (side // 2 for side in scaled.shape)
    size = (width, height)
    tiles = [cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST) for plane in planes.values()]
    coloured = cv2.applyColorMap((np.concatenate(tiles, axis=1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    write_png(folder / "attention.png", coloured[..., ::-1].astype(np.uint8))


def _window(folder: Path) -> str:
    """Show the pictures of a tour of the window, where one was taken."""
    figures = [
        f'<figure><img src="window/{name}.png"><figcaption>{about}</figcaption></figure>'
        for name, about in WINDOW.items()
        if (folder / "window" / f"{name}.png").is_file()
    ]
    return f'<h2>The same in the window</h2><div class="two">{"".join(figures)}</div>' if figures else ""


def _page(picker: Picker, rows: Sequence[Agreement], seconds: float, window: str) -> str:
    """Fill in the page."""
    heads = ("micrograph", "picks", "particles", "precision", "recall", "F1", "F1 by chance")
    cells = [
        (
            row.name,
            row.picks,
            row.truth,
            f"{row.precision:.2f}",
            f"{row.recall:.2f}",
            f"{row.f1:.3f}",
            f"{row.chance:.2f}",
        )
        for row in rows
    ]
    pictures = [
        (
            f"{rows[number].name}.png",
            f"{rows[number].name}: " + ("clicked in part" if number < CLICKED else "not used in training"),
        )
        for number in range(len(rows) - 1)
    ]
    page = Template(resources.files("cryopick_napari").joinpath("resources/report.html").read_text("utf-8"))
    return page.substitute(
        clicks=CLICKS,
        fields=CLICKED,
        f1=f"{rows[-1].f1:.2f}",
        seconds=f"{seconds:.0f}",
        threshold=f"{picker.config.threshold:.2f}",
        first=html.escape(rows[0].name),
        window=window,
        heads="".join(f"<th>{head}</th>" for head in heads),
        rows="".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in line) + "</tr>"
            for line in cells
        ),
        pictures="".join(
            f'<figure><img src="{html.escape(name)}"><figcaption>{html.escape(about)}</figcaption></figure>'
            for name, about in pictures
        ),
    )
