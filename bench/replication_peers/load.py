"""The load that each system gets: clients in one process, each with one append under way.

A client appends, waits until that is committed and appends again; all of them share a loop and,
where the protocol can, a connection, on which what they say in one turn goes out together. There
is a warm-up, which is not counted. Prints one JSON object a line: for each number of clients.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final, Protocol, TypeAlias

import uvloop

PAYLOAD: Final = bytes(range(256))
START_TIMEOUT_S: Final = 60.0
APPEND_TIMEOUT_S: Final = 5.0
"""After which an append counts as failed: a stream that changes its leader drops some."""


class ReplicatedLog(Protocol):
    """A log that three replicas keep."""

    def append(self, payload: bytes) -> Awaitable[object]:
        """Done when a majority has the payload on disk."""
        ...


@dataclass(frozen=True, slots=True)
class Figures:
    """What so many clients got: latencies in milliseconds, and what share of a core their process
    took (near 1, it is the load and not the log that is measured).
    """

    clients: int
    appends_per_s: float
    p50_ms: float
    p99_ms: float
    load_cpu: float
    failed: int


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The command line of every load process."""

    addresses: tuple[str, ...]
    clients: tuple[int, ...]
    seconds: float
    warm_up_s: float


class Stopwatch:
    """Collects latencies after the warm-up, until the time is over."""

    def __init__(self, options: LoadOptions, clients: int) -> None:
        self._clients = clients
        self._begin = time.perf_counter() + options.warm_up_s
        self._end = self._begin + options.seconds
        self._cpu_s: float | None = None
        self._latencies_s: list[float] = []
        self._failed = 0

    def is_over(self, now: float) -> bool:
        """Whether no append should begin any more."""
        return now >= self._end

    def took(self, begin: float, end: float) -> None:
        """An append took from `begin` to `end`."""
        if self._begin <= end < self._end:
            if self._cpu_s is None:
                self._cpu_s = time.process_time()
            self._latencies_s.append(end - begin)

    def failed(self) -> None:
        """An append was refused or lost; it is not counted as one."""
        self._failed += 1

    def figures(self) -> Figures:
        """All of it, right after the end."""
        assert self._cpu_s is not None, "nothing was appended"
        ordered = sorted(self._latencies_s)
        seconds = self._end - self._begin
        return Figures(
            clients=self._clients,
            appends_per_s=round(len(ordered) / seconds, 1),
            p50_ms=round(ordered[len(ordered) // 2] * 1e3, 3),
            p99_ms=round(ordered[len(ordered) * 99 // 100] * 1e3, 3),
            failed=self._failed,
            load_cpu=round((time.process_time() - self._cpu_s) / seconds, 2),
        )


def parse() -> LoadOptions:
    """The options that this process was given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("addresses", nargs="+")
    parser.add_argument("--clients", type=int, action="append", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    given = parser.parse_args()
    return LoadOptions(tuple(given.addresses), tuple(given.clients), given.seconds, given.warm_up)


def report(figures: Figures) -> None:
    """One line of the output."""
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")
    sys.stdout.flush()


async def _measure(log: ReplicatedLog, options: LoadOptions, clients: int) -> Figures:
    watch = Stopwatch(options, clients)
    clock = time.perf_counter

    async def client() -> None:
        while not watch.is_over(begin := clock()):
            try:
                async with asyncio.timeout(APPEND_TIMEOUT_S):
                    await log.append(PAYLOAD)
            except TimeoutError:
                watch.failed()
            else:
                watch.took(begin, clock())

    await asyncio.gather(*(client() for _ in range(clients)))
    return watch.figures()


class NotReady(Exception):
    """There is no leader yet."""


Connect: TypeAlias = Callable[[tuple[str, ...]], Awaitable[ReplicatedLog]]
"""The log that processes at these addresses keep, once it can be written. May fail with OSError
while they start."""


async def connect_in_time(connect: Connect, addresses: tuple[str, ...]) -> ReplicatedLog:
    """Tries until the replicas have started and have a leader. Raises `TimeoutError`."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                return await connect(addresses)
            except (OSError, NotReady):
                await asyncio.sleep(0.1)


def _end(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A callback has failed: clients would wait for ever."""
    sys.stderr.write(f"{context}\n")
    sys.stderr.flush()
    os._exit(1)


def run_load(connect: Connect) -> None:
    """Runs the load that the command line asks for."""

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(_end)
        options = parse()
        log = await connect_in_time(connect, options.addresses)
        for clients in options.clients:
            report(await _measure(log, options, clients))

    uvloop.run(main())
