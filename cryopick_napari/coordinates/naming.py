"""Names of micrographs: what is the same one under two names, and where its file may lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath

from cryopick_napari.errors import CryopickError

# Only these endings are cut: the stem of "mic_1.5um" or of a Topaz name may hold a dot.
IMAGE = re.compile(r"\.(mrcs?|map|rec|tiff?|png|jpe?g|eer|dm[34]|hdf5?|npy)$", re.IGNORECASE)
PICKED = re.compile(r"_(autopick|manualpick|picks?|particles|coordinates|coords|boxes)$")
# cryoSPARC's motion correction and denoiser, MotionCor2, and binning.
PROCESSED = re.compile(
    r"(\.bin\d*|_patch_aligned|_rigid_aligned|_full_patch|_doseweighted|_denoised|_aligned_mic|_DW)$"
)
# cryoSPARC puts a number of 15 or more digits before the names of the files it imports.
UID = re.compile(r"^\d{15,}_")


def folders(name: str) -> tuple[str, ...]:
    """Give the folders of a name, whichever slash it uses."""
    return tuple(part for part in re.split(r"[\\/]", name)[:-1] if part not in ("", "."))


def stem(name: str) -> str:
    """Give the last part of a name without the ending of an image file."""
    return _without(IMAGE, re.split(r"[\\/]", name)[-1])


def picked_stem(name: str) -> str:
    """Give the stem of the micrograph that a coordinate file's stem belongs to."""
    return stem(_without(PICKED, stem(name)))


def plain_stem(name: str) -> str:
    """Give the stem without anything that programs add on their way: UIDs, `_patch_aligned`, `.bin`."""
    return _without(UID, _without(PROCESSED, picked_stem(name)))


def _without(pattern: re.Pattern[str], text: str) -> str:
    """Cut a pattern as often as it is there, but never all of the text."""
    shorter = pattern.sub("", text)
    return _without(pattern, shorter) if shorter and shorter != text else text


@dataclass(frozen=True, order=True)
class Found:
    """A known name and how well it agrees; the greater the better."""

    same: bool  # letter for letter
    closeness: int  # 2 the stem, 1 but for `_autopick` and the like, 0 but for what programs add
    same_folder: bool
    shared_folders: int
    name: str = field(compare=False)


@dataclass(frozen=True)
class Lookup:
    """Known names by their plain stems."""

    by_stem: Mapping[str, Sequence[str]] = field(default_factory=dict)
    common: int = 0  # how many folders all known names start with

    @classmethod
    def of(cls, names: Iterable[str]) -> Lookup:
        """Sort names into a lookup."""
        by_stem: dict[str, list[str]] = {}
        unique = list(dict.fromkeys(names))
        for name in unique:
            by_stem.setdefault(plain_stem(name), []).append(name)
        levels = zip(*(folders(name) for name in unique), strict=False)
        return cls(by_stem, sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels)))

    def find(self, name: str) -> Found | None:
        """Find the one known name that a name means; None when there is none, or no single best one."""
        candidates = sorted(self._compare(name, known) for known in self.by_stem.get(plain_stem(name), []))
        if not candidates or (len(candidates) > 1 and not candidates[-1] > candidates[-2]):
            return None
        return candidates[-1]

    def _compare(self, name: str, known: str) -> Found:
        ours, theirs = folders(name), folders(known)
        shared = 0
        while shared < min(len(ours), len(theirs)) and ours[-1 - shared] == theirs[-1 - shared]:
            shared += 1
        closeness = (stem(name) == stem(known)) + (picked_stem(name) == picked_stem(known))
        # A coordinate file's folders begin below the output folder, a micrograph's often at the root.
        return Found(name == known, closeness, ours in (theirs, theirs[self.common :]), shared, known)


def place(name: str, folder: Path, suffix: str, root: Path | None = None) -> Path:
    """Say where the coordinate file of a micrograph goes: its own folders are kept below ``folder``.

    Two micrographs of the same stem in two folders thus never share a file.

    Parameters
    ----------
    name : str
        The micrograph's name; it may come from somebody else's file, so it is not trusted.
    folder : Path
        The output folder.
    suffix : str
        What follows the stem, as ``_autopick.star``.
    root : Path, optional
        For micrographs below this folder only the folders below it are kept: what makes names
        that are absolute, or hold "..", usable.

    Raises
    ------
    CryopickError
        If the file would lie outside ``folder``, or the name is no name.
    """
    inner = _below(name, root)
    parts = re.split(r"[\\/]", inner)
    rooted = PurePosixPath(inner).is_absolute() or PureWindowsPath(inner).anchor
    if not stem(inner).strip(". ") or not inner.isprintable():
        raise CryopickError(f"the micrograph name {name!r} makes no file name; rename the micrograph")
    if rooted or ".." in parts:
        raise CryopickError(f"the micrograph name {name!r} leads outside the output folder; make it relative")
    target = folder.joinpath(*folders(inner), stem(inner) + suffix)
    # Links are followed here, for one inside the folder may point out of it.
    if not is_below(os.path.realpath(target), os.path.realpath(folder)):
        raise CryopickError(f"the micrograph name {name!r} leads by a link out of {folder}; remove the link")
    return target


def _below(name: str, root: Path | None) -> str:
    """Give a name relative to ``root`` when it lies below it, otherwise as it is."""
    if root is None or not name.isprintable():
        return name
    full, top = os.path.abspath(name), os.path.abspath(root)  # noqa: PTH100, for speed
    return full[len(top) :].lstrip(os.sep) if is_below(full, top) else name


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies below a folder, both absolute and free of ".."."""
    return path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)


def absolute(path: Path) -> Path:
    """Make a path absolute and free of "..", links left as they are: a project may consist of them."""
    return Path(os.path.normpath(path.absolute()))


def name_from(path: Path, folder: Path) -> str:
    """Name a micrograph relative to a folder if it lies below it, otherwise by its whole path."""
    full, top = absolute(path), absolute(folder)
    return (full.relative_to(top) if full.is_relative_to(top) else full).as_posix()


def in_project(file: str, index: Path, bases: list[Path]) -> Path | None:
    """Find a file that another one names relative to a project folder: one of the folders around it.

    Parameters
    ----------
    file : str
        As it is named.
    index : Path
        The file that names it.
    bases : list of Path
        Where the last one was found; brought up to date.
    """
    # The current folder comes last: it may be another project with files of the same names.
    around = [*bases, *index.absolute().parents, Path.cwd()]
    base = next((base for base in around if is_file(base / file)), None)
    if base is None:
        return None
    bases[:] = [base]
    return base / file


def is_file(path: Path) -> bool:
    """Tell whether a path is a file; one that cannot even be a name is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or no name at all
        return False
