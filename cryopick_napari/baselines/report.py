"""A comparison as a table, a file of all figures, and a picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from cryopick_napari.baselines.comparison import METHODS
from cryopick_napari.baselines.scoring import Outcome
from cryopick_napari.files import replacing

HEADS = (
    *("method", "F1", "precision", "recall", "F1 at the best threshold", "AUC", "false positives a field"),
    *("parameters", "training, s", "a field, s", "chance", "flipped", "converged"),
)
WORDS = """\
F1, precision and recall: one-to-one, centres within half a particle radius, at the threshold chosen
on held-out labels of the training fields. AUC: pixels of the map against discs of half a radius;
DETR has no map: its picks are drawn as Gaussians as high as their scores. Chance: as many random
picks. Flipped: the picks mirrored top to bottom. Not converged: the last quarter of the training
still lowered the held-out loss by 5 % or more, or the F1 at the best threshold is below three times
that of as many random picks as there are particles.
"""
CURVES = ("curve", "precision_recall")


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Lay out a table: medians over the seeds where there are several, and then every run."""
    lines = [_line(HEADS), _line(["---"] * len(HEADS))]
    lines += [_line(_row(runs)) for runs in _by_method(outcomes)]
    seeds = sorted({found.seed for found in outcomes})
    if len(seeds) > 1:
        lines += ["", f"Medians over the seeds {', '.join(map(str, seeds))}; each run:", ""]
        lines += [_line(("seed", *HEADS)), _line(["---"] * (len(HEADS) + 1))]
        lines += [_line((str(found.seed), *_row([found]))) for runs in _by_method(outcomes) for found in runs]
    return "\n".join([*lines, "", WORDS])


def write_report(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write ``comparison.md``, ``comparison.csv`` and ``comparison.png``."""
    with replacing(folder / "comparison.md") as temporary:
        temporary.write_text(as_markdown(outcomes), encoding="utf-8")
    names = [field.name for field in dataclasses.fields(Outcome) if field.name not in CURVES]
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    table.writerows(dataclasses.asdict(found) for found in outcomes)
    with replacing(folder / "comparison.csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    write_plot(folder / "comparison.png", outcomes)


def write_plot(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Draw F1 with that of chance, and precision against recall (PNG or SVG, as the name says)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    bars, curves = figure.subplots(1, 2)
    for place, runs in enumerate(_by_method(outcomes)):
        name, colour = METHODS[runs[0].method], f"C{list(METHODS).index(runs[0].method)}"
        label = name if all(found.converged for found in runs) else f"{name}\n(not converged)"
        bars.barh(label, median(found.f1 for found in runs), color=colour, alpha=0.7)
        bars.plot([found.f1 for found in runs], [place] * len(runs), "k.", markersize=4)
        bars.plot([found.best_f1 for found in runs], [place] * len(runs), "k|", markersize=14)
        bars.plot([median(found.chance for found in runs)] * 2, [place - 0.4, place + 0.4], "k:")
        for found in runs:
            recall, precision = (
                zip(*found.precision_recall, strict=True) if found.precision_recall else ((), ())
            )
            curves.plot(recall, precision, color=colour, label=name if found is runs[0] else None)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1), xlabel="F1 (bar and dots; |: at the best threshold; dotted: chance)")
    curves.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall", ylabel="precision")
    curves.legend(frameon=False)
    for axes in (bars, curves):
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _by_method(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Gather the runs of each method, in the order of `METHODS`."""
    runs = [[found for found in outcomes if found.method == name] for name in METHODS]
    return [of_one for of_one in runs if of_one]


def _row(runs: Sequence[Outcome]) -> list[str]:
    """Fill a line with the medians of some runs."""

    def middle(name: str, form: str) -> str:
        return format(median(getattr(found, name) for found in runs), form)

    count = sum(found.converged for found in runs)
    return [
        METHODS[runs[0].method],
        *(middle(name, ".3f") for name in ("f1", "precision", "recall", "best_f1", "auc")),
        middle("false_positives", ".0f"),
        format(runs[0].parameters, ","),
        middle("training_seconds", ".0f"),
        middle("field_seconds", ".2f"),
        *(middle(name, ".3f") for name in ("chance", "flipped")),
        "yes" if count == len(runs) else f"not converged ({len(runs) - count} of {len(runs)} runs)",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
