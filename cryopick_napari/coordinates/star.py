"""STAR tables as text.

Not the `starfile` package (the tests use it to check this one): it cuts names at "#", turns "'" into '"',
fills short rows silently, cannot say in which line an error is, and stamps the time into what it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryopick_napari.coordinates.text import Columns
from cryopick_napari.errors import CryopickError

BLOCK = re.compile(r"data_(\S*)$")
LABEL = re.compile(r"_(\S+)(\s+#.*)?$")
WORD = re.compile(r"\"(.*?)\"(?=\s|$)|'(.*?)'(?=\s|$)|(\S+)")


@dataclass
class Table:
    """One block of a STAR file: its labels without underscore, and its rows as they stand in the file."""

    name: str
    labels: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def columns(self, labels: Sequence[str], path: Path) -> Columns:
        """Split the rows, and keep the columns asked for that are there.

        Raises
        ------
        CryopickError
            If a row has not as many words as there are labels.
        """
        names = [label for label in labels if label in self.labels]
        places = [self.labels.index(label) for label in names]
        rows = []
        for row, line in zip(self.rows, self.lines, strict=True):
            words = split(row)
            if len(words) != len(self.labels):
                raise CryopickError(
                    f"{path}, line {line}: {len(words)} values for {len(self.labels)} columns; "
                    "correct or delete that line"
                )
            rows.append([words[place] for place in places])
        return Columns(path, names, rows, self.lines)


def parse_star(text: str) -> list[Table]:
    """Split the text of a STAR file into its blocks; a block without a loop becomes one row."""
    tables: list[Table] = []
    looped = False
    for number, line in _meaningful(text):
        if block := BLOCK.match(line):
            tables.append(Table(block[1]))
            looped = False
        elif not tables:
            continue
        elif line == "loop_":
            looped = True
        else:
            _take(tables[-1], line, number, looped)
    return tables


def _meaningful(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _take(table: Table, line: str, number: int, looped: bool) -> None:
    label = LABEL.match(line) if not table.rows or not looped else None
    if looped and label:
        table.labels.append(label[1])
    elif looped:
        table.rows.append(line)
        table.lines.append(number)
    elif line.startswith("_"):
        label_word, *value = line.split(maxsplit=1)
        table.labels.append(label_word[1:])
        table.rows[:] = [" ".join(table.rows + value)]
        table.lines[:] = table.lines or [number]


def split(row: str) -> list[str]:
    """Split a row into words; a quoted one may hold spaces."""
    if '"' not in row and "'" not in row:
        return row.split()
    return [next(group for group in word.groups() if group is not None) for word in WORD.finditer(row)]


def quoted(word: str) -> str:
    """Quote a word that would not be read back as one.

    Raises
    ------
    CryopickError
        If it cannot be read back at all.
    """
    if word and not re.search(r"\s", word) and not word.startswith(("_", "#", '"', "'")):
        return word
    for way in (f'"{word}"', f"'{word}'"):
        if split(way) == [word]:
            return way
    raise CryopickError(f"{word!r} holds quotation marks no STAR file has room for; rename the micrograph")


def star_text(name: str, columns: Mapping[str, Sequence[str]]) -> str:
    """Write one block with a loop; without rows it is a header that every reader takes for an empty table."""
    return star_head(name, list(columns)) + star_rows(list(columns.values())) + "\n"


def star_head(name: str, labels: Sequence[str]) -> str:
    """Write what comes before the rows of a block."""
    return f"data_{name}\n\nloop_\n" + "".join(
        f"_{label} #{number}\n" for number, label in enumerate(labels, 1)
    )


def star_rows(columns: Sequence[Sequence[str]]) -> str:
    """Write rows of a block, given by columns of one length."""
    return "".join(
        " ".join(f"{quoted(word):>12}" for word in row) + "\n" for row in zip(*columns, strict=True)
    )
