"""The last wish is answered, neighbours are read ahead, and little is kept."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cryopick_napari.display import DisplayFilter
from cryopick_napari.errors import CryopickError
from cryopick_napari.gui import reader as reader_module
from cryopick_napari.gui.reader import KEPT, Field, Reader, Wish
from cryopick_napari.gui.worker import Job
from cryopick_napari.micrograph import read_micrograph, write_mrc

SOFT, HARD = DisplayFilter(4.0), DisplayFilter(8.0)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Six small micrographs; the mean of each is its number."""
    noise = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
    paths = [tmp_path / f"{number}.mrc" for number in range(6)]
    for number, path in enumerate(paths):
        write_mrc(path, noise - noise.mean() + number, 2.0)
    return paths


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """Count what is really read from the disk."""
    counts: Counter[Path] = Counter()

    def counted(path: Path, spacing: float | None = None):
        counts[path] += 1
        return read_micrograph(path, spacing)

    monkeypatch.setattr(reader_module, "read_micrograph", counted)
    return counts


@pytest.fixture
def reader(qtbot) -> Reader:
    reader = Reader()
    reader.answers = []
    reader.ready.connect(lambda wish, field: reader.answers.append((wish, field)))
    reader.failed.connect(lambda wish, error: reader.answers.append((wish, error)))
    return reader


@pytest.fixture
def rest(qtbot):
    """Wait until nothing is read any more."""
    return lambda: qtbot.waitUntil(lambda: not Job.running)


def wishes(paths: list[Path], *numbers: int, filter: DisplayFilter = SOFT) -> list[Wish]:
    return [Wish(paths[number], None, filter) for number in numbers]


def test_a_wish_is_answered(reader, paths, rest):
    (wish,) = wishes(paths, 2)
    reader.ask(wish)
    rest()
    ((answered, field),) = reader.answers
    assert answered == wish
    assert isinstance(field, Field)
    assert field.path == paths[2]
    assert field.micrograph.spacing == 2.0
    assert field.micrograph.image.mean() == pytest.approx(2, abs=1e-3)


def test_only_the_last_wish_is_answered(reader, paths, read, rest):
    for wish in wishes(paths, 0, 1, 2, 3, 4):
        reader.ask(wish)
    rest()
    assert [wish.path for wish, _ in reader.answers] == [paths[4]]
    assert set(read) == {paths[0], paths[4]}  # the first was begun


def test_neighbours_are_there_at_once_and_never_announced(reader, paths, read, rest):
    first, *ahead = wishes(paths, 1, 2, 0)
    reader.ask(first, ahead)
    rest()
    assert [wish for wish, _ in reader.answers] == [first]
    reader.ask(ahead[0])
    assert [wish for wish, _ in reader.answers] == [first, ahead[0]]
    assert read == dict.fromkeys(paths[:3], 1)


def test_walking_through_a_list_reads_each_once(reader, paths, read, rest):
    for place in range(1, 5):
        wish, *ahead = wishes(paths, place, place + 1, place - 1)
        reader.ask(wish, ahead)
        rest()
    assert read == dict.fromkeys(paths, 1)
    assert len(reader._kept) == KEPT


def test_more_wishes_than_are_kept_come_to_an_end(reader, paths, rest):
    wish, *ahead = wishes(paths, 0, 1, 2, 3, 4, 5)
    reader.ask(wish, ahead)
    rest()
    assert len(reader._kept) == KEPT
    reader.ask(wish)
    assert [answered for answered, _ in reader.answers] == [wish, wish]


def test_another_filter_reads_nothing_and_keeps_one_picture(reader, paths, read, rest):
    reader.ask(*wishes(paths, 0))
    rest()
    for low_pass in (5.0, 6.0, 7.0):
        reader.ask(Wish(paths[0], None, DisplayFilter(low_pass)))
        rest()
    assert read == {paths[0]: 1}
    assert len(reader.answers) == 4
    (first, *_, last) = (field for _, field in reader.answers)
    assert first.micrograph is last.micrograph
    assert not np.array_equal(first.shown.image, last.shown.image)
    assert len(reader._kept) == 1


def test_another_pixel_size_is_another_wish(reader, tmp_path, rest):
    path = tmp_path / "unknown.mrc"
    write_mrc(path, np.eye(32, dtype=np.float32))
    for spacing in (None, 3.0):
        reader.ask(Wish(path, spacing, SOFT))
        rest()
    assert [field.micrograph.spacing for _, field in reader.answers] == [None, 3.0]


def test_a_bad_file_is_said_when_it_is_looked_at(reader, paths, rest):
    paths[1].write_bytes(b"no micrograph")
    first, bad = wishes(paths, 0, 1)
    reader.ask(first, [bad])
    rest()
    assert [wish for wish, _ in reader.answers] == [first]
    for tries in (1, 2):
        reader.ask(bad, [first])
        rest()
        assert len(reader.answers) == 1 + tries
        wish, error = reader.answers[-1]
        assert wish == bad
        assert isinstance(error, CryopickError)
        assert "1.mrc" in str(error)


def test_a_file_that_is_mended_is_read(reader, paths, rest):
    good = paths[1].read_bytes()
    paths[1].write_bytes(b"no micrograph")
    (wish,) = wishes(paths, 1)
    reader.ask(wish)
    rest()
    paths[1].write_bytes(good)
    reader.ask(wish)
    rest()
    assert isinstance(reader.answers[-1][1], Field)


def test_the_wish_comes_before_what_is_read_ahead(reader, paths, monkeypatch, rest):
    order, gate = [], threading.Event()

    def slow(path: Path, spacing: float | None = None):
        order.append(path)
        gate.wait(5)
        return read_micrograph(path, spacing)

    monkeypatch.setattr(reader_module, "read_micrograph", slow)
    first, *ahead = wishes(paths, 0, 1, 2)
    reader.ask(first, ahead)
    reader.ask(*wishes(paths, 5))
    gate.set()
    rest()
    assert order == [paths[0], paths[5]]


def test_a_closed_reader_says_nothing(reader, paths, rest):
    wish, *ahead = wishes(paths, 0, 1)
    reader.ask(wish, ahead)
    reader.close()
    rest()
    assert reader.answers == []
    assert not reader._kept
