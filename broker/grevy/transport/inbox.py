"""What other brokers say: a ROUTER that only listens.

Each broker says what it has to say on connections that it made itself, answers too; so nothing is
ever sent to a routing id, and an identity that comes again is nobody's.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import zmq

from grevy.ports.clock import Clock
from grevy.protocol.broker_codec import decode_broker_message
from grevy.protocol.broker_messages import BrokerMessage
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.member_ids import node_of
from grevy.transport.admission import Visitor
from grevy.transport.cluster_options import ClusterHandler, ClusterOptions, ClusterStatistics
from grevy.transport.curve import PortSecurity
from grevy.transport.port import Port, PortOptions
from grevy.transport.sockets import NOBLOCK, Watch, is_readable

_log = logging.getLogger(__name__)

_DOMAIN: Final = "grevy.cluster"
_GAUGE_TURN_S: Final = 30.0


class LateGauge:
    """How late messages are, by clocks that may differ: compared with the fastest of the last
    half minute or so. A clock that is set is forgotten after a minute.
    """

    __slots__ = ("_current", "_previous", "_turn_at_s")

    def __init__(self) -> None:
        self._previous = self._current = 0
        self._turn_at_s: float | None = None

    def late_ms(self, delay_ms: int, now_s: float) -> int:
        """Of a message that took so long, by both clocks, perhaps less than 0."""
        if self._turn_at_s is None:
            self._previous = self._current = delay_ms
            self._turn_at_s = now_s + _GAUGE_TURN_S
        elif now_s >= self._turn_at_s:
            self._previous, self._current = self._current, delay_ms
            self._turn_at_s = now_s + _GAUGE_TURN_S
        self._current = min(self._current, delay_ms)
        return delay_ms - min(self._previous, self._current)


class Origin(Visitor):
    """One connection of another broker."""

    __slots__ = ("gauge", "is_foreign", "node_id")

    def __init__(self, identity: bytes, connection: int) -> None:
        super().__init__(identity, connection)
        self.node_id = 0
        """Who speaks; 0 until the first message."""
        self.is_foreign = False
        self.gauge: Final = LateGauge()

    def __repr__(self) -> str:
        return f"Origin(node={self.node_id}, connection={self.connection})"


class Inbox:
    """Listens at the cluster's endpoint of this broker; made bound, reads after `start`.

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
        options: ClusterOptions,
        security: PortSecurity | None,
        statistics: ClusterStatistics,
    ) -> None:
        self._loop: Final = loop
        self._handler: Final = handler
        self._node_id: Final = node_id
        self._cluster_id: Final = cluster_id
        self._clock: Final = clock
        self._options: Final = options
        self._statistics: Final = statistics
        port = PortOptions(
            domain=_DOMAIN,
            limits=options.socket_limits(options.high_water_mark),
            connections_max=options.connections_max,
            security=security,
            is_insecure=options.is_insecure,
        )
        self.port: Final[Port[Origin]] = Port(loop, endpoint, port, Origin, lambda _: None)
        self._socket: Final = self.port.socket
        self._admission: Final = self.port.admission
        self._is_secure: Final = security is not None
        self._watch: Final = Watch(loop, self._socket, self._drain)

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._admission.fd, self._admission.follow)
        self._admission.follow()
        self._watch.start()

    def stop(self) -> None:
        """Read no longer; the port is still to be closed."""
        self._watch.stop()
        self._loop.remove_reader(self._admission.fd)

    def _drain(self) -> bool:
        messages = size = 0
        options, socket = self._options, self._socket
        has_more = True
        while has_more and messages < options.turn_messages_max and size < options.turn_bytes_max:
            try:
                identity = socket.recv(NOBLOCK)
            except zmq.Again:
                has_more = False
                break
            frame = socket.recv(NOBLOCK, copy=False)
            messages += 1
            size += len(frame)
            self._take(identity, frame)
            has_more = is_readable(socket)
        if messages:
            self._statistics.messages_received += messages
            self._statistics.bytes_received += size
            self._handler.on_drained()
        return has_more

    def _take(self, identity: bytes, frame: zmq.Frame) -> None:
        is_multipart = frame.more
        while frame.more:
            frame = self._socket.recv(NOBLOCK, copy=False)
        origin = self._admission.visitors.get(identity) or self._admission.admit(identity, frame)
        if origin is None:
            self._statistics.unheard += 1
            return
        try:
            if is_multipart:
                raise MalformedFrame("expected a message of one frame, but got several")
            message = decode_broker_message(frame.bytes)
            self._introduce(origin, message)
        except (MalformedFrame, LimitExceeded) as error:
            self._strike(origin, error)
            return
        if not origin.is_foreign:
            self._hand_over(origin, message)

    def _introduce(self, origin: Origin, message: BrokerMessage) -> None:
        """Check who speaks: a connection belongs to one member, its key is its broker's."""
        if message.cluster_id != self._cluster_id:
            self._refuse(origin, message)
            return
        if origin.node_id != message.sender:
            if origin.node_id:
                raise MalformedFrame("expected one broker on a connection")
            if self._is_secure and origin.key_name != str(node_of(message.sender)):
                raise MalformedFrame(f"{origin.key_name!r} speaks as broker {message.sender}")
            origin.node_id = message.sender

    def _refuse(self, origin: Origin, message: BrokerMessage) -> None:
        self._statistics.foreign += 1
        if not origin.is_foreign:
            origin.is_foreign = True
            _log.warning(
                "broker %d of cluster %r does not belong here, to cluster %r",
                message.sender,
                message.cluster_id,
                self._cluster_id,
            )
        for item in message.items:
            if isinstance(item, Gossip):
                self._handler.on_foreign(message.cluster_id, item)

    def _hand_over(self, origin: Origin, message: BrokerMessage) -> None:
        delay_ms = self._clock.now_ms() - message.sent_at_ms
        late_ms = origin.gauge.late_ms(delay_ms, self._loop.time())
        if late_ms >= self._options.late_ms:
            self._statistics.late += 1
        self._statistics.late_ms_max = max(self._statistics.late_ms_max, late_ms)
        items = message.items
        if message.sender == self._node_id:
            # This very broker, at a contact point that is its own, or another one that has its id.
            # Gossip can tell; nothing else of that may count as said by somebody.
            items = tuple([item for item in items if isinstance(item, Gossip)])
        if items:
            self._handler.on_items(message.sender, items, message.sent_at_ms, late_ms)

    def _strike(self, origin: Origin, error: Exception) -> None:
        _log.warning("cannot read what %r says: %s", origin, error)
        self._statistics.malformed += 1
        origin.strikes += 1
        if origin.strikes >= self._options.malformed_max:
            self._admission.cut_off(origin, "malformed messages")
