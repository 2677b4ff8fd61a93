"""``python -m cryopick_napari`` is ``cryopick``."""

import sys

from cryopick_napari.cli import main

sys.exit(main())
