"""What the links between brokers and the room above them share: options, figures, the handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grevy.protocol.broker_messages import BrokerItem
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.limits import BROKER_MESSAGE_BYTES_MAX
from grevy.transport.sockets import SocketLimits


class ClusterHandler(Protocol):
    """The room above, as the links see it. Calls come from the loop's thread, never from inside
    each other.
    """

    def on_items(
        self, sender: int, items: tuple[BrokerItem, ...], sent_at_ms: int, late_ms: int
    ) -> None:
        """What a broker has said in one message. `sent_at_ms` is its own wall clock, which may be
        wrong; `late_ms` is how much longer the message took than the fastest of late from there,
        whatever the clocks are. From this broker's own id comes nothing but gossip.
        """

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        """What a broker of another cluster says of itself: one of the two is where it should not
        be. Nothing else of it is heard.
        """

    def on_drained(self) -> None:
        """The socket is empty, or has had its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """How patient links between brokers are. Spans in milliseconds."""

    link_timeout_ms: int = 1_500
    """When the other machine acknowledges nothing for so long, a connection counts as cut, and what
    it has queued is dropped, by the kernel too.
    """

    handshake_timeout_ms: int = 3_000
    """For connecting and for a greeting, each."""

    connections_max: int = 512
    """Connections of others, two a broker; those beyond are cut when accepted."""

    high_water_mark: int = 64
    """Messages that libzmq holds for each connection and direction."""

    bulk_high_water_mark: int = 4
    """The same for snapshots, whose messages have a chunk each."""

    message_bytes_aim: int = 256 * 1024
    """Items for one broker are put into one message up to about this size."""

    outbox_bytes_max: int = 16 * 1024 * 1024
    """Items for one broker in one turn of the loop; more are dropped."""

    turn_messages_max: int = 256
    turn_bytes_max: int = 1024 * 1024
    """Taken in one turn of the loop, about: some milliseconds, so that others have their turns."""

    malformed_max: int = 3
    """Malformed messages before a connection is cut off."""

    late_ms: int = 1_000
    """Messages that took so much longer than others are counted as late."""

    is_insecure: bool = False
    """Whether anybody may listen and come in from beyond loopback, unencrypted."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if name != "is_insecure" and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")

    def socket_limits(self, high_water_mark: int) -> SocketLimits:
        """Those of a socket."""
        return SocketLimits(
            message_bytes_max=BROKER_MESSAGE_BYTES_MAX,
            high_water_mark=high_water_mark,
            link_timeout_ms=self.link_timeout_ms,
            handshake_timeout_ms=self.handshake_timeout_ms,
        )


@dataclass(slots=True)
class ClusterStatistics:
    """What the links did since they began; `connections` and `links_up` are of now."""

    connections: int = 0
    """Of others to this broker."""
    links_up: int = 0
    """Of this broker to others."""
    messages_received: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    items_sent: int = 0
    dropped: int = 0
    """Items that were not sent: unknown broker, no connection, too slow, too large."""
    malformed: int = 0
    foreign: int = 0
    """Messages of another cluster."""
    late: int = 0
    late_ms_max: int = 0
    unheard: int = 0
    """Messages of connections that were gone, not allowed, or that chose a routing id."""
    cut_off: int = 0
    denied: int = 0
    """Handshakes of those whose keys are not allowed."""
    turned_away: int = 0
    """Handshakes in which others did not let this broker in."""
