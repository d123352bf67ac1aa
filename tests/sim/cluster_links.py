"""The links between brokers in the simulated world: real messages, in a network that hurts.

The stand-in of `grevy.transport.ClusterLinks`: what one turn says to a broker goes out together, as
bytes; a snapshot's chunks go alone. A broker's address is its name.
"""

from __future__ import annotations

from typing import Final

from tests.sim.cluster_loop import SimLoop
from tests.sim.network import SimNetwork
from tests.sim.next_version import widened_message

from grevy.ports import Clock
from grevy.protocol.broker_codec import decode_broker_message, encode_broker_message
from grevy.protocol.broker_messages import BrokerItem, BrokerMessage, GroupMessage
from grevy.protocol.raft_messages import SnapshotChunk
from grevy.transport import ClusterHandler, ClusterStatistics

CLUSTER_ID: Final = "simulated"
PORT: Final = 26602


def host_of(node_id: int) -> str:
    """A broker's name."""
    return f"broker-{node_id}"


def encode_newer(message: BrokerMessage) -> bytes:
    """A message as a broker of the next version sends it."""
    return widened_message(encode_broker_message(message))


def node_of(endpoint: str) -> int:
    """Whose address that is."""
    return int(endpoint.removeprefix("tcp://").partition(":")[0].removeprefix("broker-"))


class SimLinks:
    """One broker's links."""

    def __init__(
        self,
        loop: SimLoop,
        network: SimNetwork,
        handler: ClusterHandler,
        *,
        node_id: int,
        clock: Clock,
        is_newer: bool = False,
    ) -> None:
        self._encode = encode_newer if is_newer else encode_broker_message
        self._loop = loop
        self._handler = handler
        self._node_id = node_id
        self._clock = clock
        self._network = network
        self._known: set[int] = set()
        self._outboxes: dict[int, list[BrokerItem]] = {}
        self._arrived: list[bytes] = []
        self._is_closed = False

    def start(self) -> None:
        """Begin to read."""
        self._port = self._network.join(self._node_id, self._receive)

    def close(self) -> None:
        """Send what waits, and be gone."""
        self._flush()
        self._is_closed = True
        self._network.leave(self._node_id)

    def connect(self, node_id: int, endpoint: str) -> None:
        """Make a link to a broker."""
        assert node_of(endpoint) == node_id
        self._known.add(node_id)

    def is_up(self, node_id: int) -> bool:
        """Whether the broker's process lives: its end is noticed, a cut is not."""
        return node_id in self._known and self._network.has(node_id)

    def send(self, node_id: int, item: BrokerItem) -> bool:
        """Queue an item; False when the broker is not known."""
        if node_id not in self._known:
            return False
        return self._queue(node_id, item)

    def send_to(self, endpoint: str, item: BrokerItem) -> bool:
        """The same for whoever is there."""
        return self._queue(node_of(endpoint), item)

    def statistics(self) -> ClusterStatistics:
        """Nobody asks."""
        raise AssertionError

    def _queue(self, node_id: int, item: BrokerItem) -> bool:
        if self._is_closed:
            return False
        if not self._outboxes:
            self._loop.call_soon(self._flush)
        self._outboxes.setdefault(node_id, []).append(item)
        return True

    def _flush(self) -> None:
        outboxes, self._outboxes = self._outboxes, {}
        for node_id, items in outboxes.items():
            alone = [item for item in items if _is_chunk(item)]
            together = tuple(item for item in items if not _is_chunk(item))
            for part in (together, *((item,) for item in alone)):
                if part:
                    now_ms = self._clock.now_ms()
                    message = BrokerMessage(CLUSTER_ID, self._node_id, now_ms, part)
                    self._port.send(node_id, self._encode(message))

    def _receive(self, sender: int, frame: bytes) -> None:
        del sender  # the message says it
        if not self._arrived:
            self._loop.call_soon(self._drain)
        self._arrived.append(frame)

    def _drain(self) -> None:
        arrived, self._arrived = self._arrived, []
        if self._is_closed:
            return
        for frame in arrived:
            message = decode_broker_message(frame)
            late_ms = self._clock.now_ms() - message.sent_at_ms
            self._handler.on_items(message.sender, message.items, message.sent_at_ms, late_ms)
        self._handler.on_drained()


def _is_chunk(item: BrokerItem) -> bool:
    return isinstance(item, GroupMessage) and isinstance(item.message, SnapshotChunk)
