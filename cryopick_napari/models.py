"""The models of a project: each a file, and beside it how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json

if TYPE_CHECKING:
    from cryopick_napari.history import Row
    from cryopick_napari.picker import Picker


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


@dataclass(frozen=True)
class Models:
    """The folder of a project's models."""

    folder: Path

    def __iter__(self) -> Iterator[ModelRecord]:
        """Go through the models, oldest first."""
        records = map(self.record, (path.stem for path in self.folder.glob("*.safetensors")))
        return iter(sorted(records, key=lambda record: record.created))

    def file(self, name: str) -> Path:
        """Say where a model is.

        Raises
        ------
        CryopickError
            If the name could not be one of a file.
        """
        if not name.strip() or name.startswith(".") or any(letter in name for letter in '/\\:*?"<>|\0'):
            raise CryopickError(f"{name!r} cannot be a model's name: use letters, digits, spaces and dashes")
        return self.folder / f"{name}.safetensors"

    def save(self, picker: Picker, record: ModelRecord) -> None:
        """Write a model and how it was made, under the record's name."""
        path = self.file(record.name)
        picker.save(path)
        write_json(path.with_suffix(".json"), asdict(record))

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
        write_json(target.with_suffix(".json"), asdict(replace(self.record(old), name=new)))
        try:
            source.rename(target)
            source.with_suffix(".json").unlink(missing_ok=True)
        except OSError as error:
            raise CryopickError(f"cannot rename {source}: {error.strerror or error}") from error

    def new_name(self) -> str:
        """Give a name that no model has yet."""
        number = 1
        while self.file(f"model {number}").exists():
            number += 1
        return f"model {number}"

    def record(self, name: str) -> ModelRecord:
        """Read how a model was made; little is known of one without its record."""
        path = self.file(name)
        try:
            content = read_json(path.with_suffix(".json"))
            known = {item.name: content[item.name] for item in fields(ModelRecord) if item.name in content}
            return ModelRecord(**{**known, "name": name})
        except (CryopickError, TypeError):
            return ModelRecord(name, path.stat().st_mtime)
