"""Brokers' links on loopback, and handlers that write down what they hear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from grevy.protocol.broker_messages import BrokerItem, BrokerMessage, GroupMessage
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.raft_messages import GroupMembers, Heartbeat, SnapshotChunk
from grevy.transport import ClusterLinks, ClusterOptions, PortSecurity

LOOPBACK = "tcp://127.0.0.1:0"
TICK_S = 0.002


class StoppedClock:
    """Wall time that a test sets."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ns(self) -> int:
        return self.ms * 1_000_000


class Broker:
    """One broker's links, and what they told it."""

    def __init__(
        self,
        node_id: int,
        *,
        endpoint: str = LOOPBACK,
        cluster_id: str = "grevy",
        options: ClusterOptions | None = None,
        security: PortSecurity | None = None,
    ) -> None:
        self.node_id = node_id
        self.clock = StoppedClock()
        self.heard: list[tuple[int, tuple[BrokerItem, ...]]] = []
        self.foreign: list[tuple[str, Gossip]] = []
        self.sent_at_ms: list[int] = []
        self.late_ms: list[int] = []
        self.drains: list[int] = []
        self.answer: Callable[[], BrokerItem | None] = lambda: None
        self.links = ClusterLinks(
            asyncio.get_running_loop(),
            endpoint,
            self,
            node_id=node_id,
            cluster_id=cluster_id,
            clock=self.clock,
            options=options,
            security=security,
        )
        self.links.start()

    def on_items(
        self, sender: int, items: tuple[BrokerItem, ...], sent_at_ms: int, late_ms: int
    ) -> None:
        self.heard.append((sender, items))
        self.sent_at_ms.append(sent_at_ms)
        self.late_ms.append(late_ms)
        answer = self.answer()
        if answer is not None:
            self.links.send(sender, answer)

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        self.foreign.append((cluster_id, gossip))

    def on_drained(self) -> None:
        self.drains.append(len(self.heard))

    @property
    def endpoint(self) -> str:
        return self.links.endpoint

    def heartbeat(self, number: int, partition_id: int = 1) -> GroupMessage:
        """A heartbeat of this broker."""
        return GroupMessage(partition_id, Heartbeat(self.node_id, 1, 0, number))

    def chunk(self, number: int, size: int = 1024 * 1024) -> GroupMessage:
        """A piece of a snapshot from this broker."""
        members = GroupMembers((1, 2))
        word = SnapshotChunk(self.node_id, 1, 9, 1, members, 0, 1 << 40, bytes(size), number)
        return GroupMessage(1, word)

    def message(self, *items: BrokerItem) -> BrokerMessage:
        """A message of this broker, as bare sockets send it."""
        return BrokerMessage("grevy", self.node_id, self.clock.ms, items)

    def rounds(self) -> list[int]:
        """The numbers of all heartbeats that were heard."""
        return [
            item.message.round
            for _, items in self.heard
            for item in items
            if isinstance(item, GroupMessage) and isinstance(item.message, Heartbeat)
        ]


@contextmanager
def brokers(*them: Broker) -> Iterator[None]:
    """Closes them at the end."""
    try:
        yield
    finally:
        for broker in them:
            broker.links.close()


async def until(condition: Callable[[], object]) -> None:
    """Turns the loop until something is so; the test's own patience ends it."""
    loop = asyncio.get_running_loop()
    while not condition():
        tick = asyncio.Event()
        loop.call_later(TICK_S, tick.set)
        await tick.wait()


def endpoint_of(socket: zmq.Socket[bytes]) -> str:
    """Where a bare socket listens."""
    return str(socket.get_string(zmq.LAST_ENDPOINT))


async def until_up(sender: Broker, *receivers: Broker) -> None:
    """Until a broker has links to others."""
    for receiver in receivers:
        sender.links.connect(receiver.node_id, receiver.endpoint)
    await until(lambda: all(sender.links.is_up(receiver.node_id) for receiver in receivers))


@contextmanager
def bare_dealer(endpoint: str, routing_id: bytes = b"") -> Iterator[zmq.Socket[bytes]]:
    """A DEALER without any cleverness."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.LINGER = 0
        if routing_id:
            dealer.ROUTING_ID = routing_id
        dealer.connect(endpoint)
        yield dealer


@contextmanager
def bare_router(
    endpoint: str = "tcp://127.0.0.1:*", receive: int = 1
) -> Iterator[zmq.Socket[bytes]]:
    """A ROUTER that reads when it is told to, and holds a few messages for that."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.LINGER = 0
        router.RCVHWM = receive
        router.RCVBUF = 16 * 1024
        router.bind(endpoint)
        yield router
