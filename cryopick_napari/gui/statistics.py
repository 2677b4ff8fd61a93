"""The statistics of a project: charts that can be saved, in a window of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QPalette, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cryopick_napari import survey
from cryopick_napari.charts import COLOURS, COLOURS_ON_DARK, Chart, Look, draw, histogram, write_numbers
from cryopick_napari.charts import write_picture as save_picture
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui.worker import Job, once
from cryopick_napari.picks import Picks

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.gui.table import MicrographTable
    from cryopick_napari.material import Choice, Material

SIZE = 760, 560  # px of the screen
WAIT = 300  # ms, for further changes
MOST_MODELS = 6
READING = "Reading the picks…"
SCORES, PER_FIELD, APART, SCATTER, CURVES, AGREEMENT = CHARTS = (
    "Scores of the picks",
    "Picks per micrograph",
    "Distance to the nearest pick",
    "One number against another",
    "Learning curves of the models",
    "Agreement with somebody else",
)
OURS = {"picks": "The picks", "labels": "My labels"}
MINE, FILE, FOLDER, THEIR_LABELS, THEIR_PICKS = (
    "my labels",
    "a coordinate file…",
    "a folder of coordinates…",
    "the labels of another project…",
    "the picks of another project…",
)
COORDINATES = "Coordinates (*.star *.box *.cbox *.csv *.txt *.tsv);;All files (*)"
PICTURES = "Pictures (*.png *.svg *.pdf)"
Particles = tuple[str, Mapping[Path, Picks]]  # whose they are, and on which micrographs
Others = Callable[[], Particles]


class StatisticsWindow(QDialog):
    """Shows a chart of the project, in the colours of the window; rejected micrographs do not count.

    Attributes
    ----------
    chart : Chart
        What is shown.
    """

    def __init__(self, session: Session, table: MicrographTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Statistics of the project")
        self.session, self.table = session, table
        self.chart = Chart("", "", "bars")
        self._job: Job | None = None
        self._others: Others | None = None
        self.kind = QComboBox()
        self.kind.addItems(CHARTS)
        self.kind.setAccessibleName("What is shown")
        self.options = QStackedWidget()
        self.pages = {title: self.options.addWidget(self._page(title)) for title in CHARTS}
        self.figure = Figure(layout="constrained")
        self.canvas = FigureCanvasQTAgg(self.figure)  # type: ignore[no-untyped-call]
        self.canvas.mpl_connect("pick_event", self._on_dot)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.picture, self.numbers = QPushButton("Save picture…"), QPushButton("Save numbers…")
        self.close_it = QPushButton("Close")
        self._lay_out()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT)
        self._soon.timeout.connect(self.refresh)
        self._connect()
        self.resize(*SIZE)

    # what it is made of

    def _page(self, title: str) -> QWidget:
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        if title == SCATTER:
            self.across, self.up = QComboBox(), QComboBox()
            for widget in (QLabel("Across"), self.across, QLabel("Up"), self.up):
                row.addWidget(widget)
        elif title == CURVES:
            self.curve = QComboBox()
            for name, text in survey.FIGURES.items():
                self.curve.addItem(text.capitalize() if text[0] != "F" else text, name)
            row.addWidget(self.curve)
        elif title == AGREEMENT:
            self.ours, self.theirs = QComboBox(), QComboBox()
            for name, text in OURS.items():
                self.ours.addItem(text, name)
            self.theirs.addItems([MINE, FILE, FOLDER, THEIR_LABELS, THEIR_PICKS])
            self.theirs.setToolTip("Two positions within a quarter of a diameter are the same particle.")
            for widget in (self.ours, QLabel("with"), self.theirs):
                row.addWidget(widget)
        row.addStretch(1)
        return page

    def _lay_out(self) -> None:
        top, bottom, layout = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        top.addWidget(self.kind)
        top.addWidget(self.options, 1)
        for button in (self.picture, self.numbers):
            bottom.addWidget(button)
        bottom.addStretch(1)
        bottom.addWidget(self.close_it)
        layout.addLayout(top)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self.words)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        session = self.session
        self.kind.currentIndexChanged.connect(self._on_kind)
        for box in (self.across, self.up, self.curve, self.ours):
            box.currentIndexChanged.connect(self._later)
        self.theirs.activated.connect(self._ask_whose)
        self.picture.clicked.connect(self._save_picture)
        self.numbers.clicked.connect(self._save_numbers)
        self.close_it.clicked.connect(self.reject)
        for signal in (
            *(session.project_changed, session.micrographs_changed, session.choice_changed),
            *(session.values_changed, session.size_changed, session.labels_changed),
            *(session.tallies.changed, session.review.threshold_changed, session.learning.changed),
        ):
            signal.connect(self._later)
        session.project_changed.connect(self._forget)
        session.closing.connect(self._drop)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802, as Qt has it
        """Show the project as it is now."""
        super().showEvent(event)
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802, as Qt has it
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self.isVisible():
            self._later()

    # what is shown

    def refresh(self) -> None:
        """Draw what is chosen anew."""
        self._soon.stop()
        self._drop()
        self._fill_columns()
        quick: dict[str, Callable[[], Chart]] = {
            SCORES: self._scores,
            PER_FIELD: self._per_field,
            SCATTER: self._scatter,
            CURVES: self._curves,
        }
        title = self.kind.currentText()
        if title in quick:
            self._take(quick[title]())
        elif self.session.project is None:
            self._take(Chart("", "", "bars", (), "Open micrographs to begin."))
        else:
            self._work(self._apart() if title == APART else self._agreement())

    def _scores(self) -> Chart:
        tallies, threshold = self.session.tallies, self.table.threshold
        scores = [tallies.of(path).above(threshold) for path in self.session.accepted]
        picked = [one for one in scores if len(one)]
        together = np.concatenate(picked) if picked else np.zeros(0)
        words = (
            f"{len(together):,} picks on {survey.in_words(len(picked))} score at least {threshold:.2f}; "
            f"mean {together.mean():.2f}."
            if len(together)
            else "No micrograph is picked yet: pick them under Export."
        )
        return histogram(together, "score", "picks", words, (0.0, 1.0))

    def _per_field(self) -> Chart:
        tallies, threshold = self.session.tallies, self.table.threshold
        counts = [tallies.of(path).picks(threshold) for path in self.session.accepted]
        known = [count for count in counts if count is not None]
        words = (
            f"{len(known):,} of {survey.in_words(len(counts))} are picked: {sum(known):,} picks, "
            f"median {np.median(known):.0f}, {min(known):,} to {max(known):,}."
            if known
            else "No micrograph is picked yet: pick them under Export."
        )
        return histogram(known, "picks on a micrograph", "micrographs", words)

    def _scatter(self) -> Chart:
        columns = {column.title: column.number for column in self.table.columns}
        x, y = self.across.currentText(), self.up.currentText()
        across, up = columns.get(x), columns.get(y)
        if across is None or up is None:
            return Chart(x, y, "dots", (), "Open micrographs to begin.")
        return survey.scatter([(path, across(path), up(path)) for path in self.session.accepted], x, y)

    def _curves(self) -> Chart:
        return survey.learning_curves(self.session.learning.models()[-MOST_MODELS:], self.curve.currentData())

    def _apart(self) -> Callable[[], Chart]:
        return partial(survey.distances, self._materials(), self.session.picking.choice("picks"))

    def _agreement(self) -> Callable[[], Chart]:
        choice = replace(self.session.picking.choice(self.ours.currentData()), min_distance=None)
        return partial(_agreement, self._materials(), choice, self._others)

    def _materials(self) -> Iterable[Material]:
        return self.session.picking.materials.gathered(self.session.accepted)

    def _fill_columns(self) -> None:
        """Offer the numbers of the table; at first the score against the defocus, or the number of picks."""
        titles = [column.title for column in self.table.columns if column.number is not None]
        if titles == [self.across.itemText(number) for number in range(self.across.count())]:
            return
        for box, wanted in ((self.across, _first(titles, "Defocus")), (self.up, "Score")):
            before = box.currentText()
            box.blockSignals(True)
            box.clear()
            box.addItems(titles)
            box.setCurrentText(before if before in titles and len(titles) < 3 else wanted)
            box.blockSignals(False)

    def _take(self, chart: Chart) -> None:
        self.chart = chart
        self.figure.clear()
        if chart.has_data:
            draw(chart, self.figure, self._look())
        else:
            self.figure.set_facecolor(self._look().paper)
        self.canvas.draw_idle()  # type: ignore[no-untyped-call]
        self.words.setText(chart.words)
        for button in (self.picture, self.numbers):
            button.setEnabled(chart.has_data)

    def _look(self) -> Look:
        colours, role = self.palette(), QPalette.ColorRole
        paper = colours.color(role.Window)
        ink = colours.color(role.WindowText).name()
        return Look(ink, paper.name(), COLOURS_ON_DARK if paper.lightness() < 128 else COLOURS)

    # what a person does

    def _on_kind(self) -> None:
        self.options.setCurrentIndex(self.pages[self.kind.currentText()])
        self.refresh()

    def _later(self, *_: object) -> None:
        if self.isVisible():
            self._soon.start()

    def _ask_whose(self) -> None:
        """Ask for the file or the project of somebody else; without one, the labels are it."""
        whose, session = self.theirs.currentText(), self.session
        chosen = ""
        if whose == FILE:
            chosen, _ = QFileDialog.getOpenFileName(self, "Compare with coordinates", "", COORDINATES)
        elif whose != MINE:
            chosen = QFileDialog.getExistingDirectory(self, f"Compare with {whose.rstrip('…')}")
        paths, spacing = list(session.accepted), session.settings.spacing
        if not chosen:
            self.theirs.setCurrentText(MINE)
            self._others = None
        elif whose in (FILE, FOLDER):
            self._others = partial(_of_file, Path(chosen), paths, spacing)
        else:
            self._others = partial(_of_project, Path(chosen), paths, whose == THEIR_LABELS)
        self.refresh()

    def _on_dot(self, event: Any) -> None:
        """Look at the micrograph of a dot."""
        number = next(
            (n for n, line in enumerate(event.canvas.figure.axes[0].lines) if line is event.artist), 0
        )
        label = self.chart.series[number].labels[int(event.ind[0])]
        self.session.guarded(self.session.go, Path(label))

    def _save_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save picture", self._proposal("png"), PICTURES)
        if name:
            path = Path(name)
            self.session.guarded(save_picture, path if path.suffix else path.with_suffix(".png"), self.chart)

    def _save_numbers(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save numbers", self._proposal("csv"), "Tables (*.csv)")
        if name:
            path = Path(name)
            self.session.guarded(write_numbers, path if path.suffix else path.with_suffix(".csv"), self.chart)

    def _proposal(self, ending: str) -> str:
        words = self.kind.currentText().lower().replace(" ", "-")
        return str(Path.home() / f"{words}.{ending}")

    # work beside the window

    def _work(self, make: Callable[[], Chart]) -> None:
        self.words.setText(READING)
        self._job = job = Job(once(make), "statistics")
        job.returned.connect(lambda chart: self._take(chart) if job is self._job else None)
        job.failed.connect(lambda error: self._on_failed(job, error))
        job.start()

    def _on_failed(self, job: Job, error: CryopickError) -> None:
        if job is self._job:
            self._take(Chart("", "", "bars", (), str(error)))

    def _drop(self) -> None:
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _forget(self) -> None:
        """Compare another project with nobody yet."""
        self._others = None
        self.theirs.setCurrentText(MINE)


def _first(titles: list[str], start: str) -> str:
    """Find the title that begins so, or the first of all."""
    return next((title for title in titles if title.startswith(start)), titles[0] if titles else "")


def _agreement(materials: Iterable[Material], choice: Choice, others: Others | None) -> Chart:
    materials = list(materials)
    name, theirs = (MINE, survey.labelled(materials)) if others is None else others()
    return survey.agreement(materials, choice, theirs, name)


def _of_file(source: Path, micrographs: list[Path], spacing: float | None) -> Particles:
    from cryopick_napari.importing import find_positions

    return source.name, find_positions(source, micrographs, spacing)


def _of_project(folder: Path, micrographs: list[Path], labels: bool) -> Particles:
    return folder.name, survey.particles_of(folder, micrographs, labels)
