"""Point groups by their names."""

from __future__ import annotations

import re

from scipy.spatial.transform import Rotation

from cryopick_napari.errors import CryopickError

LARGEST_ORDER = 60  # of a rotation axis; no known particle comes near


def symmetric(name: str) -> Rotation:
    """Give the rotations of a point group, the identity among them.

    Parameters
    ----------
    name : str
        C1, C2, ..., D1, D2, ..., T, O or I (Schoenflies), in either case.

    Returns
    -------
    Rotation
        As many as the order of the group; a main axis is the first (z of zyx) coordinate's.

    Raises
    ------
    CryopickError
        If there is no such group.
    """
    said = name.upper()
    order = int(said[1:]) if re.fullmatch(r"[CD]\d{1,4}", said) else 0
    if said not in ("T", "O", "I") and not 1 <= order <= LARGEST_ORDER:
        raise CryopickError(f"there is no point group {name!r}: say C1, C2, ..., D2, D3, ..., T, O or I")
    # positions are (z, y, x): scipy's first axis is our z
    return Rotation.create_group(said, axis="X")  # type: ignore[arg-type]  # its stubs name only "Cn"
