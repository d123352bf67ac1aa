"""One of three replicas of Grevy's log, without an engine: raft over the journal, links between
brokers, and a port for clients who append raw payloads.

    grevy_replica FOLDER NUMBER CLIENT:PEER CLIENT:PEER CLIENT:PEER

It does what a broker's partition does: what one turn of the loop brings is proposed together,
leaves for the followers before it is flushed, and is flushed by what flushes a partition.
Clients send appends, each an id of eight bytes and a payload of 256; they get the ids of those that
are committed. An id of zeros asks whether this replica leads, which only the leader answers, with
the same. It is the log that is measured: what clients of a broker say travels by ZeroMQ, but this
port is as plain as those of its peers (`wire.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections import deque
from pathlib import Path
from typing import Final

import uvloop
from bench.replication_peers.load import PAYLOAD
from bench.replication_peers.wire import Wire

from grevy.broker.server import GC_THRESHOLD
from grevy.broker.system import OsDisk, OsEntropy, SystemClock
from grevy.journal import FlushHandle, Journal, JournalOptions
from grevy.partition.flushing import Flusher
from grevy.partition.threads import one_thread
from grevy.protocol.broker_messages import BrokerItem, GroupMessage
from grevy.protocol.gossip_messages import Gossip
from grevy.raft import RaftConfig, RaftStorage, Role
from grevy.transport import ClusterLinks

PARTITION: Final = 1
TICK_S: Final = 0.1
ID_BYTES: Final = 8
QUESTION: Final = bytes(ID_BYTES)
APPEND_BYTES: Final = ID_BYTES + len(PAYLOAD)


class Replica:
    """The log of one replica, its links and its port."""

    def __init__(self, folder: Path, number: int, ports: list[tuple[int, int]]) -> None:
        self._loop = asyncio.get_running_loop()
        disk = OsDisk(folder)
        self._journal = Journal.open(disk, PARTITION, JournalOptions())
        self._storage = RaftStorage.open(disk, self._journal, PARTITION)
        config = RaftConfig(node_id=number, voters=(1, 2, 3))
        self._node = self._storage.make_node(config, OsEntropy())
        self._flusher = Flusher(
            *(self._loop, self._journal),
            on_flushed=self._flushed,
            on_failed=self._failed,
            thread=one_thread("flush"),
            clock=SystemClock(),
        )
        self.ended = asyncio.Event()
        self._waiting: deque[tuple[int, ClientPort, bytes]] = deque()
        self._links = ClusterLinks(
            self._loop,
            f"tcp://127.0.0.1:{ports[number - 1][1]}",
            self,
            node_id=number,
            cluster_id="bench",
            clock=SystemClock(),
        )
        for other, (_, port) in enumerate(ports, 1):
            if other != number:
                self._links.connect(other, f"tcp://127.0.0.1:{port}")
        self._links.start()
        self._tick()

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        self._node.tick()
        self.advance()
        self._flusher.tick()

    def on_appends(self, client: ClientPort, appends: bytes) -> None:
        """What a client has said at once: an append's id goes with the index of its entry."""
        node = self._node
        for begin in range(0, len(appends), APPEND_BYTES):
            split = begin + ID_BYTES
            append_id = appends[begin:split]
            if append_id != QUESTION:
                assert node.role is Role.LEADER, "the lead was lost: this run measures nothing"
                index = node.propose(appends[split : begin + APPEND_BYTES])
                self._waiting.append((index, client, append_id))
            elif node.is_settled:
                client.write(append_id)
        self.advance()

    def on_items(
        self, sender: int, items: tuple[BrokerItem, ...], sent_at_ms: int, late_ms: int
    ) -> None:
        """Another replica has said something."""
        step = self._node.step
        for item in items:
            assert isinstance(item, GroupMessage)
            step(item.message)

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        """There is no other cluster."""
        raise AssertionError(cluster_id, gossip)

    def on_drained(self) -> None:
        """For now, that is all."""
        self.advance()

    def advance(self) -> None:
        """Does what raft asks for, and begins a flush if the disk is free."""
        node = self._node
        while not (self._flusher.is_busy and node.needs_quiet_log):
            ready = node.ready()
            if ready is None:
                break
            self._storage.write(ready)
            for envelope in ready.messages:
                self._links.send(envelope.receiver, GroupMessage(PARTITION, envelope.message))
            node.advance(ready)
            if self._waiting:
                self._answer(ready.committed_index)
        self._links.flush()
        self._flusher.flush()

    def _flushed(self, handle: FlushHandle) -> None:
        self._node.persisted(handle.index, handle.term)
        self.advance()

    def _failed(self, error: Exception) -> None:
        raise error  # in the loop, which ends the process

    def _answer(self, committed_index: int) -> None:
        """Tells clients what is committed, each in one message."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= committed_index:
            _, client, append_id = waiting.popleft()
            client.write(append_id)


class ClientPort(Wire):
    """A connection of a client."""

    def __init__(self, replica: Replica) -> None:
        super().__init__()
        self._replica = replica
        self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""

    def data_received(self, data: bytes) -> None:
        """Appends, the last of them perhaps in part."""
        data = self._rest + data
        whole = len(data) - len(data) % APPEND_BYTES
        self._rest = data[whole:]
        self._replica.on_appends(self, data[:whole])


async def main() -> None:
    """Runs until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("ports", nargs=3)
    given = parser.parse_args()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_end)
    pairs = [tuple(map(int, text.split(":"))) for text in given.ports]
    replica = Replica(given.folder, given.number, [(client, peer) for client, peer in pairs])
    await loop.create_server(lambda: ClientPort(replica), "127.0.0.1", pairs[given.number - 1][0])
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)  # as the broker does
    await replica.ended.wait()


def _end(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    sys.stderr.write(f"{context}\n")
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    uvloop.run(main())
