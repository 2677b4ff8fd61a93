"""Who works on a project: a file that says so and is kept fresh, so that two never write at once.

No lock of the operating system: on network file systems some do not hold.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cryopick_napari.errors import CryopickError
from cryopick_napari.files import read_json, write_json

FILE = "in-use.json"
BEAT = 20.0  # s between two signs of life
FRESH = 90.0  # s after the last one until somebody is taken for dead
SETTLED = 0.3  # s
TRIES = 3  # to read a file
_MINE: set[str] = set()  # tokens that this process holds


@dataclass(frozen=True)
class Holder:
    """Who works on a project.

    Attributes
    ----------
    token : str
        Different for everyone.
    host : str
        Name of the computer.
    process : int
    since : float
        Seconds since 1970.
    """

    token: str
    host: str
    process: int
    since: float

    def __str__(self) -> str:
        begun = time.strftime("%d %b %H:%M", time.localtime(self.since))
        return f"on {self.host}, since {begun}"


class HeldError(CryopickError):
    """Somebody else works on a project.

    Attributes
    ----------
    holder : Holder
    """

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.holder = holder
        super().__init__(f"the project {folder} is in use ({holder}): close it there first")


class Hold:
    """The right to write to a project, until it is released.

    Parameters
    ----------
    folder : Path
    holder : Holder
    on_lost : callable
        Called from another thread when somebody else has taken the project: after this computer slept.
    """

    def __init__(self, folder: Path, holder: Holder, on_lost: Callable[[], object]) -> None:
        self._path, self._holder, self._on_lost = folder / FILE, holder, on_lost
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="cryopick hold", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Let others have the project."""
        self._ended.set()
        self._thread.join()
        _MINE.discard(self._holder.token)
        with suppress(OSError):
            if self._is_mine():
                self._path.unlink()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._ended.wait(BEAT):
            found = _read(self._path)
            if found is not None and found != self._holder:
                self._on_lost()
                break
            with suppress(OSError):  # of a file system that is away for a while
                if found is None:  # it was removed, or is away too
                    _written(self._path, self._holder)
                else:
                    os.utime(self._path)

    def _is_mine(self) -> bool:
        return _read(self._path) == self._holder


def hold(folder: Path, on_lost: Callable[[], object] = lambda: None) -> Hold | None:
    """Take the right to write to a project.

    Parameters
    ----------
    folder : Path
    on_lost : callable
        See `Hold`.

    Returns
    -------
    Hold or None
        None where the folder cannot be written: nobody else can write there from here either.

    Raises
    ------
    HeldError
        If somebody has it who is alive.
    """
    mine = Holder(secrets.token_hex(8), socket.gethostname(), os.getpid(), time.time())
    path = folder / FILE
    _MINE.add(mine.token)
    try:
        while not _written(path, mine):
            other = _read_at_last(path)
            if other is not None and _lives(other, path):
                raise HeldError(folder, other)
            if _has_replaced(path, mine):
                break
    except HeldError:
        _MINE.discard(mine.token)
        raise
    except (OSError, CryopickError):
        _MINE.discard(mine.token)
        return None
    return Hold(folder, mine, on_lost)


def _written(path: Path, holder: Holder) -> bool:
    """Write who holds a project, unless somebody has it; whole, so that nobody reads half of it."""
    temporary = path.with_name(f".{holder.token}")
    try:
        temporary.write_text(json.dumps(asdict(holder)), encoding="utf-8")
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:
        # a file system without links, as exFAT is
        try:
            with path.open("x", encoding="utf-8") as file:
                json.dump(asdict(holder), file)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _has_replaced(path: Path, holder: Holder) -> bool:
    """Write who holds a project from now on; False if somebody else did so at the same time."""
    write_json(path, asdict(holder))
    time.sleep(SETTLED)  # whoever saw the dead one as well has written by then: the last one has it
    return _read(path) == holder


def _read(path: Path) -> Holder | None:
    """Read who holds a project; None where that is gone, or damaged."""
    try:
        content = read_json(path)
        return Holder(
            str(content["token"]), str(content["host"]), int(content["process"]), float(content["since"])
        )
    except (CryopickError, KeyError, TypeError, ValueError, OverflowError):
        return None


def _read_at_last(path: Path) -> Holder | None:
    """Read it a few times: what is being replaced, or is on a busy network disk, cannot be read at once."""
    for _ in range(TRIES):
        if (found := _read(path)) is not None:
            return found
        time.sleep(SETTLED)
    return None


def _lives(holder: Holder, path: Path) -> bool:
    """Whether somebody still works on a project."""
    if holder.host == socket.gethostname():
        if holder.process == os.getpid():
            return holder.token in _MINE
        if not _runs(holder.process):
            return False
    return _age(path) < FRESH


def _runs(process: int) -> bool:
    """Whether a process of this computer runs."""
    if sys.platform == "win32":
        return True  # asking would end it; its signs of life tell
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return True


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its file system: computers' clocks differ."""
    now = path.with_name(f".{secrets.token_hex(8)}")
    try:
        now.touch()
        return now.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return FRESH  # it has just been released
    finally:
        now.unlink(missing_ok=True)
