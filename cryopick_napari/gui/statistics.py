"""The statistics of a project: charts that can be saved, in a window of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
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
from cryopick_napari.gui.comparing import OfFile, OfModel, OfProject, Particles, Somebody
from cryopick_napari.gui.tallies import Tally
from cryopick_napari.gui.worker import Job, Work
from cryopick_napari.micrograph import spread
from cryopick_napari.words import counted

if TYPE_CHECKING:
    from cryopick_napari.gui.session import Session
    from cryopick_napari.gui.table import MicrographTable
    from cryopick_napari.material import Choice, Material

SIZE = 760, 560  # px of the screen
WAIT = 300  # ms, for further changes
TELL_EVERY = 0.2  # s
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
WHOSE = MINE, FILE, FOLDER, THEIR_LABELS, THEIR_PICKS = (
    "my labels",
    "a coordinate file…",
    "a folder of coordinates…",
    "the labels of another project…",
    "the picks of another project…",
)
MODEL = "the model “{}”"
MOST_COMPARED = 12  # micrographs that another model picks, a second or so each
COORDINATES = "Coordinates (*.star *.box *.cbox *.csv *.txt *.tsv);;All files (*)"
PICTURES = "Pictures (*.png *.svg *.pdf)"


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
        self._making: tuple[str, tuple[object, ...]] = ("", ())  # what the job is for
        self._is_stale = False
        self._somebody: Somebody | None = None
        self._known: tuple[tuple[object, ...], Particles] | None = None  # what they said, and when asked what
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
            self.curve, self._has_chosen_curve = QComboBox(), False
            self.curve.activated.connect(self._choose_curve)
            for name, text in survey.FIGURES.items():
                self.curve.addItem(text.capitalize() if text[0] != "F" else text, name)
            row.addWidget(self.curve)
        elif title == AGREEMENT:
            self.ours, self.theirs = QComboBox(), QComboBox()
            for name, text in OURS.items():
                self.ours.addItem(text, name)
            self.theirs.addItems(WHOSE)
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
        self._fill_columns()
        quick: dict[str, Callable[[], Chart]] = {
            SCORES: self._scores,
            PER_FIELD: self._per_field,
            SCATTER: self._scatter,
            CURVES: self._curves,
        }
        title = self.kind.currentText()
        if title == AGREEMENT:
            self._fill_models()
        if title in quick:
            self._take(quick[title]())
        elif self.session.project is None:
            self._take(Chart("", "", "bars", (), "Open micrographs to begin."))
        else:
            self._work(title, self._apart if title == APART else self._agreement)

    def _scores(self) -> Chart:
        threshold = self.table.threshold
        scores = [self._tally(path).above(threshold) for path in self.session.accepted]
        picked = [one for one in scores if len(one)]
        together = np.concatenate(picked) if picked else np.zeros(0)
        words = (
            f"{len(together):,} picks on {counted(len(picked), 'micrograph')} score at least "
            f"{threshold:.2f}; mean {together.mean():.2f}."
            if len(together)
            else "No micrograph is picked yet: pick them under Export."
        )
        return histogram(together, "score", "picks", words, (0.0, 1.0))

    def _per_field(self) -> Chart:
        threshold = self.table.threshold
        counts = [self._tally(path).picks(threshold) for path in self.session.accepted]
        known = [count for count in counts if count is not None]
        words = (
            f"{len(known):,} of {counted(len(counts), 'micrograph')} are picked: {sum(known):,} picks, "
            f"median {np.median(known):.0f}, {min(known):,} to {max(known):,}."
            if known
            else "No micrograph is picked yet: pick them under Export."
        )
        return histogram(known, "picks on a micrograph", "micrographs", words)

    def _tally(self, path: Path) -> Tally:
        """Give the numbers of a micrograph; picks of a model that is not in use do not count."""
        tally, settings = self.session.tallies.of(path), self.session.settings
        return tally if tally.made_by == settings.picked_by(settings.model) else Tally()

    def _scatter(self) -> Chart:
        columns = {column.title: column.number for column in self.table.columns}
        x, y = self.across.currentText(), self.up.currentText()
        across, up = columns.get(x), columns.get(y)
        if across is None or up is None:
            return Chart(x, y, "dots", (), "Open micrographs to begin.")
        return survey.scatter([(path, across(path), up(path)) for path in self.session.accepted], x, y)

    def _curves(self) -> Chart:
        models = self.session.learning.models()[-MOST_MODELS:]
        if not self._has_chosen_curve:  # of clicks alone no F1 is known
            known = (name for name in survey.FIGURES if survey.learning_curves(models, name).has_data)
            self.curve.blockSignals(True)
            self.curve.setCurrentIndex(max(0, self.curve.findData(next(known, None))))
            self.curve.blockSignals(False)
        return survey.learning_curves(models, self.curve.currentData())

    def _choose_curve(self) -> None:
        self._has_chosen_curve = True

    def _apart(self) -> Work:
        paths = self.session.accepted
        return _apart(self._materials(paths), len(paths), self.session.picking.choice("picks"))

    def _agreement(self) -> Work:
        session = self.session
        paths, spacing = tuple(session.accepted), session.settings.spacing
        choice = replace(session.picking.choice(self.ours.currentData()), min_distance=None)
        known = self._known[1] if self._known is not None and self._known[0] == self._asked() else None
        return _agreement(self._materials(paths), paths, choice, spacing, self._somebody, known)

    def _asked(self) -> tuple[object, ...]:
        """Say what the particles of somebody depend on."""
        if isinstance(self._somebody, OfModel):
            return (self._somebody,)
        return self._somebody, tuple(self.session.accepted), self.session.settings.spacing

    def _fill_models(self) -> None:
        """Offer the models that are not in use."""
        in_use = self.session.learning.model_name
        models = [MODEL.format(one.name) for one in self.session.learning.models() if one.name != in_use]
        wanted = [*WHOSE, *models]
        if wanted != [self.theirs.itemText(number) for number in range(self.theirs.count())]:
            before = self.theirs.currentText()
            self.theirs.clear()
            self.theirs.addItems(wanted)
            self.theirs.setCurrentText(before if before in wanted else MINE)
            self._somebody = self._somebody if before in wanted else None

    def _materials(self, paths: Sequence[Path]) -> Iterable[Material]:
        return self.session.picking.materials.gathered(paths)

    def _fill_columns(self) -> None:
        """Offer the numbers of the table; at first the score against the defocus, or the number of picks."""
        titles = [column.title for column in self.table.columns if column.number is not None]
        if titles == [self.across.itemText(number) for number in range(self.across.count())]:
            return
        for box, wanted in ((self.across, _first(titles, "Defocus")), (self.up, "Score")):
            box.blockSignals(True)
            box.clear()
            box.addItems(titles)
            box.setCurrentText(wanted)
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
        whose, session, chosen = self.theirs.currentText(), self.session, ""
        if whose == FILE:
            chosen, _ = QFileDialog.getOpenFileName(self, "Compare with coordinates", "", COORDINATES)
        elif whose in WHOSE[1:]:
            chosen = QFileDialog.getExistingDirectory(self, f"Compare with {whose.rstrip('…')}")
        if whose not in WHOSE:
            mask = session.settings.contamination_mask
            self._somebody = OfModel(session.opened(), self._model(), mask, self._picked())
        elif not chosen:
            self.theirs.setCurrentText(MINE)
            self._somebody = None
        elif whose in (FILE, FOLDER):
            self._somebody = OfFile(Path(chosen))
        else:
            self._somebody = OfProject(Path(chosen), whose == THEIR_LABELS)
        self._known = None
        self.refresh()

    def _model(self) -> str:
        """Name the model that is chosen to compare with."""
        names = {MODEL.format(one.name): one.name for one in self.session.learning.models()}
        return names[self.theirs.currentText()]

    def _picked(self) -> tuple[Path, ...]:
        """List some micrographs that the model in use has picked, spread over the project."""
        known = [path for path in self.session.accepted if self._tally(path).scores is not None]
        return spread(known, MOST_COMPARED)

    def _on_dot(self, event: Any) -> None:
        """Look at the micrograph of the dot that was clicked."""
        mouse = event.mouseevent
        if mouse.name != "button_press_event" or mouse.button != 1:
            return  # the wheel picks dots too
        number = next(n for n, line in enumerate(self.figure.axes[0].lines) if line is event.artist)
        one = self.chart.series[number]
        places = self.figure.axes[0].transData.transform(np.stack([one.x, one.y], axis=1)[event.ind])
        nearest = int(np.hypot(*(places - (mouse.x, mouse.y)).T).argmin())
        self.session.guarded(self.session.go, Path(one.labels[int(event.ind[nearest])]))

    def _save_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save picture", self._proposal("png"), PICTURES)
        self._save(name, ".png", save_picture)

    def _save_numbers(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save numbers", self._proposal("csv"), "Tables (*.csv)")
        self._save(name, ".csv", write_numbers)

    def _save(self, name: str, ending: str, write: Callable[[Path, Chart], None]) -> None:
        if name:
            path = Path(name)
            if not path.suffix:
                path = path.with_suffix(ending)
                if path.exists():  # nobody was asked about that name
                    self.session.say(CryopickError(f"{path} is there already: choose another name"))
                    return
            self.session.guarded(write, path, self.chart)

    def _proposal(self, ending: str) -> str:
        words = self.kind.currentText().lower().replace(" ", "-")
        return str(Path.home() / f"{words}.{ending}")

    # work beside the window

    def _work(self, title: str, make: Callable[[], Work]) -> None:
        """Make a chart beside the window; while one is being made, another waits for its end."""
        if self._job is not None:
            self._is_stale = True
            return
        self.words.setText(READING)
        self._is_stale, self._making = False, (title, self._asked())
        self._job = job = Job(make, "statistics")
        # Methods of objects of Qt: they are not called any more once the window is gone.
        job.yielded.connect(self.words.setText)
        job.returned.connect(self._on_made)
        job.failed.connect(self._on_failed)
        job.finished.connect(self._on_finished)
        job.start()

    def _on_made(self, made: tuple[Chart, Particles | None]) -> None:
        chart, known = made
        title, asked = self._making
        if known is not None:
            self._known = asked, known
        if title == self.kind.currentText():
            self._take(chart)

    def _on_failed(self, error: CryopickError) -> None:
        if self._making[0] == self.kind.currentText():
            self._take(Chart("", "", "bars", (), str(error)))

    def _on_finished(self) -> None:
        self._job = None
        if self._is_stale:
            self.refresh()

    def _drop(self) -> None:
        if self._job is not None:
            self._job.abandon()

    def _forget(self) -> None:
        """Compare another project with nobody yet."""
        if self.session.project is None:
            self._drop()
            self._somebody, self._known = None, None
            self.theirs.setCurrentText(MINE)


def _first(titles: list[str], start: str) -> str:
    """Find the title that begins so, or the first of all."""
    return next((title for title in titles if title.startswith(start)), titles[0] if titles else "")


def _gathered(materials: Iterable[Material], total: int) -> Generator[str, bool | None, list[Material]]:
    """Read materials, and say how far that is."""
    found: list[Material] = []
    told = time.monotonic()
    for material in materials:
        found.append(material)
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            yield f"Reading the picks: {len(found):,} of {total:,}…"
    return found


def _apart(materials: Iterable[Material], total: int, choice: Choice) -> Work:
    return survey.distances((yield from _gathered(materials, total)), choice), None


def _agreement(
    materials: Iterable[Material],
    paths: tuple[Path, ...],
    choice: Choice,
    spacing: float | None,
    somebody: Somebody | None,
    known: Particles | None,
) -> Work:
    """Compare; what somebody says comes back too, for it takes long to find out."""
    found = yield from _gathered(materials, len(paths))
    if somebody is None:
        return survey.agreement(found, choice, survey.labelled(found), MINE), None
    if known is None:
        known = yield from somebody.read(paths, spacing)
    return survey.agreement(found, choice, known, somebody.name), known
