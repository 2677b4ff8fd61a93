"""Where projects live before a person gives them a place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from qtpy.QtCore import QStandardPaths

LONGEST_NAME = 50  # letters; a folder's name has 255 bytes


def project_folder(micrographs: Path) -> Path:
    """Say where the project of a folder of micrographs is, in the user's data folder.

    The same folder of micrographs always has the same one: opening them again finds their labels.
    """
    path = os.path.abspath(micrographs)  # noqa: PTH100, links are different folders to their users
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return projects_folder() / f"{Path(path).name[:LONGEST_NAME] or 'micrographs'}-{digest}"


def projects_folder() -> Path:
    """Say where projects without a name live."""
    kind = QStandardPaths.StandardLocation.GenericDataLocation
    return Path(QStandardPaths.writableLocation(kind)) / "cryopick" / "projects"
