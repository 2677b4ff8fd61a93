from __future__ import annotations

import json
import pickle
import struct
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from cryopick_napari.checkpoint import FORMAT, VERSION, Checkpoint, load_checkpoint, save_checkpoint
from cryopick_napari.errors import CryopickError

TENSORS = {
    "a.weight": torch.arange(24.0).view(2, 3, 4),
    "half": torch.randn(5).bfloat16(),
    "count": torch.tensor(7),
    "empty": torch.zeros(0, 0),
}
HEADER = {"picker": {"diameter": 100.5, "spacing": None}, "note": "β-Galaktosidase", "epochs": [1, 2]}
METADATA = {"format": FORMAT, "version": str(VERSION), "kind": "model", "header": json.dumps(HEADER)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, Checkpoint("model", HEADER, TENSORS))
    return file


def refuse(path: Path, reason: str = "model.safetensors") -> None:
    """Assert that a file is refused by its name, soon."""
    started = time.perf_counter()
    with pytest.raises(CryopickError, match=reason) as caught:
        load_checkpoint(path, "model")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - started < 2


def test_a_checkpoint_comes_back_as_it_was(path):
    loaded = load_checkpoint(path, "model")
    assert loaded.kind == "model"
    assert loaded.header == HEADER
    assert set(loaded.tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_views_and_other_memory_orders_are_saved_by_value(path):
    images = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    square = torch.randn(6, 6, requires_grad=True)
    save_checkpoint(path, Checkpoint("training", {}, {"images": images, "part": square[1:4].T}))
    loaded = load_checkpoint(path, "training")
    assert torch.equal(loaded.tensors["images"], images)
    assert torch.equal(loaded.tensors["part"], square[1:4].T)
    assert not loaded.tensors["part"].requires_grad


def test_a_checkpoint_needs_a_folder(tmp_path):
    with pytest.raises(CryopickError, match="nowhere"):
        save_checkpoint(tmp_path / "nowhere" / "model.safetensors", Checkpoint("model", {}, TENSORS))


def test_what_is_not_there_is_said_so(tmp_path):
    refuse(tmp_path / "missing.safetensors", "does not exist")
    refuse(tmp_path, "is a folder")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": None}, "not written by cryopick"),
        ({"format": "diffusers"}, "not written by cryopick"),
        ({"version": str(VERSION + 1)}, "newer"),
        ({"version": "10" * 40}, "newer"),
        ({"version": None}, "newer"),
        ({"version": "-1"}, "newer"),
        ({"kind": "training"}, "holds a training, not a model"),
        ({"kind": None}, "not a model"),
        ({"header": None}, "damaged"),
        ({"header": "{'single': 1}"}, "damaged"),
        ({"header": "[1, 2]"}, "damaged"),
        ({"header": "[" * 100_000}, "damaged"),
        ({"header": "9" * 10_000}, "damaged"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_foreign_and_newer_files_are_refused(path, change, reason):
    metadata = {key: value for key, value in {**METADATA, **change}.items() if value is not None}
    save_file(TENSORS, path, metadata)
    refuse(path, reason)


def test_safetensors_of_other_programs_are_refused(path):
    save_file(TENSORS, path)
    refuse(path, "not written by cryopick")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"rlnCoordinateX #1\n",
        b"\xff" * 64,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
    ],
    ids=lambda content: repr(content)[:24],
)
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    refuse(path)


@pytest.mark.parametrize("shape", [[10**9, 10**9], [2**31, 2], [2**62, 4]], ids=str)
def test_promises_of_endless_tensors_are_refused(path, shape):
    size = 4 * shape[0] * shape[1]
    text = {"__metadata__": METADATA, "a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}
    header = json.dumps(text).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    refuse(path, "damaged")


def test_a_truncated_file_is_refused_wherever_it_ends(path):
    content = path.read_bytes()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        refuse(path, "damaged")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 600), st.integers(0, 255))
def test_a_changed_byte_is_refused_in_words_or_harmless(path, at, value):
    save_checkpoint(path, Checkpoint("model", HEADER, TENSORS))
    content = bytearray(path.read_bytes())
    content[at % len(content)] = value
    path.write_bytes(content)
    try:
        loaded = load_checkpoint(path, "model")
    except CryopickError as error:
        assert str(path) in str(error)
    else:
        assert loaded.kind == "model"


class Trap:
    """A pickle that makes a file when it is opened."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_is_refused_and_never_opened(tmp_path, write):
    path, victim = tmp_path / "model.pt", tmp_path / "opened"
    write(Trap(victim), path)
    refuse(path, r"model\.pt")
    assert not victim.exists()
    if write is torch.save:
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())  # noqa: S301
    assert victim.exists(), "a trap that does not work proves nothing"
