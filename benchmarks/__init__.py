"""What is measured, with the commands that print it: run them as ``python -m benchmarks.NAME``."""

from cryopick_napari.cli import spin_little

spin_little()  # as the command line does
