"""The models of a project: each a file, and beside it how it was made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json

if TYPE_CHECKING:
    from cryopick_napari.history import Row
    from cryopick_napari.picker import Picker

LONGEST_NAME = 100


@dataclass(frozen=True, eq=False)
class ModelRecord:
    """How a model of a project was made.

    Attributes
    ----------
    name : str
    created : float
        Seconds since 1970.
    labels, micrographs : int
        Particles it learned from, and the micrographs they were on.
    validation : mapping of str to float
        Figures on held-out labels.
    rows : sequence of mapping
        The course of the training, one an epoch.
    """

    name: str
    created: float = 0.0
    labels: int = 0
    micrographs: int = 0
    validation: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[Row] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A model of a project, in memory, and how it was made."""

    picker: Picker
    record: ModelRecord


@dataclass(frozen=True)
class Models:
    """The folder of a project's models."""

    folder: Path

    def __iter__(self) -> Iterator[ModelRecord]:
        """Go through the models, oldest first; files with names that no model has are none."""
        names = (path.stem for path in self.folder.glob("*.safetensors"))
        records = [self.record(name) for name in names if is_name(name)]
        return iter(sorted(records, key=lambda record: (record.created, record.name)))

    def file(self, name: str) -> Path:
        """Say where a model is.

        Raises
        ------
        CryopickError
            If the name could not be one of a file.
        """
        if not is_name(name):
            raise CryopickError(f"{name!r} cannot be a model's name: use letters, digits, spaces and dashes")
        return self.folder / f"{name}.safetensors"

    def save(self, picker: Picker, record: ModelRecord) -> None:
        """Write a model and how it was made, under the record's name."""
        path = self.file(record.name)
        picker.save(path)
        _write(path, record)

    def keep(self, picker: Picker, kind: str) -> Model:
        """Save a model that is in use without having been trained here, under a numbered name.

        Raises
        ------
        CryopickError
            If it cannot be written.
        """
        validation = picker.training.get("validation", {})
        record = ModelRecord(self.new_name(kind), time.time(), validation=validation)
        self.save(picker, record)
        return Model(picker, record)

    def rename(self, old: str, new: str) -> None:
        """Give a model another name.

        Raises
        ------
        CryopickError
            If there is one of that name already, or it cannot be written.
        """
        source, target = self.file(old), self.file(new)
        if target.exists():
            raise CryopickError(f"there is a model {new!r} already: choose another name")
        record = replace(self.record(old), name=new)
        try:
            source.rename(target)
            _write(target, record)
            source.with_suffix(".json").unlink(missing_ok=True)
        except OSError as error:
            raise CryopickError(f"cannot rename {source}: {error.strerror or error}") from error

    def new_name(self, kind: str = "model") -> str:
        """Give a numbered name that no model has yet."""
        number = 1
        while self.file(f"{kind} {number}").exists():
            number += 1
        return f"{kind} {number}"

    def record(self, name: str) -> ModelRecord:
        """Read how a model was made; little is known of one without its record."""
        path = self.file(name)
        try:
            return _record_from(name, read_json(path.with_suffix(".json")))
        except (CryopickError, TypeError, ValueError, OverflowError, AttributeError):
            with suppress(OSError):  # it has just been removed
                return ModelRecord(name, path.stat().st_mtime)
            return ModelRecord(name)


def is_name(name: str) -> bool:
    """Whether a model can have this name; its file does."""
    has_room = 0 < len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()
    return has_room and not name.startswith(".") and not any(letter in name for letter in '/\\:*?"<>|')


def _write(path: Path, record: ModelRecord) -> None:
    write_json(path.with_suffix(".json"), {**vars(record), "validation": dict(record.validation)})


def _record_from(name: str, content: Mapping[str, Any]) -> ModelRecord:
    """Read a record that anybody may have written; raises anything if it is damaged."""
    created = float(content.get("created", 0.0))
    if not math.isfinite(created):
        raise ValueError("not a time")
    return ModelRecord(
        name,
        created,
        int(content.get("labels", 0)),
        int(content.get("micrographs", 0)),
        _numbers(content.get("validation", {})),
        tuple(map(_numbers, content.get("rows", ()))),
    )


def _numbers(content: Mapping[str, Any]) -> Row:
    return {str(name): float(value) for name, value in content.items()}
