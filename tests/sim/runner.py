"""Runs of the simulated world by the thousand: `python -m tests.sim.runner raft --new 1000`.

Each run is decided by its seed. One that fails says how to repeat it, with which options it ran,
and where its last events were written. One in a hundred is run twice, and must be the same. The
last line says how many there were, how many failed, and how many a core does in an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from tests.sim.raft_group import Group, Report

FIXED: Final = 100
"""The seeds that are run every time: 1 to this."""

TWICE: Final = 100
"""One run in so many is done twice."""

AHEAD: Final = 8
"""Runs for each core that are given out before the first of them has ended."""

SHOWN_MAX: Final = 5
"""Failing runs that are told in full."""

NEW_SEEDS: Final = 1 << 40
"""New seeds are below this: short enough to be typed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    seed: int
    fault: str
    """What is wrong, in one line; empty when nothing is."""
    story: str
    """The same in full, with options and last events."""
    events: int
    cpu_s: float


Run = Callable[[int], Outcome]


def run_raft(seed: int) -> Outcome:
    """One run of a group of replicas."""
    before_s = time.process_time()
    group = Group(seed)
    try:
        report = group.run()
        if seed % TWICE == 0:
            _check_same(report, Group(seed).run())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome(
            seed, fault, _story(group), group.world.events, time.process_time() - before_s
        )
    return Outcome(seed, "", "", report.events, time.process_time() - before_s)


def _check_same(first: Report, second: Report) -> None:
    if first != second:
        raise AssertionError(f"the same seed gives {first} and {second}")


def _story(group: Group) -> str:
    lines = [traceback.format_exc(), "options:", group.knobs.lines(), "last events:"]
    lines += [group.tell(*event) for event in group.world.recent]
    lines.append("disks:")
    for node, disk in group.disks.items():
        lines += [f"{node} {path} {bytes(disk.contents(path)).hex()}" for path in disk.files()]
    return "\n".join(lines)


def _spread(run: Run, seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """The outcomes of all runs, on so many cores."""
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        waiting: deque[Future[Outcome]] = deque()
        for seed in seeds:
            waiting.append(pool.submit(run, seed))
            if len(waiting) > AHEAD * jobs:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def _until(seeds: Iterable[int], seconds: float) -> Iterator[int]:
    """Seeds until the time is over."""
    end_s = time.monotonic() + seconds
    for seed in seeds:
        if time.monotonic() > end_s:
            return
        yield seed


def _tell(kind: str, outcome: Outcome) -> None:
    path = Path(tempfile.gettempdir()) / f"sim-{kind}-{outcome.seed}.txt"
    path.write_text(outcome.story, encoding="utf-8")
    head = outcome.story.split("last events:")[0]
    print(f"\nsim-{kind}, seed {outcome.seed}: {outcome.fault}\n{head}")
    print(f"last events: {path}\nagain: make sim SEED={outcome.seed}\n", flush=True)


def _seeds(options: argparse.Namespace) -> Iterator[int]:
    if options.seed is not None:
        yield options.seed
        return
    yield from range(1, options.fixed + 1)
    rng = Random(SystemRandom().getrandbits(64)) if options.start is None else None
    fresh = (rng.randrange(NEW_SEEDS) for _ in count()) if rng else count(options.start)
    yield from islice(fresh, options.new)


KINDS: Final[dict[str, Run]] = {"raft": run_raft}


def main(arguments: list[str]) -> int:
    """The command line; 1 when a run has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--fixed", type=int, default=FIXED, help="seeds from 1 to this")
    parser.add_argument("--new", type=int, default=0, help="so many new ones")
    parser.add_argument("--start", type=int, help="new ones are from here on, not by chance")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    ran = failing = events = 0
    cpu_s = 0.0
    seeds = _until(_seeds(options), options.seconds)
    for outcome in _spread(KINDS[options.kind], seeds, options.jobs):
        ran += 1
        events += outcome.events
        cpu_s += outcome.cpu_s
        if outcome.fault:
            failing += 1
            if failing <= SHOWN_MAX:
                _tell(options.kind, outcome)
            else:
                print(f"sim-{options.kind}, seed {outcome.seed}: {outcome.fault}", flush=True)
    rate = round(ran * 3600 / cpu_s) if cpu_s else 0
    print(f"sim-{options.kind}: {events // max(ran, 1)} events a seed, rate of one core")
    print(f"sim-{options.kind}: {ran} seeds, {failing} failing, {rate} seeds/h", flush=True)
    return int(failing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
