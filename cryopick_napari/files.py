"""Write files so that nobody ever finds half of one."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryopick_napari.errors import CryopickError

LARGEST_JSON = 64 << 20  # bytes; nothing of ours is nearly as large


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file to write, which becomes ``path`` when the block ends well.

    Parameters
    ----------
    path : Path
        The file to make or replace; its folder must exist. A link stays
        a link: the file it points to is replaced.

    Yields
    ------
    Path
        A hidden name in the same folder with the same suffix. Nothing is
        left of it when the block raises, and ``path`` is then as it was.

    Raises
    ------
    CryopickError
        If anything about the writing fails: no folder, no permission, a
        full disk, or ``path`` is a folder or a device.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    # Renaming over a device such as /dev/null would take it away from the whole system.
    if target.exists() and not target.is_file():
        raise CryopickError(f"cannot write {path}: it is not an ordinary file; choose another name")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise CryopickError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises
    ------
    CryopickError
        If that is not possible, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CryopickError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CryopickError(f"cannot write into the folder {folder}: you lack the permission")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CryopickError
        If it cannot be read, or is something else.
    """
    try:
        # A pipe would wait for ever, and a device never end.
        if not path.is_file() or path.stat().st_size > LARGEST_JSON:
            raise CryopickError(f"{path} is missing, or no file of a project: remove it")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CryopickError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CryopickError(f"{path} is damaged ({error}): remove it, or put a copy back") from error
    if not isinstance(content, dict):
        raise CryopickError(f"{path} is not a file of a project: remove it")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, all of it or nothing; numpy's numbers are numbers too."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, default=_number), encoding="utf-8")


def _number(value: Any) -> float:
    return float(value)


def remove(file: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    CryopickError
        If that is not possible.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise CryopickError(f"cannot replace {file}: {error.strerror or error}") from error
