"""JSON files are whole or not there, and strangers' are refused."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cryopick_napari import files
from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a.json"
    content = {"name": "Å \udcff", "number": np.float32(0.5), "rows": [{"f1": np.int64(1)}], "none": None}
    write_json(path, content)
    assert read_json(path) == {"name": "Å \udcff", "number": 0.5, "rows": [{"f1": 1}], "none": None}
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"a": 1',
        b"\x80\x81",
        b"[1, 2]",
        b"null",
        b"[" * 200_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_object_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(CryopickError, match=r"a\.json .*remove it"):
        read_json(path)


def test_a_mark_at_the_beginning_is_no_harm(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_what_is_huge_or_no_file_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_JSON", 5)
    (tmp_path / "large.json").write_text('{"a": 1}')
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("large", "pipe", "folder", "missing"):
        with pytest.raises(CryopickError, match=name):
            read_json(tmp_path / f"{name}.json")
