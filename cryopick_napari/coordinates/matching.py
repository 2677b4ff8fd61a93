"""Which picks belong to which micrograph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryopick_napari.coordinates.base import CoordinateSet, merged
from cryopick_napari.coordinates.naming import Found, Lookup, folders, picked_stem

Claim = tuple[Found, CoordinateSet]


def match(
    sets: Iterable[CoordinateSet], micrographs: Sequence[Path]
) -> tuple[dict[Path, CoordinateSet], list[str]]:
    """Give each micrograph its picks.

    A name is compared by its folders and stem, then by its stem alone, then by its stem without what programs
    add (a cryoSPARC UID in front; `_autopick`, `_patch_aligned_doseweighted`, `.bin` behind). Of several
    candidates the one that shares most folders is taken; when none is best, the set stays unmatched.

    Parameters
    ----------
    sets : iterable of CoordinateSet
        Several of the same name are joined. Of different names that mean the same micrograph the
        best one is taken, or none.
    micrographs : sequence of Path
        Paths of the micrographs' files.

    Returns
    -------
    matched : dict
        Micrographs that have picks, in the order of ``micrographs``.
    unmatched : list of str
        Names of sets that belong to none of the micrographs, or to no single one.
    """
    paths = {str(path): path for path in micrographs}
    lookup = Lookup.of(paths)
    claims: dict[str, list[Claim]] = {}
    unmatched: list[str] = []
    for rows in sets:
        if found := lookup.find(rows.micrograph):
            claims.setdefault(found.name, []).append((found, rows))
        else:
            unmatched.append(rows.micrograph)
    matched = {}
    for name in paths:
        winners, losers = _settle(claims.get(name, []))
        unmatched += [rows.micrograph for rows in losers]
        if winners:
            matched[paths[name]] = merged(winners)
    return matched, list(dict.fromkeys(unmatched))


def pair(
    sets: Sequence[CoordinateSet], micrographs: Sequence[Path]
) -> tuple[dict[Path, CoordinateSet], list[str]]:
    """Do as `match` does, but one set and one micrograph are meant for each other, whatever their names."""
    if len(sets) == len(micrographs) == 1:
        return {micrographs[0]: sets[0]}, []
    return match(sets, micrographs)


def _settle(claims: list[Claim]) -> tuple[list[CoordinateSet], list[CoordinateSet]]:
    """Part the sets that may have a micrograph from those of other micrographs that only sound like it."""
    everybody = [rows for _, rows in claims]
    if len({_identity(rows) for rows in everybody}) <= 1:
        return everybody, []
    best = max(found for found, _ in claims)
    leaders = {_identity(rows) for found, rows in claims if found == best}
    if len(leaders) > 1:
        return [], everybody
    winners = [rows for rows in everybody if _identity(rows) in leaders]
    return winners, [rows for rows in everybody if _identity(rows) not in leaders]


def _identity(rows: CoordinateSet) -> tuple[str, ...]:
    return *folders(rows.micrograph), picked_stem(rows.micrograph)
