"""PyTorch comes without holding the window up."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from cryopick_napari.gui import computing


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_libraries_are_there_before_the_import():
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cryopick_napari.gui import computing\n"
        "computing._load_libraries()\n"
        "print('libtorch_cpu' in Path('/proc/self/maps').read_text(), 'torch' in sys.modules)\n"
        "computing.import_training()\n"
        "import torch\n"
        "print(float(torch.ones(2).sum()), 'cryopick_napari.selftraining' in sys.modules)\n"
    )
    assert run(code) == ["True", "False", "2.0", "True"]


def test_nothing_is_collected_meanwhile_and_all_is_old_afterwards():
    collections = []
    gc.callbacks.append(lambda phase, info: collections.append(info["generation"]))
    try:
        with computing._nothing_collected():
            made = [[] for _ in range(100_000)]
        assert not collections
        assert any(made is old for old in gc.get_objects(generation=2))
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()


@pytest.mark.parametrize("enabled", [False, True])
def test_the_collector_is_left_as_it_was(enabled):
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(KeyError), computing._nothing_collected():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
