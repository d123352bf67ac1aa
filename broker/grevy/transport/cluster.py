"""The links between brokers: what is said to others goes out, what they say comes in.

    send ─▶ outbox of a link ─▶ end of the turn: one BrokerMessage ─▶ lane ─▶ their inbox
                                                 snapshot chunks ─▶ bulk lane ─▶ their inbox

A link goes one way, from a DEALER to the other broker's ROUTER, and the other broker has its own
for the way back. So a cut in one direction is that, nothing is sent to an identity, and who
reconnects decides alone what happens to its queue: it is dropped (`lane.py`). What one turn of the
loop says to a broker goes out together, heartbeats of all groups too. Snapshots have a connection
of their own, or a heartbeat would wait for the megabytes before it.

Nothing waits here for a broker that is slow or away: items are dropped, and whoever sent them
sends them again, as Raft and gossip do anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from grevy.ports.clock import Clock
from grevy.protocol.broker_codec import encode_broker_message
from grevy.protocol.broker_messages import BrokerItem, BrokerMessage, GroupMessage
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.member_ids import node_of
from grevy.protocol.raft_messages import AppendRequest, SnapshotChunk
from grevy.transport.cluster_options import ClusterHandler, ClusterOptions, ClusterStatistics
from grevy.transport.curve import PortSecurity
from grevy.transport.inbox import Inbox
from grevy.transport.lane import Lane, LaneKeys

_log = logging.getLogger(__name__)

_ITEM_BYTES: Final = 256
"""What an item takes, about, beside its payloads."""


class _Link:
    """The way to one broker; `node_id` is 0 while only its endpoint is known."""

    __slots__ = ("bulk", "bulk_outbox", "endpoint", "main", "node_id", "outbox", "outbox_bytes")

    def __init__(self, endpoint: str, node_id: int) -> None:
        self.endpoint: Final = endpoint
        self.node_id = node_id
        self.main: Lane | None = None
        self.bulk: Lane | None = None
        self.outbox: list[BrokerItem] = []
        self.bulk_outbox: list[BrokerItem] = []
        self.outbox_bytes = 0
        """About, of both."""

    @property
    def lanes(self) -> list[Lane]:
        """Those that are there."""
        return [lane for lane in (self.main, self.bulk) if lane is not None]


class ClusterLinks:
    """This broker's links. Made bound; reads after `start`. Node ids are member ids here: each host
    of a broker has links of its own, with its broker's keys.

    `endpoint` is "tcp://host:port"; port 0 takes a free one, which `ClusterLinks.endpoint` then
    tells. `security` has this broker's key pair, and the keys of all brokers, named by their node
    ids; without it, the port has to be on loopback, or the options say that it is meant to be open.
    Raises `OSError` when nothing can listen there, and `InsecurePort`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        handler: ClusterHandler,
        *,
        node_id: int,
        cluster_id: str,
        clock: Clock,
        options: ClusterOptions | None = None,
        security: PortSecurity | None = None,
    ) -> None:
        assert node_id > 0, node_id
        self._loop: Final = loop
        self._node_id: Final = node_id
        self._cluster_id: Final = cluster_id
        self._clock: Final = clock
        self._options: Final = options or ClusterOptions()
        self._security: Final = security
        self._statistics: Final = ClusterStatistics()
        self._inbox: Final = Inbox(
            loop,
            endpoint,
            handler,
            node_id=node_id,
            cluster_id=cluster_id,
            clock=clock,
            options=self._options,
            security=security,
            statistics=self._statistics,
        )
        self._inbox.port.when_keys_change = self._review
        self.endpoint: Final = self._inbox.port.endpoint
        self._by_node: Final[dict[int, _Link]] = {}
        self._by_endpoint: Final[dict[str, _Link]] = {}
        self._dirty: list[_Link] = []
        self._written: tuple[tuple[BrokerItem, ...], bytes] | None = None
        self._flush_handle: asyncio.Handle | None = None
        self._turned_away = 0
        """Of lanes that have ended."""
        self._is_closed = False

    def start(self) -> None:
        """Begin to read."""
        self._inbox.start()

    def close(self) -> None:
        """Send what waits, as far as the pipes take it, and be gone."""
        if self._is_closed:
            return
        self.flush()
        self._is_closed = True
        self._inbox.stop()
        for link in list(self._by_endpoint.values()):
            self._end(link)
        self._inbox.port.close()

    def connect(self, node_id: int, endpoint: str) -> None:
        """Make a link to a broker; one to another endpoint than before ends that one. A link that
        `send_to` made becomes this broker's.
        """
        assert node_id > 0, node_id
        before = self._by_node.get(node_id)
        if before is not None and before.endpoint != endpoint:
            self._end(before)
        link = self._by_endpoint.get(endpoint) or self._begin(endpoint, node_id)
        if link.node_id != node_id:
            self._by_node.pop(link.node_id, None)
            link.node_id = node_id
            for lane in link.lanes:
                lane.review()
        self._by_node[node_id] = link

    def disconnect(self, node_id: int) -> None:
        """End the link to a broker, if there is one, with what it has queued."""
        link = self._by_node.get(node_id)
        if link is not None:
            self._end(link)

    def disconnect_from(self, endpoint: str) -> None:
        """End the link to an endpoint, if there is one."""
        link = self._by_endpoint.get(endpoint)
        if link is not None:
            self._end(link)

    def send(self, node_id: int, item: BrokerItem) -> bool:
        """Queue an item; all that a broker gets in one turn of the loop goes out together. False
        when it is dropped: no link, no connection, too much queued. True promises nothing.
        """
        link = self._by_node.get(node_id)
        if link is None:
            self._statistics.dropped += 1
            return False
        return self._queue(link, item)

    def send_to(self, endpoint: str, item: BrokerItem) -> bool:
        """The same for a broker whose node id is not known yet; the link is made when it is not
        there, and what comes before its connection is up is dropped.
        """
        return self._queue(self._by_endpoint.get(endpoint) or self._begin(endpoint, 0), item)

    def is_up(self, node_id: int) -> bool:
        """Whether there is a connection to a broker, as far as is known."""
        link = self._by_node.get(node_id)
        return link is not None and link.main is not None and link.main.is_up

    def flush(self) -> None:
        """Send what is queued now, instead of at the end of the turn."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        dirty, self._dirty = self._dirty, []
        for link in dirty:
            self._send_outbox(link)
        self._written = None

    def statistics(self) -> ClusterStatistics:
        """Figures of now; the object is the links' own and goes on counting."""
        port = self._inbox.port
        figures = self._statistics
        figures.connections = len(port.admission)
        figures.cut_off = port.admission.cut_off_count
        figures.links_up = sum(
            link.main is not None and link.main.is_up for link in self._by_endpoint.values()
        )
        lanes = [lane for link in self._by_endpoint.values() for lane in link.lanes]
        figures.turned_away = self._turned_away + sum([lane.turned_away for lane in lanes])
        if port.guard is not None:
            figures.denied = port.guard.statistics.denied
        return figures

    # ── what goes out ─────────────────────────────────────────────────────────────────────────────

    def _queue(self, link: _Link, item: BrokerItem) -> bool:
        size = _bytes_of(item)
        is_bulk = _is_bulk(item)
        lane = self._bulk_lane(link) if is_bulk else link.main
        assert lane is not None
        queued = link.outbox_bytes
        # An entry larger than the limit goes alone.
        is_too_much = queued and queued + size > self._options.outbox_bytes_max
        if is_too_much or not lane.is_ready:
            self._statistics.dropped += 1
            return False
        if not queued:
            self._dirty.append(link)
            if self._flush_handle is None:
                self._flush_handle = self._loop.call_soon(self.flush)
        (link.bulk_outbox if is_bulk else link.outbox).append(item)
        link.outbox_bytes = queued + size
        return True

    def _bulk_lane(self, link: _Link) -> Lane:
        """The lane for snapshots, which is made when the first one is sent."""
        if link.bulk is None:
            link.bulk = self._new_lane(link, self._options.bulk_high_water_mark)
        return link.bulk

    def _send_outbox(self, link: _Link) -> None:
        items, bulk, size = link.outbox, link.bulk_outbox, link.outbox_bytes
        link.outbox_bytes = 0
        if items:
            link.outbox = []
        if bulk:
            link.bulk_outbox = []
        if link.main is None:
            return  # it was ended in this turn
        if size <= self._options.message_bytes_aim and not bulk:
            self._send_message(link.main, tuple(items))
            return
        for part in _parts(items, self._options.message_bytes_aim):
            self._send_message(link.main, part)
        for item in bulk:
            self._send_message(self._bulk_lane(link), (item,))

    def _send_message(self, lane: Lane, items: tuple[BrokerItem, ...]) -> None:
        """Send a message; of items that cannot be written, the neighbours do not suffer."""
        try:
            frame = self._frame(items)
        except LimitExceeded as error:
            if len(items) > 1:
                for item in items:
                    self._send_message(lane, (item,))
                return
            _log.error("cannot send a %s: %s", type(items[0]).__name__, error)
            self._statistics.dropped += 1
            return
        if not lane.send(frame):
            self._statistics.dropped += len(items)
            return
        self._statistics.messages_sent += 1
        self._statistics.items_sent += len(items)
        self._statistics.bytes_sent += len(frame)

    def _frame(self, items: tuple[BrokerItem, ...]) -> bytes:
        """A message as it goes out. What a leader says to its followers is mostly alike: what two
        brokers get one after the other is written once.
        """
        if self._written is not None and self._written[0] == items:
            return self._written[1]
        message = BrokerMessage(self._cluster_id, self._node_id, self._clock.now_ms(), items)
        frame = encode_broker_message(message)
        self._written = (items, frame)
        return frame

    # ── links ─────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, endpoint: str, node_id: int) -> _Link:
        link = self._by_endpoint[endpoint] = _Link(endpoint, node_id)
        link.main = self._new_lane(link, self._options.high_water_mark)
        return link

    def _new_lane(self, link: _Link, high_water_mark: int) -> Lane:
        keys = None
        if self._security is not None:
            keys = LaneKeys(self._security.keys, lambda: self._keys_of(link))
        limits = self._options.socket_limits(high_water_mark)
        return Lane(self._loop, self._inbox.port.context, link.endpoint, limits, keys)

    def _keys_of(self, link: _Link) -> Sequence[str]:
        """The keys that the broker at the end of a link may have."""
        assert self._security is not None
        allowed = self._security.allowed
        return allowed.keys_of(str(node_of(link.node_id))) if link.node_id else allowed.keys()

    def _end(self, link: _Link) -> None:
        for lane in link.lanes:
            lane.close()
            self._turned_away += lane.turned_away
        link.main = link.bulk = None
        del self._by_endpoint[link.endpoint]
        self._by_node.pop(link.node_id, None)

    def _review(self) -> None:
        """The allowed keys have changed."""
        for link in self._by_endpoint.values():
            for lane in link.lanes:
                lane.review()


def _is_bulk(item: BrokerItem) -> bool:
    return type(item) is GroupMessage and type(item.message) is SnapshotChunk


def _bytes_of(item: BrokerItem) -> int:
    """About how large an item is in a message."""
    if isinstance(item, GroupMessage):
        message = item.message
        if isinstance(message, AppendRequest):
            return _ITEM_BYTES + sum([len(entry.payload) for entry in message.entries])
        if isinstance(message, SnapshotChunk):
            return _ITEM_BYTES + len(message.data)
    return _ITEM_BYTES


def _parts(items: list[BrokerItem], bytes_aim: int) -> Iterator[tuple[BrokerItem, ...]]:
    """Cut a broker's items into messages: one, unless entries make it large."""
    begin = size = 0
    for end, item in enumerate(items):
        size += _bytes_of(item)
        if size > bytes_aim and end > begin:
            yield tuple(items[begin:end])
            begin, size = end, _bytes_of(item)
    if begin < len(items):
        yield tuple(items[begin:])
