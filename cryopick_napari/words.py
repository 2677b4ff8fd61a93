"""Numbers and problems in words that several places say alike."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, word: str) -> str:
    """Put a number and a word together."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def first_of(problems: Sequence[str]) -> str:
    """Say the first problem, and how many more there are."""
    return problems[0] + (f" and {len(problems) - 1} more" if len(problems) > 1 else "")
