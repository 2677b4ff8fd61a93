from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from cryopick_napari.gui.table import MicrographTable, shared_ending
from cryopick_napari.labels import Labels
from cryopick_napari.mrc import write_mrc
from cryopick_napari.picks import Picks

COLUMNS = {"name": 0, "labels": 1, "picks": 2, "score": 3, "state": 4}


@pytest.fixture
def table(opened) -> MicrographTable:
    return MicrographTable(opened)


def cell(table: MicrographTable, row: int, column: str, role: Qt.ItemDataRole = Qt.ItemDataRole.DisplayRole):
    return table.data(table.index(row, COLUMNS[column]), role)


def with_picks(session, row: int, scores: list[float]) -> Path:
    path = session.micrographs[row]
    session.project.save_picks(path, Picks.of(np.ones((len(scores), 2)), scores), "model 1")
    session.row_changed.emit(path)
    return path


def test_names_without_what_all_share(table) -> None:
    assert [cell(table, row, "name") for row in range(4)] == [
        "sample-0-plain",
        "sample-1-crowded",
        "sample-2-carbon",
        "sample-3-ice",
    ]
    assert str(table.paths[0]) in cell(table, 0, "name", Qt.ItemDataRole.ToolTipRole)


@pytest.mark.parametrize(
    ("names", "ending"),
    [
        (["a_1_aligned.mrc", "a_2_aligned.mrc"], "_aligned.mrc"),
        (["a.mrc", "b.tif"], ""),
        (["one.v2.mrc"], ".mrc"),
        (["bad.mrc", *(f"a_{n}_aligned.mrc" for n in range(10))], "_aligned.mrc"),
        (["a.mrc", "a.mrc"], ".mrc"),
        (["11.mrc", "21.mrc"], ".mrc"),
        ([], ""),
    ],
)
def test_shared_endings(names: list[str], ending: str) -> None:
    assert shared_ending(names) == ending


def test_labels_are_counted_at_once(opened, table) -> None:
    assert cell(table, 0, "labels") == cell(table, 0, "state") == ""
    opened.edit(Labels(Picks.of([(9, 9), (90, 90)])))
    assert cell(table, 0, "labels") == "2"
    assert cell(table, 0, "state") == "labelled"
    opened.edit(Labels.of_whole_field(Picks.of([(9, 9)]), (1024, 1024)))
    assert cell(table, 0, "labels") == "1 ✓"


def test_labels_and_picks_of_before_are_read(opened, qtbot) -> None:
    opened.edit(Labels(Picks.of([(9, 9), (90, 90)])))
    with_picks(opened, 2, [0.9, 0.8, 0.1])
    opened.flush()
    opened.open_project(opened.project.folder)
    table = MicrographTable(opened)
    qtbot.waitUntil(lambda: cell(table, 2, "picks") == "2")
    qtbot.waitUntil(lambda: cell(table, 0, "labels") == "2")
    assert cell(table, 2, "state") == "picked"


def test_picks_of_another_model_are_old(opened, table, qtbot) -> None:
    with_picks(opened, 2, [0.9])
    qtbot.waitUntil(lambda: cell(table, 2, "state") == "picked")
    opened.change(model="model 2")
    assert cell(table, 2, "state") == "old picks"
    opened.project.save_picks(opened.micrographs[2], Picks.of([(1, 1)], [0.5]), "model 2")
    opened.row_changed.emit(opened.micrographs[2])
    qtbot.waitUntil(lambda: cell(table, 2, "state") == "picked")


def test_what_is_picked_elsewhere_is_sorted_in(opened, table, qtbot) -> None:
    for row, count in ((1, 5), (2, 3), (3, 4)):
        with_picks(opened, row, [0.9] * count)
    qtbot.waitUntil(lambda: table.tallies.of(opened.micrographs[3]).scores is not None)
    table.sort(COLUMNS["picks"], Qt.SortOrder.DescendingOrder)
    assert table.paths[0] == opened.micrographs[1]
    with_picks(opened, 3, [0.9] * 9)
    qtbot.waitUntil(lambda: table.paths[0] == opened.micrographs[3])


