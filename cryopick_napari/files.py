"""Write files so that nobody ever finds half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryopick_napari.errors import CryopickError


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
