"""Rare situations that a column of runs must reach: a simulator that never gets there finds no
fault there.

A simulation calls `mark` where one is reached; the runner counts over all runs, and says which were
never reached. Each kind of run has an enumeration of them, so that none is counted that nobody
asks for.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Mark(Enum):
    """The base of the kinds' enumerations; a value says in words what is reached."""


_reached: Final[set[str]] = set()


def mark(point: Mark) -> None:
    """This is reached, in the run that goes on now."""
    _reached.add(point.value)


def taken() -> frozenset[str]:
    """What was reached since the last call."""
    reached = frozenset(_reached)
    _reached.clear()
    return reached
