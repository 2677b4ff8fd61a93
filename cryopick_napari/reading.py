"""Read the next micrograph while the present one is picked: disks and networks are slow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def read_ahead(
    read: Callable[[Key], Value], keys: Iterable[Key]
) -> Generator[tuple[Key, Future[Value]], None, None]:
    """Read things in order, one ahead and no more.

    Parameters
    ----------
    read : callable
        Run in a thread of its own.
    keys : iterable
        What to read.

    Yields
    ------
    key
    future
        ``result()`` is what was read, or raises what reading it raised. Let go of both before the next.
    """
    with ThreadPoolExecutor(1, "reading") as reader:
        coming: deque[tuple[Key, Future[Value]]] = deque()
        for key in keys:
            coming.append((key, reader.submit(read, key)))
            if len(coming) > 1:
                yield coming.popleft()
        while coming:
            yield coming.popleft()
