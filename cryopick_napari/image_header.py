"""What an image file promises, judged against what it holds before a pixel is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cryopick_napari.errors import CryopickError

MIN_SIDE = 32  # px; a smaller picture is a thumbnail or a mistake
MAX_PIXELS = 2**30  # px; ten times the largest detector in super-resolution
MAX_FRAMES = 10_000
SPACING_TOLERANCE = 0.01  # of the pixel size: what a calibration leaves uncertain, and rounding in headers
MAX_COMPRESSION = 1032  # raw bytes a byte: the most that deflate reaches; no real micrograph comes near


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """The facts of an image file, and the way to its pixels.

    Attributes
    ----------
    shape : tuple[int, int]
        Rows and columns, as the file says them.
    frames : int
        How many such images the file holds.
    least : int
        The fewest bytes a file with this header can have.
    spacing : tuple[float, float] or None
        Pixel size along x and y in Å/px, as the file says it.
    load : Callable[[int], (h, w) array]
        Reads the pixels of one frame, counted from 0, in the file's own type; row 0 is the file's first.
    """

    shape: tuple[int, int]
    frames: int
    least: int
    spacing: tuple[float, float] | None
    load: Callable[[int], NDArray[Any]]

    def check(self, path: Path, size: int, sum_frames: bool = False) -> None:
        """Refuse a header that cannot be that of one micrograph in a file of ``size`` bytes.

        Several frames are one where they are to be summed.

        Raises
        ------
        CryopickError
            If the sizes are not positive, there are several frames, the image
            is too small or too large, or the file is cut short.
        """
        height, width = self.shape
        if min(height, width, self.frames) <= 0:
            raise CryopickError(
                f"{path}: its header says {width} x {height} px: it is damaged: copy it again"
            )
        if self.frames > 1 and not sum_frames:
            raise CryopickError(
                f"{path}: holds {self.frames} frames: sum or motion-correct the movie first "
                "(on the command line, --sum-frames adds them up)"
            )
        if self.frames > MAX_FRAMES:
            raise CryopickError(f"{path}: its header says {self.frames} frames, more than any movie has")
        if min(height, width) < MIN_SIDE:
            raise CryopickError(
                f"{path}: only {width} x {height} px, a micrograph has {MIN_SIDE} or more on a side: "
                "give the full image"
            )
        if height * width > MAX_PIXELS:
            raise CryopickError(
                f"{path}: its header says {width} x {height} px, more than any micrograph has: copy it again"
            )
        if self.least > size:
            raise CryopickError(
                f"{path}: is cut short: {width} x {height} px take {self.least} bytes or more, "
                f"the file holds {size}: copy it again"
            )


@contextmanager
def decoding(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever an image library throws at a damaged file into one line.

    Raises
    ------
    CryopickError
        If the block raises anything at all; its own CryopickErrors pass.
    """
    try:
        yield
    except CryopickError:
        raise
    except MemoryError as error:
        raise CryopickError(f"{path}: not enough memory to read it: close other programs") from error
    except Exception as error:  # the libraries document no list of what a damaged file makes them raise
        reason = " ".join(str(error).split())[:100]
        aside = f" ({reason})" if " " in reason else ""  # a bare key or index tells nobody anything
        raise CryopickError(
            f"{path}: cannot be read as {kind}{aside}: it is damaged or cut short: copy it again"
        ) from error


def contradict(one: float, other: float) -> bool:
    """Whether two pixel sizes (Å/px) cannot be of one micrograph."""
    return abs(one - other) > SPACING_TOLERANCE * min(one, other)


def header_spacing(path: Path, sizes: tuple[float, float] | None) -> float | None:
    """Find the one pixel size in Å/px that a header tells, or None where it stands for unknown."""
    if sizes is None or not all(math.isfinite(size) and size > 0 for size in sizes):
        return None
    x, y = sizes
    if contradict(x, y):
        raise CryopickError(
            f"{path}: its header says {x:.5g} Å/px along x but {y:.5g} along y: correct the pixel size in it"
        )
    return None if math.isclose(x, 1.0, rel_tol=1e-6) else x


def agreed_spacing(path: Path, given: float | None, header: float | None) -> float | None:
    """Choose the pixel size in Å/px: what a person gave, unless the header says another."""
    if given is None or header is None:
        return header if given is None else float(given)
    if contradict(given, header):
        raise CryopickError(
            f"{path}: --spacing, or the list it is in, says {given:.5g} Å/px, its header {header:.5g}: "
            "drop --spacing or correct it"
        )
    return float(given)
