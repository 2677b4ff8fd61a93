from __future__ import annotations

import csv
import math

import cv2
import pytest

from cryopick_napari.errors import CryopickError
from cryopick_napari.history import row_of, write_csv, write_plot
from cryopick_napari.training import Progress
from cryopick_napari.validation import Validation

FOUND = Validation(0.25, 0.5, 0.75, 0.6, 0.9, 0.4)
CLICKS = Validation(0.25, math.nan, 0.75, math.nan, 0.9, 0.4)


def rows_of(*validations):
    return [
        row_of(Progress("training", 10 * (n + 1), 30, n + 1, 3, 1 / (n + 1), 1e-3, validation))
        for n, validation in enumerate(validations)
    ]


def test_a_row_has_the_documented_columns():
    (row,) = rows_of(FOUND)
    assert row == {
        "epoch": 1,
        "step": 10,
        "loss": 1,
        "validation_loss": 0.25,
        "precision": 0.5,
        "recall": 0.75,
        "f1": 0.6,
        "auc": 0.9,
        "threshold": 0.4,
        "learning_rate": 1e-3,
    }


def test_the_table_reads_back(tmp_path):
    rows = rows_of(FOUND, CLICKS, FOUND)
    write_csv(tmp_path / "history.csv", rows)
    with (tmp_path / "history.csv").open(newline="") as file:
        found = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["epoch"] for row in found] == [1, 2, 3]
    assert found[0] == rows[0]
    assert math.isnan(found[1]["f1"])
    assert b"\r" not in (tmp_path / "history.csv").read_bytes()


@pytest.mark.parametrize("validations", [(FOUND, FOUND), (CLICKS, CLICKS), (FOUND,), (None, None), ()])
def test_any_history_is_drawn(tmp_path, validations):
    write_plot(tmp_path / "history.png", rows_of(*validations))
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    height, width, _ = cv2.imread(str(tmp_path / "history.png")).shape
    assert width > height > 100


def test_the_name_says_the_kind_of_picture(tmp_path):
    write_plot(tmp_path / "history.svg", rows_of(FOUND))
    assert "<svg" in (tmp_path / "history.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("write", [write_csv, write_plot])
def test_no_folder_to_write_to_is_an_error(tmp_path, write):
    with pytest.raises(CryopickError, match=r"history\.png"):
        write(tmp_path / "missing" / "history.png", rows_of(FOUND))
