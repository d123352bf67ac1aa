"""The board of planted bugs: `python -m tests.sim.mutants.board`.

A simulator is as good as the bugs that it finds. Each bug is planted, and seeds are run until one
of them finds it; the board says which, and after how long. One that is not found is a failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from tests.sim.mutants.cluster_bugs import CLUSTER_BUGS
from tests.sim.mutants.journal_bugs import JOURNAL_BUGS, STORAGE_BUGS
from tests.sim.mutants.raft_bugs import RAFT_BUGS

BUGS: Final = (*RAFT_BUGS, *STORAGE_BUGS, *JOURNAL_BUGS)
ALL_BUGS: Final = (*BUGS, *CLUSTER_BUGS)
"""With those whose hunts take seconds a seed."""

SEEDS_MAX: Final = 2_000
"""A bug is found within so many seeds, or it is not found."""


@dataclass(frozen=True, slots=True)
class Find:
    """How a hunt ended."""

    name: str
    tried: int
    seed: int | None
    fault: str
    cpu_s: float


def hunt(number: int, seeds_max: int = SEEDS_MAX) -> Find:
    """Plant a bug and look for it: first where it was found before, then everywhere."""
    bug = ALL_BUGS[number]
    before_s = time.process_time()
    tried = 0
    for seed in _seeds(bug.seeds, seeds_max):
        tried += 1
        with bug.planted():
            fault = bug.hunt(seed)
        if fault and not bug.hunt(seed):  # without the bug, the seed must find nothing
            return Find(bug.name, tried, seed, fault, time.process_time() - before_s)
    return Find(bug.name, tried, None, "", time.process_time() - before_s)


def _seeds(known: tuple[int, ...], seeds_max: int) -> Iterator[int]:
    yield from known
    yield from range(1, seeds_max + 1)


def main(arguments: list[str]) -> int:
    """The command line; 1 when a bug is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="to try for each bug")
    parser.add_argument("--only", default="", help="bugs whose names have this in them")
    options = parser.parse_args(arguments)
    numbers = [number for number, bug in enumerate(ALL_BUGS) if options.only in bug.name]
    found = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for find in pool.map(hunt, numbers, [options.seeds] * len(numbers)):
            found += find.seed is not None
            where = f"seed {find.seed}" if find.seed is not None else "NOT FOUND"
            print(f"{find.name:60} {where:>10} {find.tried:5} tried {find.cpu_s:6.1f} s  ", end="")
            print(find.fault[:90], flush=True)
    print(f"mutants: {len(numbers)} bugs, {found} found, {len(numbers) - found} not found")
    return int(found < len(numbers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
