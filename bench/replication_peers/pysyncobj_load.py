"""Appends to three replicas of PySyncObj, as a member of its own without a vote.

The library has a loop of its own, and callbacks.
"""

from __future__ import annotations

import time

from bench.replication_peers.load import (
    PAYLOAD,
    START_TIMEOUT_S,
    Figures,
    LoadOptions,
    Stopwatch,
    parse,
    report,
)  # fmt: skip
from bench.replication_peers.pysyncobj_replica import TICK_S, BenchLog, configuration


class Clients:
    """As many clients as the stopwatch is for."""

    def __init__(self, log: BenchLog, watch: Stopwatch) -> None:
        self._log = log
        self._watch = watch
        self._under_way = 0

    def begin(self) -> None:
        """One client's next append, if the time is not over."""
        begin = time.perf_counter()
        if self._watch.is_over(begin):
            return
        self._under_way += 1

        def done(_result: object, error: int) -> None:
            self._under_way -= 1
            if error:
                self._watch.failed()
            else:
                self._watch.took(begin, time.perf_counter())
            self.begin()

        self._log.append(PAYLOAD, callback=done)

    def run(self) -> None:
        """Until the last append is answered."""
        while self._under_way:
            self._log.doTick(TICK_S)


def measure(log: BenchLog, options: LoadOptions, count: int) -> Figures:
    """Runs so many clients."""
    watch = Stopwatch(options, count)
    clients = Clients(log, watch)
    for _ in range(count):
        clients.begin()
    clients.run()
    return watch.figures()


def main() -> None:
    """Runs the load that the command line asks for."""
    options = parse()
    log = BenchLog(None, list(options.addresses), configuration())
    end = time.monotonic() + START_TIMEOUT_S
    while not (log.isReady() and log.getStatus()["leader"]):
        if time.monotonic() > end:
            raise SystemExit("there is no leader")
        log.doTick(TICK_S)
    for count in options.clients:
        report(measure(log, options, count))


if __name__ == "__main__":
    main()
