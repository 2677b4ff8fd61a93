"""Models of a project, and records that anybody may have written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cryopick_napari.config import PickerConfig
from cryopick_napari.errors import CryopickError
from cryopick_napari.models import ModelRecord, Models
from cryopick_napari.picker import Picker

SAVED = ModelRecord("old", 5.0, 12, 2, {"f1": 0.5}, ({"epoch": 1.0, "loss": 0.25},))


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path)


def touch(models: Models, name: str, record: object = None, age: float = 0) -> None:
    """Put a model there that only its name matters of."""
    path = models.folder / f"{name}.safetensors"
    path.write_bytes(b"")
    os.utime(path, (age, age))
    if record is not None:
        path.with_suffix(".json").write_text(record if isinstance(record, str) else json.dumps(record))


def test_a_model_is_saved_and_found(models):
    picker = Picker.new(PickerConfig(diameter=9, network_diameter=9, base_features=2, depth=2))
    models.save(picker, SAVED)
    (record,) = models
    assert vars(record) == vars(SAVED)
    assert Picker.load(models.file("old")).config == picker.config


def test_models_are_listed_oldest_first(models):
    touch(models, "b", {"created": 2})
    touch(models, "a", {"created": 3})
    touch(models, "model 1.5", age=1)
    assert [record.name for record in models] == ["model 1.5", "b", "a"]


@pytest.mark.parametrize(
    "record",
    [
        "nothing",
        "[1]",
        {"created": "yesterday"},
        {"created": None},
        {"created": float("nan")},
        {"created": 10**400},
        {"created": [1]},
        {"labels": "many"},
        {"labels": float("inf")},
        {"validation": 5},
        {"validation": {"f1": "good"}},
        {"rows": 5},
        {"rows": [5]},
        {"rows": [{"loss": None}]},
    ],
)
def test_a_damaged_record_is_none(models, record):
    touch(models, "model", record, age=7)
    touch(models, "other", {"created": 6})
    assert [vars(found) for found in models][1] == vars(ModelRecord("model", 7.0))


def test_a_record_does_not_say_another_name(models):
    touch(models, "model", {"name": "../other", "created": 1, "labels": 3.0, "unknown": 1})
    (record,) = models
    assert (record.name, record.labels) == ("model", 3)


def test_what_is_no_model_is_not_listed(models):
    for name in (".1234", "a:b", " b"):
        touch(models, name)
    (models.folder / "notes.txt").touch()
    assert list(models) == []


@pytest.mark.parametrize("name", ["", " ", " a", ".a", "a/b", "..\\b", "a\0", "a\nb", "a" * 101, "a?"])
def test_a_name_is_one_of_a_file(models, name):
    with pytest.raises(CryopickError, match="cannot be a model's name"):
        models.file(name)


def test_a_model_is_renamed_with_its_record(models):
    touch(models, "old", {"created": 5, "labels": 12})
    models.rename("old", "new 1.5")
    assert sorted(path.name for path in models.folder.iterdir()) == ["new 1.5.json", "new 1.5.safetensors"]
    assert (models.record("new 1.5").created, models.record("new 1.5").labels) == (5, 12)


def test_no_model_is_replaced_or_made_up(models):
    touch(models, "a")
    touch(models, "b")
    with pytest.raises(CryopickError, match="already"):
        models.rename("a", "b")
    with pytest.raises(CryopickError, match="cannot rename"):
        models.rename("c", "d")
    assert sorted(record.name for record in models) == ["a", "b"]
    assert not models.file("d").with_suffix(".json").exists()


def test_a_new_name_is_new(models):
    touch(models, "model 1")
    touch(models, "model 3")
    assert models.new_name() == "model 2"
