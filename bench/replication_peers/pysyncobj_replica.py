"""A replica of PySyncObj, and what its clients are: members without a vote, which is the library's
only way to write from elsewhere.

Its journal is a mapped file that it writes at once and never syncs (0.3.17: nothing calls the
journal's `flush`). With `--sync`, a journal that has grown is synced before the next message
leaves, so that neither a leader nor a follower speaks of entries that are not on its disk.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from pysyncobj import SyncObj, SyncObjConf, replicated

TICK_S: Final = 0.001
PERIOD_S: Final = 0.002
"""How often a leader sends what it has. An append takes two periods; 0.1, the default, makes that
200 ms."""
ELECTION_TIMEOUT_S: Final = 2.0
"""Longer than the default, so that a busy machine doesn't bring elections into the run."""
NEVER: Final = 10**9


def configuration(**more: object) -> SyncObjConf:
    """What all members have in common."""
    return SyncObjConf(
        autoTick=False,
        appendEntriesPeriod=PERIOD_S,
        raftMinTimeout=ELECTION_TIMEOUT_S,
        raftMaxTimeout=ELECTION_TIMEOUT_S * 2,
        connectionTimeout=ELECTION_TIMEOUT_S * 2,
        appendEntriesBatchSizeBytes=2**20,
        logCompactionMinEntries=NEVER,
        logCompactionMinTime=NEVER,
        **more,
    )


class BenchLog(SyncObj):  # type: ignore[misc]
    """Payloads, counted."""

    def __init__(self, address: str | None, others: list[str], conf: SyncObjConf) -> None:
        super().__init__(address, others, conf)
        self._length = 0

    @replicated  # type: ignore[untyped-decorator]
    def append(self, payload: bytes) -> None:
        """One more."""
        self._length += 1


def sync_before_sending(log: BenchLog) -> None:
    """Syncs the journal when it has grown, before a message is sent."""
    journal = vars(log)["_SyncObj__raftLog"]
    transport = vars(log)["_SyncObj__transport"]
    add: Callable[..., None] = journal.add
    send: Callable[..., bool] = transport.send
    is_dirty = False

    def add_and_remember(*entry: object) -> None:
        nonlocal is_dirty
        is_dirty = True
        add(*entry)

    def sync_and_send(node: object, message: object) -> bool:
        nonlocal is_dirty
        if is_dirty:
            is_dirty = False
            journal.flush()
        return send(node, message)

    journal.add = add_and_remember
    transport.send = sync_and_send


def main() -> None:
    """Runs until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("addresses", nargs=3)
    parser.add_argument("--sync", action="store_true")
    given = parser.parse_args()
    address, *others = given.addresses
    log = BenchLog(address, others, configuration(journalFile=given.journal))
    if given.sync:
        sync_before_sending(log)
    while True:
        log.doTick(TICK_S)


if __name__ == "__main__":
    main()
