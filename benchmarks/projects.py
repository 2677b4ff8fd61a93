"""Large projects, and what a kill leaves of one.

A project of 10,000 micrographs is opened in the real window and clicked in; then processes that label
without a pause are killed at random moments, and what they labelled is looked for. Run it where a screen
is: ``xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.projects``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryopick_napari.labels import Labels
from cryopick_napari.micrograph import write_mrc
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project, Settings

MICROGRAPHS, CLICKS, KILLS = 10_000, 50, 100
SIDE = 128  # px; what is measured is the project
WHEN = 0.1, 2.5  # s after the first label that a process is killed
OLD = 1.0  # s: a label of this age must be there
Row = tuple[str, str, str]
LABELLING = """
import sys, time
from pathlib import Path
from qtpy.QtCore import QCoreApplication, QTimer
from cryopick_napari.gui.keeper import Keeper
from cryopick_napari.holding import hold
from cryopick_napari.labels import Labels
from cryopick_napari.picks import Picks
from cryopick_napari.project import Project

app, keeper, project = QCoreApplication([]), Keeper(), Project.opened(sys.argv[1])
held = hold(project.folder)
keeper.take(project)
path, places = Path("field.mrc"), []

def label():
    places.append((len(places), len(places)))
    keeper.put(path, keeper.history(path).changed(Labels(Picks.of(places))))
    print(len(places), time.monotonic(), flush=True)

timer = QTimer()
timer.timeout.connect(label)
timer.start(10)
app.exec_()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = name
        rows = [*opening(Path(name)), killing(Path(name))]
    lines = [
        "| what | measured | allowed |",
        "|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    from benchmarks.machine import save  # imports torch

    save("projects", "xvfb-run python -m benchmarks.projects", "\n".join(lines))


def opening(folder: Path) -> Iterator[Row]:
    """Open a large project in the window, and label in it."""
    import napari

    from cryopick_napari.gui.hands import wait, wait_until
    from cryopick_napari.gui.widget import CryopickWidget

    project = large(folder)
    viewer = napari.Viewer()
    _, widget = viewer.window.add_plugin_dock_widget("cryopick-napari", "Pick particles")
    assert isinstance(widget, CryopickWidget)
    session = widget.session
    wait(2)
    start = time.perf_counter()
    session.open_project(project.folder)
    wait_until(lambda: session.field is not None, 60, "the first field")
    wait(0)
    seconds = time.perf_counter() - start
    yield f"project of {MICROGRAPHS:,} micrographs, open and one shown", f"{seconds:.2f} s", "2 s"
    clicks, saves = [], []
    for number in range(CLICKS):
        labels = session.labels
        more = labels.positives.joined(Picks.of([[2.0 * number, 60.0]]))
        start = time.perf_counter()
        session.edit(replace(labels, positives=more))
        clicks.append(time.perf_counter() - start)
        start = time.perf_counter()
        session.flush()
        saves.append(time.perf_counter() - start)
        wait(0.02)
    saved = project.labels(session.micrographs[1])
    assert len(saved.positives) == len(session.labels.positives) > CLICKS
    for what, seconds_each in (("takes the window", clicks), ("is saved in", saves)):
        middle, worst = 1000 * np.median(seconds_each), 1000 * max(seconds_each)
        yield f"a click there {what}", f"{middle:.1f} ms, at most {worst:.0f} ms", "50 ms"
    start = time.perf_counter()
    session.change(threshold=0.3)
    session.flush()
    yield "a setting is saved in", f"{1000 * (time.perf_counter() - start):.0f} ms", ""
    viewer.close()


def large(folder: Path) -> Project:
    """Make a project of many micrographs, a tenth of them labelled; all are the same file."""
    micrographs = folder / "micrographs"
    micrographs.mkdir()
    first = micrographs / "field_00000.mrc"
    write_mrc(first, np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32), 3.0)
    paths = [micrographs / f"field_{number:05d}.mrc" for number in range(MICROGRAPHS)]
    for path in paths[1:]:
        os.link(first, path)
    project = Project.opened(folder / "project")
    project.save_settings(Settings(tuple(map(str, paths)), diameter=60.0))
    for path in paths[1::10]:
        project.save_labels(path, Labels(Picks.of([[40.0, 40.0]])))
    return project


def killing(folder: Path) -> Row:
    """Kill labelling processes at random moments, and count the labels that are lost."""
    rng = np.random.default_rng(0)
    lost, ages = 0, []
    for number in range(KILLS):
        project = folder / f"killed {number}"
        command = [sys.executable, "-c", LABELLING, str(project)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = [process.stdout.readline()]
        time.sleep(rng.uniform(*WHEN))
        killed = time.monotonic()
        process.kill()
        said += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        labelled = [float(line.split()[1]) for line in said if line.count(" ") == 1]
        kept = len(Project.opened(project).labels(Path("field.mrc")).positives)
        lost += sum(at < killed - OLD for at in labelled[kept:])
        ages += [killed - at for at in labelled[kept : kept + 1]]
    oldest = f"the oldest that is gone was {max(ages, default=0.0):.2f} s old"
    return f"labels older than {OLD:g} s lost in {KILLS} kills", f"{lost}; {oldest}", "0"


if __name__ == "__main__":
    main()
