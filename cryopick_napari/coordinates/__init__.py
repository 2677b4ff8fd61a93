"""Coordinate files of other programs: the only place that knows of flips, corners and columns."""

from __future__ import annotations

from cryopick_napari.coordinates.base import About, CoordinateSet, merged
from cryopick_napari.coordinates.converting import Converted, Turn, convert, read_sets
from cryopick_napari.coordinates.formats import FORMATS, SUFFIX, Format
from cryopick_napari.coordinates.matching import match, pair
from cryopick_napari.coordinates.reading import read_coordinates
from cryopick_napari.coordinates.writing import targets, write_coordinates, write_index, write_one

__all__ = [
    "FORMATS",
    "SUFFIX",
    "About",
    "Converted",
    "CoordinateSet",
    "Format",
    "Turn",
    "convert",
    "match",
    "merged",
    "pair",
    "read_coordinates",
    "read_sets",
    "targets",
    "write_coordinates",
    "write_index",
    "write_one",
]
