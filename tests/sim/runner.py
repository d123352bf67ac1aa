"""Runs of simulated worlds by the thousand: `python -m tests.sim.runner`, which `make sim` and
`make nightly` call.

Each run is decided by its seed. One that fails says how to repeat it, with which options it ran,
and where its last events were written. One in a hundred is run twice, the second time in a process
of another hash seed, and must leave the same trace. The last line of a kind says how many runs
there were, how many failed, and how many a core does in an hour.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from tests.sim import marks
from tests.sim.kinds import KINDS
from tests.sim.simulation import Column, Kind

TWICE: Final = 100
"""One run in so many is done twice."""

HASH_SEEDS: Final = ("0", "1", "4711")

AHEAD: Final = 8
"""Runs for each core that are given out before the first of them has ended."""

SHOWN_MAX: Final = 5
"""Failing runs that are told in full."""

NEW_SEEDS: Final = 1 << 40
"""New seeds are below this: short enough to be typed."""

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    seed: int
    fault: str
    """What is wrong, in one line; empty when nothing is."""
    story: str
    """The same in full, with options and last events."""
    trace_hash: str
    events: int
    cpu_s: float
    reached: frozenset[str]
    """Marks."""


def run_seed(kind: str, seed: int) -> Outcome:
    """One run."""
    marks.taken()
    before_s = time.process_time()
    simulation = KINDS[kind].begin(seed)
    fault = story = trace_hash = ""
    events = 0
    try:
        report = simulation.run()
        trace_hash, events = report.trace_hash, report.events
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
        story = "\n".join((traceback.format_exc(), *simulation.story()))
    cpu_s = time.process_time() - before_s
    return Outcome(seed, fault, story, trace_hash, events, cpu_s, marks.taken())


def is_twice(seed: int) -> bool:
    """Whether a run is done twice; the first of each column is."""
    return seed == 1 or seed % TWICE == 0


def run_checked(kind: str, seed: int) -> Outcome:
    """One run, or two that must be the same."""
    outcome = run_seed(kind, seed)
    if not is_twice(seed) or outcome.fault:
        return outcome
    hash_seed = HASH_SEEDS[seed // TWICE % len(HASH_SEEDS)]
    again = trace_elsewhere(kind, seed, hash_seed)
    if again == outcome.trace_hash:
        return outcome
    fault = f"with hash seed {hash_seed} the trace is {again}, here it is {outcome.trace_hash}"
    return Outcome(
        *(seed, fault, fault, outcome.trace_hash, outcome.events, outcome.cpu_s, outcome.reached)
    )


def trace_elsewhere(kind: str, seed: int, hash_seed: str) -> str:
    """The trace of a run in a process of its own, whose sets and dicts have another order."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.sim.runner", kind, "--seed", str(seed), "--trace"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.strip() or ended.stderr[-500:]


def _spread(kind: str, seeds: Iterable[int], jobs: int, end_s: float) -> Iterator[Outcome]:
    """The outcomes of all runs, on so many cores; of one at least, and of none that has not begun
    when the time is over.
    """
    run = partial(run_checked, kind)
    if jobs == 1:
        yield from map(run, _until(seeds, end_s))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        waiting: deque[Future[Outcome]] = deque()
        for seed in _until(seeds, end_s):
            waiting.append(pool.submit(run, seed))
            if len(waiting) > AHEAD * jobs:
                yield waiting.popleft().result()
        for number, future in enumerate(waiting):
            if number == 0 or time.monotonic() < end_s or not future.cancel():
                yield future.result()


def _until(seeds: Iterable[int], end_s: float) -> Iterator[int]:
    """Seeds until the time is over, one at least."""
    for number, seed in enumerate(seeds):
        if number and time.monotonic() > end_s:
            return
        yield seed


def _seeds(column: Column, start: int | None) -> Iterator[int]:
    yield from range(1, column.fixed + 1)
    rng = Random(SystemRandom().getrandbits(64)) if start is None else None
    fresh = (rng.randrange(NEW_SEEDS) for _ in count()) if rng else count(start or 0)
    yield from islice(fresh, column.new)


