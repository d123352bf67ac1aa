"""How late heartbeats are between two brokers as processes, while a snapshot goes the
same way: with a connection of their own (as it is), and without (to see what it is for).

    python bench/cluster_links.py [seconds]

Prints a JSON line for each: heartbeats heard, how long each took (p50, p99, longest, ms), and what
the snapshots got through (MB/s).
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from typing import Final

import uvloop

from grevy.protocol.broker_messages import BrokerItem, GroupMessage
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.raft_messages import (
    GroupMembers,
    Heartbeat,
    SnapshotChunk,
    SnapshotResponse,
)
from grevy.transport import ClusterLinks, cluster

CHUNK_BYTES: Final = 1024 * 1024
HEARTBEAT_S: Final = 0.005
CHUNKS_IN_FLIGHT: Final = 4
"""Chunks on their way; each is confirmed, as Raft does it."""
CASES: Final = ("idle", "snapshots beside", "snapshots in line")

CHUNK: Final = SnapshotChunk(1, 1, 1, 1, GroupMembers((1, 2)), 0, 1 << 40, bytes(CHUNK_BYTES), 1)


class Clock:
    """The clock of this machine, which both processes share, in microseconds instead."""

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Receiver:
    """Writes down how long each heartbeat took."""

    def __init__(self) -> None:
        self.took_us: list[int] = []
        self.snapshot_bytes = 0
        self.links: ClusterLinks | None = None

    def on_items(
        self, sender: int, items: tuple[BrokerItem, ...], sent_at_ms: int, _late_ms: int
    ) -> None:
        now_us = time.monotonic_ns() // 1_000
        for item in items:
            assert isinstance(item, GroupMessage)
            if isinstance(item.message, SnapshotChunk):
                self.snapshot_bytes += len(item.message.data)
                assert self.links is not None
                self.links.send(sender, GroupMessage(1, SnapshotResponse(2, 1, 1, 0, 0)))
            else:
                self.took_us.append(now_us - sent_at_ms)

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        """There is no other cluster."""
        raise AssertionError(cluster_id, gossip)

    def on_drained(self) -> None:
        pass


async def receive(pipe: Connection) -> None:
    receiver, loop = Receiver(), asyncio.get_running_loop()
    links = ClusterLinks(
        loop, "tcp://127.0.0.1:0", receiver, node_id=2, cluster_id="bench", clock=Clock()
    )
    links.start()
    receiver.links = links
    pipe.send(links.endpoint)
    links.connect(1, await loop.run_in_executor(None, pipe.recv))
    await loop.run_in_executor(None, pipe.recv)
    links.close()
    pipe.send((receiver.took_us, receiver.snapshot_bytes))


class Sender:
    """Sends heartbeats, and chunks as fast as they are confirmed."""

    def __init__(self) -> None:
        self.links: ClusterLinks | None = None
        self.is_confirmed = False

    def on_items(
        self, _sender: int, items: tuple[BrokerItem, ...], _sent_at_ms: int, _late_ms: int
    ) -> None:
        self.is_confirmed = True
        for _ in items:
            self.send_chunk()

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        """There is no other cluster."""
        raise AssertionError(cluster_id, gossip)

    def on_drained(self) -> None:
        pass

    def send_chunk(self) -> None:
        """Another one."""
        assert self.links is not None
        self.links.send(2, GroupMessage(1, CHUNK))


async def send(pipe: Connection, endpoint: str, case: str, seconds: float) -> None:
    sender, loop = Sender(), asyncio.get_running_loop()
    links = ClusterLinks(
        loop, "tcp://127.0.0.1:0", sender, node_id=1, cluster_id="bench", clock=Clock()
    )
    links.start()
    sender.links = links
    pipe.send(links.endpoint)
    links.connect(2, endpoint)
    end_s = loop.time() + seconds
    number = 0
    while loop.time() < end_s:
        number += 1
        links.send(2, GroupMessage(1, Heartbeat(1, 1, 1, number)))
        if case != "idle" and not sender.is_confirmed:
            for _ in range(CHUNKS_IN_FLIGHT):
                sender.send_chunk()
        await asyncio.sleep(HEARTBEAT_S)
    links.close()


def _receive(pipe: Connection) -> None:
    uvloop.run(receive(pipe))


def run(case: str, seconds: float) -> dict[str, object]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_receive, args=(theirs,))
    process.start()
    endpoint = ours.recv()
    beside = cluster._is_bulk
    if case == "snapshots in line":
        cluster._is_bulk = lambda item: False
    uvloop.run(send(ours, endpoint, case, seconds))
    cluster._is_bulk = beside
    ours.send(None)
    took_us, snapshot_bytes = ours.recv()
    process.join()
    took_us.sort()
    return {
        "case": case,
        "heartbeats": len(took_us),
        "p50_ms": took_us[len(took_us) // 2] / 1000,
        "p99_ms": took_us[len(took_us) * 99 // 100] / 1000,
        "max_ms": took_us[-1] / 1000,
        "snapshot_mb_s": round(snapshot_bytes / seconds / 1e6),
    }


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    for case in CASES:
        sys.stdout.write(json.dumps(run(case, seconds)) + "\n")


if __name__ == "__main__":
    main()
