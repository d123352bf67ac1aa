"""The board of planted bugs: `make mutants`, or `python -m tests.sim.mutants.board --only NAME`.

A simulator is as good as the bugs that it finds. Each bug is planted, and seeds are run until one
of them finds it, which must find nothing without it; the board says which, and after how long. One
that is not found is a failure.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from tests.sim.mutants.bug import Find
from tests.sim.mutants.cluster_bugs import CLUSTER_BUGS
from tests.sim.mutants.engine_bugs import ENGINE_BUGS, PARTITION_BUGS
from tests.sim.mutants.journal_bugs import JOURNAL_BUGS, STORAGE_BUGS
from tests.sim.mutants.membership_bugs import MEMBERSHIP_BUGS
from tests.sim.mutants.raft_bugs import RAFT_BUGS

BUGS: Final = (*RAFT_BUGS, *STORAGE_BUGS, *JOURNAL_BUGS, *ENGINE_BUGS)
ALL_BUGS: Final = (*BUGS, *PARTITION_BUGS, *CLUSTER_BUGS, *MEMBERSHIP_BUGS)
"""With those whose hunts take seconds a seed."""

SEEDS_MAX: Final = 100
"""A bug is found within so many seeds, or it is not found."""


def hunt(number: int, seeds_max: int) -> tuple[Find | None, float]:
    """Look for a bug; what was found, and in how much time."""
    before_s = time.process_time()
    find = ALL_BUGS[number].find(seeds_max)
    return find, time.process_time() - before_s


def main(arguments: list[str]) -> int:
    """The command line; 1 when a bug is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="to try for each bug")
    parser.add_argument("--only", default="", help="bugs whose names have this in them")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    numbers = [number for number, bug in enumerate(ALL_BUGS) if options.only in bug.name]
    found = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        finds = pool.map(hunt, numbers, [options.seeds] * len(numbers))
        for number, (find, cpu_s) in zip(numbers, finds, strict=True):
            found += find is not None
            where = "NOT FOUND" if find is None else f"seed {find.seed}, try {find.tried}"
            print(f"{ALL_BUGS[number].name:62} {where:>18} {cpu_s:6.1f} s  ", end="")
            print(find.fault[:90] if find is not None else "", flush=True)
    print(f"mutants: {len(numbers)} bugs, {found} found, {len(numbers) - found} not found")
    return int(found < len(numbers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
