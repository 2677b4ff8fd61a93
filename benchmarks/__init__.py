"""What is measured, with the commands that print it: run them as ``python -m benchmarks.NAME``."""
