"""What all kinds of simulated runs have in common: they are decided by a seed, and end with a
report or with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tests.sim.marks import Mark


class Report(Protocol):
    """What a run was that found nothing wrong."""

    @property
    def trace_hash(self) -> str:
        """All that happened, as a hash."""
        ...

    @property
    def events(self) -> int:
        """How much happened, in what the kind counts."""
        ...


class Simulation(Protocol):
    """One run."""

    def run(self) -> Report:
        """Everything; raises what is wrong."""
        ...

    def story(self) -> Iterable[str]:
        """Options, last events and whatever else helps to understand a failure, by line."""
        ...


@dataclass(frozen=True, slots=True)
class Column:
    """How many runs: the seeds from 1 to `fixed`, and `new` ones."""

    fixed: int
    new: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of runs."""

    name: str
    begin: Callable[[int], Simulation]
    """A run, by its seed."""
    counts: str
    """What its events are, for people."""
    pull_request: Column
    nightly: Column
    marks: type[Mark]
    marks_seeds: int
    """So many runs must have reached every mark."""
