"""The board of planted bugs: `make mutants`, or `python -m tests.sim.mutants.board --only NAME`.

A simulator is as good as the bugs that it finds. Each bug is planted, and seeds are run until one
of them finds it, which must find nothing without it; the board says which, at which try, and after
how long. One that is not found is a failure. `--only` takes a part of a name, or of several.

The seed that found a bug in a hunt before is tried first (`--log` says where that is written); it
counts as one try like any other, and is told as remembered. A hunt that was interrupted goes on
where it was, as long as neither the code nor the tests have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec
from tests.sim.mutants.bug import Bug
from tests.sim.mutants.cluster_bugs import CLUSTER_BUGS
from tests.sim.mutants.engine_bugs import ENGINE_BUGS, PARTITION_BUGS
from tests.sim.mutants.journal_bugs import JOURNAL_BUGS, STORAGE_BUGS
from tests.sim.mutants.membership_bugs import MEMBERSHIP_BUGS
from tests.sim.mutants.raft_bugs import RAFT_BUGS

BUGS: Final = (*RAFT_BUGS, *STORAGE_BUGS, *JOURNAL_BUGS, *ENGINE_BUGS)
ALL_BUGS: Final = (*BUGS, *PARTITION_BUGS, *CLUSTER_BUGS, *MEMBERSHIP_BUGS)
"""With those whose hunts take seconds a seed."""

SEEDS_MAX: Final = 2_000
"""A bug is found within so many seeds, or it is not found."""

ROOT: Final = Path(__file__).resolve().parents[3]
LOG: Final = ROOT / ".mutants.jsonl"
SOURCES: Final = ("broker/grevy", "client/grevy", "exporters/grevy", "schemas", "tests")


class Hunted(msgspec.Struct, frozen=True):
    """A line of the log: how a hunt for a bug has ended."""

    name: str
    code: str
    """A hash of all that was run."""
    seed: int | None
    """That has found it; None for none."""
    fault: str
    tried: int
    cpu_s: float
    is_over: bool
    """Whether all seeds were tried, or one has found it; not when the time was over before."""
    is_remembered: bool = False
    """Whether the seed is the one that had found it in a hunt before."""

    def line(self) -> str:
        """For people."""
        where = f"seed {self.seed}{' (remembered)' if self.is_remembered else ''}"
        if self.seed is None:
            where = "NOT FOUND" if self.is_over else "not found yet"
        tries = f"try {self.tried}"
        return f"{self.name:62} {where:>22} {tries:>9} {self.cpu_s:7.1f} s  {self.fault[:90]}"


def code_hash() -> str:
    """What the code under test and the tests are, in a few characters."""
    digest = hashlib.blake2b(digest_size=8)
    for root in SOURCES:
        for path in sorted((ROOT / root).rglob("*")):
            if path.suffix in (".py", ".capnp", ".bpmn", ".dmn"):
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_log(path: Path) -> dict[str, Hunted]:
    """The last hunt for each bug that is over."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    hunts = (msgspec.json.decode(line, type=Hunted) for line in lines)
    return {hunted.name: hunted for hunted in hunts if hunted.is_over}


def hunt(number: int, code: str, first: int | None, seeds_max: int, end_s: float) -> Hunted:
    """Look for a bug, first with one seed, until a moment of the monotonic clock."""
    bug = ALL_BUGS[number]
    before_s = time.process_time()
    tried, is_over = 0, True
    for seed in bug.candidates(seeds_max, first):
        if time.monotonic() >= end_s:
            is_over = False
            break
        tried += 1
        fault = bug.fault(seed)
        if fault:
            cpu_s = time.process_time() - before_s
            return Hunted(
                *(bug.name, code, seed, fault, tried, cpu_s),
                is_over=True,
                is_remembered=seed == first,
            )
    return Hunted(bug.name, code, None, "", tried, time.process_time() - before_s, is_over)


def chosen(bugs: Sequence[Bug], only: Sequence[str]) -> list[int]:
    """Those whose names have one of these in them, by their places; all, if there is none."""
    return [n for n, bug in enumerate(bugs) if not only or any(each in bug.name for each in only)]


def board(numbers: list[int], options: argparse.Namespace) -> int:
    """Hunt them all; how many of them were not found."""
    code, before = code_hash(), read_log(options.log)
    done = [h for n in numbers if (h := before.get(ALL_BUGS[n].name)) and h.code == code]
    for hunted in done:
        print(f"{hunted.line()}  (told before)", flush=True)
    names = {hunted.name for hunted in done}
    missed = 0
    end_s = time.monotonic() + options.seconds
    with (
        options.log.open("ab") as log,
        ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool,
    ):
        futures = {}
        for number in numbers:
            name = ALL_BUGS[number].name
            if name not in names:
                last = before.get(name)
                first = last.seed if last is not None else None
                future = pool.submit(hunt, number, code, first, options.seeds, end_s)
                futures[future] = name
        for future in as_completed(futures):
            try:
                hunted = future.result()
            except Exception as error:  # noqa: BLE001 - a bug that cannot be planted is not found
                print(f"{futures[future]}: it cannot be hunted: {error!r}", flush=True)
                missed += 1
                continue
            done.append(hunted)
            log.write(msgspec.json.encode(hunted) + b"\n")
            log.flush()
            print(hunted.line(), flush=True)
    found = sum(hunted.seed is not None for hunted in done)
    missed += sum(hunted.is_over for hunted in done) - found
    late = len(numbers) - found - missed
    print(
        f"mutants: {len(numbers)} bugs, {found} found, {missed} not found"
        + (f", {late} not hunted to the end in {options.seconds:.0f} s" if late else "")
    )
    return missed


def main(arguments: list[str]) -> int:
    """The command line; 1 when a bug is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="to try for each bug")
    parser.add_argument("--only", nargs="*", default=[], help="bugs whose names have one of these")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--log", type=Path, default=LOG, help="what was found is written here")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    return int(board(chosen(ALL_BUGS, options.only), options) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
