"""Numbers that other programs know of micrographs, such as how well their CTF was fitted."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryopick_napari.coordinates.naming import Lookup
from cryopick_napari.coordinates.relion import MICROGRAPH
from cryopick_napari.coordinates.star import Table, parse_star
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json
from cryopick_napari.micrograph_lists import table_of_micrographs, table_text

LARGEST = 256 << 20  # bytes of a table; one of a hundred thousand micrographs takes a tenth
DEFOCUS = "rlnDefocusU", "rlnDefocusV"
MICROMETRES = 1e-4  # in an Å
# RELION's labels (relion --print_metadata_labels): what they are called here, and in which unit.
LABELS = {
    "rlnCtfMaxResolution": ("CTF Å", 1.0),
    "rlnCtfFigureOfMerit": ("CTF merit", 1.0),
    "rlnCtfAstigmatism": ("Astig. µm", MICROMETRES),
    "rlnAccumMotionTotal": ("Motion Å", 1.0),
    "rlnCtfIceRingDensity": ("Ice", 1.0),
}
DEFOCUS_TITLE = "Defocus µm"
NAMES = (
    "micrograph",
    "micrograph_name",
    "image_name",
    "name",
    "file",
    "filename",
    "path",
    "rlnmicrographname",
)
MOST_COLUMNS = 12
FILE, VERSION = "values.json", 1


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers of micrographs.

    Attributes
    ----------
    titles : tuple of str
        What the numbers are, with their units.
    rows : mapping of str to tuple of float
        A number a title for each micrograph; NaN where it is unknown.
    """

    titles: tuple[str, ...] = ()
    rows: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def of(self, name: str, title: str) -> float:
        """Give a number of a micrograph; NaN if it is unknown."""
        row = self.rows.get(name)
        return math.nan if row is None or title not in self.titles else row[self.titles.index(title)]

    def for_files(self, paths: Iterable[Path]) -> Values:
        """Give the same numbers by the whole paths of files that the names mean."""
        lookup = Lookup.of(self.rows)
        found = {str(path): lookup.find(str(path)) for path in paths}
        return Values(
            self.titles, {path: self.rows[one.name] for path, one in found.items() if one is not None}
        )

    def joined(self, newer: Values) -> Values:
        """Add the numbers of another table, which win where both know one."""
        titles = tuple(dict.fromkeys((*self.titles, *newer.titles)))[:MOST_COLUMNS]

        def number(name: str, title: str) -> float:
            value = newer.of(name, title)
            return self.of(name, title) if math.isnan(value) else value

        names = dict.fromkeys((*self.rows, *newer.rows))
        return Values(titles, {name: tuple(number(name, title) for title in titles) for name in names})


def read_values(path: Path) -> Values:
    """Read the numbers of a STAR file such as ``micrographs_ctf.star``, or of a CSV table.

    Parameters
    ----------
    path : Path
        A STAR file with ``_rlnMicrographName``, of which the CTF, motion and ice are taken; or a table of
        comma-separated values with a header, of which one column names micrographs (``micrograph``,
        ``name``, ``file``, ...) and all that hold numbers are taken.

    Raises
    ------
    CryopickError
        If it cannot be read, names no micrographs, or says nothing of them.
    """
    text = table_text(path, "STAR or CSV file", LARGEST)
    values = _star(parse_star(text), path) if path.suffix.lower() == ".star" else _table(text, path)
    if not values.titles or not values.rows:
        raise CryopickError(
            f"{path}: says nothing of micrographs in numbers; give a list such as micrographs_ctf.star"
        )
    return values


def load_values(folder: Path) -> Values:
    """Read what a project keeps; nothing where it is damaged, for the table can be read again."""
    try:
        content = read_json(folder / FILE)
        titles = tuple(map(str, content["titles"]))
        rows = {str(name): tuple(map(_number, row)) for name, row in content["rows"].items()}
    except (CryopickError, KeyError, TypeError, ValueError, AttributeError):
        return Values()
    return Values(titles, {name: row for name, row in rows.items() if len(row) == len(titles)})


def save_values(folder: Path, values: Values) -> None:
    """Keep the numbers in a project."""
    rows = {name: [None if math.isnan(one) else one for one in row] for name, row in values.rows.items()}
    write_json(folder / FILE, {"version": VERSION, "titles": values.titles, "rows": rows})


def _number(value: object) -> float:
    return math.nan if value is None else float(value)  # type: ignore[arg-type]


def _star(tables: Sequence[Table], path: Path) -> Values:
    table = table_of_micrographs(tables, path)
    columns = table.columns([MICROGRAPH, *DEFOCUS, *LABELS], path)
    numbers = {
        title: columns.numbers(label) * unit
        for label, (title, unit) in LABELS.items()
        if label in columns.names
    }
    if all(label in columns.names for label in DEFOCUS):
        mean = np.mean([columns.numbers(label) for label in DEFOCUS], axis=0)
        numbers = {DEFOCUS_TITLE: mean * MICROMETRES, **numbers}
    return _together(columns.words(MICROGRAPH), numbers)


def _table(text: str, path: Path) -> Values:
    dialect = "\t" if "\t" in text.split("\n", 1)[0] else ","
    rows = [
        row for row in csv.reader(io.StringIO(text), delimiter=dialect) if any(word.strip() for word in row)
    ]
    header = [word.strip() for word in rows[0]] if rows else []
    place = next((number for number, word in enumerate(header) if word.lower() in NAMES), None)
    if place is None:
        raise CryopickError(f"{path}: no column named 'micrograph'; name the one that holds their names so")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise CryopickError(
                f"{path}, row {line}: {len(row)} values for {len(header)} columns; correct that row"
            )
    columns = {
        title: [row[number] for row in rows[1:]] for number, title in enumerate(header) if number != place
    }
    numbers = {title: found for title, words in columns.items() if (found := _numbers(words)) is not None}
    return _together([row[place] for row in rows[1:]], dict(list(numbers.items())[:MOST_COLUMNS]))


def _numbers(words: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Take a column of numbers, some of them missing; None if it holds words."""
    try:
        found = np.array([word.strip() or "nan" for word in words], np.float64)
    except ValueError:
        return None
    return found if np.isfinite(found).any() else None


def _together(
    names: Sequence[str], numbers: Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]]
) -> Values:
    rows = zip(*(column.tolist() for column in numbers.values()), strict=True) if numbers else ()
    return Values(tuple(numbers), dict(zip(names, rows, strict=True)) if numbers else {})
