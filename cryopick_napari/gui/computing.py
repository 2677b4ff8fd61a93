"""PyTorch beside a window that stays quick."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from cryopick_napari.cli import spin_little


def import_torch() -> None:
    """Import PyTorch (2 s) and leave a core to the window; only in the thread of a job."""
    spin_little()
    _load_libraries()
    with _nothing_collected():
        import torch

    torch.set_num_threads(max(1, cores() - 1))


def import_training() -> None:
    """Import ahead of time all that a training needs, PyTorch among it; only in the thread of a job."""
    import_torch()
    with _nothing_collected():
        import cryopick_napari.selftraining  # noqa: F401


def _load_libraries() -> None:
    """Have PyTorch's libraries in memory before they are imported.

    An import, and `ctypes.CDLL` too, keeps the interpreter's lock while the system loads a library: for
    these half a second, in which the window would stand still. A call of the system's own loader gives
    the lock away. Where it fails, the import does it all, and says what is wrong.
    """
    spec = None if "torch" in sys.modules or sys.platform == "win32" else find_spec("torch")
    if spec is None or spec.origin is None:
        return
    load = ctypes.CDLL(None).dlopen
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for library in (Path(spec.origin).parent / "lib").glob("libtorch_python.*"):  # it brings the others
        load(os.fsencode(library), os.RTLD_NOW)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Look for no garbage meanwhile, nor among what is new.

    An import makes objects by the hundred thousand, and all stay: each time that Python looks through
    them and those of napari, the window stands still for a fifth of a second.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # by way of the frozen ones all become old ones, without being looked at
        gc.enable()


def cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, nor Windows
        return os.cpu_count() or 1