@dataclass(slots=True)
class Tally:
    """What has come of the runs of a kind so far."""

    kind: Kind
    ran: int = 0
    failing: int = 0
    events: int = 0
    twice: int = 0
    cpu_s: float = 0.0
    reached: set[str] = field(default_factory=set)

    def take(self, outcome: Outcome) -> None:
        """A run has ended."""
        self.ran += 1
        self.events += outcome.events
        self.cpu_s += outcome.cpu_s
        self.twice += is_twice(outcome.seed)
        self.reached |= outcome.reached
        if outcome.fault:
            self.failing += 1
            if self.failing <= SHOWN_MAX:
                _tell_failure(self.kind.name, outcome)
            else:
                print(f"sim-{self.kind.name}, seed {outcome.seed}: {outcome.fault}", flush=True)

    @property
    def missed(self) -> list[str]:
        """Marks that no run has reached."""
        return [each.value for each in self.kind.marks if each.value not in self.reached]

    @property
    def is_bad(self) -> bool:
        """Whether a run has failed, or so many of them have not been everywhere."""
        return self.failing > 0 or (self.ran >= self.kind.marks_seeds and bool(self.missed))

    def tell(self) -> None:
        """The last lines."""
        name, counts = f"sim-{self.kind.name}", self.kind.counts
        for point in self.missed:
            print(f"{name}: never reached: {point}")
        points = len(self.kind.marks)
        print(f"{name}: {points - len(self.missed)} of {points} rare situations reached")
        rate = 3600 / self.cpu_s if self.cpu_s else 0.0
        ran = max(self.ran, 1)
        print(
            f"{name}: {self.events // ran} {counts} a seed, {round(self.events * rate)} in an hour "
            f"of one core; {self.twice} seeds run twice, with another hash seed"
        )
        seeds_per_hour = round(self.ran * rate)
        print(
            f"{name}: {self.ran} seeds, {self.failing} failing, {seeds_per_hour} seeds/h",
            flush=True,
        )


def _tell_failure(kind: str, outcome: Outcome) -> None:
    path = Path(tempfile.gettempdir()) / f"sim-{kind}-{outcome.seed}.txt"
    path.write_text(outcome.story, encoding="utf-8")
    head = outcome.story.split("last events:")[0]
    print(f"\nsim-{kind}, seed {outcome.seed}: {outcome.fault}\n{head}")
    print(f"last events: {path}\nagain: make sim SEED={outcome.seed} KIND={kind}")
    print(f"of commit {_commit()}\n", flush=True)


def _commit() -> str:
    """The code that a seed belongs to: of another one it is another run."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    told = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def _repeat(kind: str, seed: int) -> bool:
    """One run, told; whether it found nothing."""
    outcome = run_seed(kind, seed)
    if outcome.fault:
        _tell_failure(kind, outcome)
    else:
        counts = KINDS[kind].counts
        print(f"sim-{kind}, seed {seed}: trace {outcome.trace_hash}, {outcome.events} {counts}")
    return not outcome.fault


def _run_columns(options: argparse.Namespace) -> bool:
    """All runs of all kinds that were asked for; whether all is well."""
    is_well = True
    end_s = time.monotonic() + options.seconds
    for number, name in enumerate(options.kinds):
        kind = KINDS[name]
        column = kind.nightly if options.nightly else kind.pull_request
        if options.fixed is not None or options.new is not None:
            column = Column(options.fixed or 0, options.new or 0)
        # Who is done early leaves more time to the others.
        now_s = time.monotonic()
        its_end_s = now_s + (end_s - now_s) / (len(options.kinds) - number)
        tally = Tally(kind)
        seeds = _seeds(column, options.start)
        for outcome in _spread(name, seeds, options.jobs, its_end_s):
            tally.take(outcome)
        tally.tell()
        is_well = is_well and not tally.is_bad
    return is_well


def main(arguments: list[str]) -> int:
    """The command line; 1 when a run has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="of " + ", ".join(KINDS) + "; default: all")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--trace", action="store_true", help="say nothing but its trace")
    parser.add_argument("--nightly", action="store_true", help="the longer column")
    parser.add_argument("--fixed", type=int, help="no column: seeds from 1 to this")
    parser.add_argument("--new", type=int, help="no column: so many new ones")
    parser.add_argument("--start", type=int, help="new ones are from here on, not by chance")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    options.kinds = options.kinds or list(KINDS)
    logging.disable(logging.CRITICAL)
    if unknown := set(options.kinds) - KINDS.keys():
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    if options.seed is None:
        return int(not _run_columns(options))
    if options.trace:
        for kind in options.kinds:
            outcome = run_seed(kind, options.seed)
            print(outcome.trace_hash or outcome.fault)
        return 0
    told = [_repeat(kind, options.seed) for kind in options.kinds]
    return int(not all(told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