def test_picks_count_above_the_threshold(opened, table, qtbot) -> None:
    with_picks(opened, 1, [0.2, 0.5, 0.9])
    opened.review.set_threshold(0.5)
    qtbot.waitUntil(lambda: cell(table, 1, "picks") == "2")
    assert cell(table, 1, "score") == "0.70"
    opened.review.set_threshold(0.95)
    assert (cell(table, 1, "picks"), cell(table, 1, "score")) == ("0", "")
    with_picks(opened, 1, [0.99])
    qtbot.waitUntil(lambda: cell(table, 1, "picks") == "1")


def test_picks_in_excluded_areas_do_not_count(opened, table, qtbot) -> None:
    path = opened.current
    opened.project.save_picks(path, Picks.of([(10, 10), (50, 50), (60, 60)], [0.9, 0.8, 0.7]), "model 1")
    opened.row_changed.emit(path)
    qtbot.waitUntil(lambda: cell(table, 0, "picks") == "3")
    square = np.array([(40, 40), (40, 70), (70, 70), (70, 40)], np.float32)
    opened.edit(replace(opened.labels, excluded=(square,)))
    qtbot.waitUntil(lambda: cell(table, 0, "picks") == "1")
    opened.edit(replace(opened.labels, excluded=()))
    qtbot.waitUntil(lambda: cell(table, 0, "picks") == "3")


def test_edits_win_over_what_is_still_being_read(opened, table, qtbot) -> None:
    opened.edit(Labels(Picks.of([(9, 9)])))
    table.tallies._start_anew()
    opened.edit(Labels(Picks.of([(9, 9), (90, 90)])))
    qtbot.waitUntil(lambda: table.tallies._job is None)
    assert cell(table, 0, "labels") == "2"


def test_the_current_one_is_bold(opened, table) -> None:
    assert cell(table, 0, "name", Qt.ItemDataRole.FontRole).bold()
    opened.step(1)
    assert cell(table, 0, "name", Qt.ItemDataRole.FontRole) is None
    assert cell(table, 1, "name", Qt.ItemDataRole.FontRole).bold()


def test_bad_files_say_why(opened, table, qtbot, tmp_path) -> None:
    bad = tmp_path / "bad.mrc"
    bad.write_bytes(b"")
    opened.open_paths([bad])
    qtbot.waitUntil(lambda: cell(table, 4, "state") == "not read")
    assert table.problem(bad) == "not read: is empty: copy it again"
    assert "is empty" in cell(table, 4, "state", Qt.ItemDataRole.ToolTipRole)
    write_mrc(bad, np.random.default_rng(1).normal(size=(64, 64)))
    opened.go(bad)
    qtbot.waitUntil(lambda: table.problem(bad) == "")


def test_sorting_numbers_as_numbers(opened, table, qtbot, tmp_path) -> None:
    for row, count in enumerate((9, 10, 1)):
        with_picks(opened, row, [0.9] * count)
    qtbot.waitUntil(lambda: cell(table, 2, "picks") == "1")
    table.sort(COLUMNS["picks"], Qt.SortOrder.DescendingOrder)
    assert [cell(table, row, "picks") for row in range(4)] == ["10", "9", "1", ""]
    table.sort(-1)
    assert table.paths == opened.micrographs


def test_sorting_names_as_people_count(opened, table, tmp_path) -> None:
    for number in (10, 9):
        write_mrc(tmp_path / f"{number}.mrc", np.random.default_rng(1).normal(size=(64, 64)))
    opened.close_project()
    opened.open_paths([tmp_path])
    table.sort(0)
    assert [cell(table, row, "name") for row in range(2)] == ["9", "10"]


def test_finding_names(opened, table) -> None:
    table.find("CAR")
    assert table.paths == [opened.micrographs[2]]
    assert table.row_of(opened.micrographs[0]) is None
    table.find("")
    assert len(table.paths) == 4


def test_two_thousand_are_listed_within_a_second(session, qtbot, tmp_path, record_property) -> None:
    first = tmp_path / "m-0.mrc"
    write_mrc(first, np.random.default_rng(1).normal(size=(64, 64)))
    for number in range(1, 2000):
        (tmp_path / f"m-{number}.mrc").hardlink_to(first)
    table = MicrographTable(session)
    began = time.monotonic()
    session.open_paths([tmp_path])
    table.sort(0)
    shown = [table.index(row, column).data() for row in range(50) for column in range(5)]
    took = time.monotonic() - began
    record_property("seconds for 2,000 rows", took)
    assert shown[5] == "m-1"
    assert table.rowCount() == 2000
    assert took < 1
