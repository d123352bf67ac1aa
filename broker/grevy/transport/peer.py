"""What the transport and the room above it share: peers, the handler of their requests, options and
figures.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from grevy.protocol.limits import MESSAGE_BYTES_MAX
from grevy.protocol.messages import Request, ServerItem
from grevy.transport.admission import Visitor
from grevy.transport.sockets import SocketLimits

CLIENT_ID_BYTES: Final = 16


class Peer(Visitor):
    """One connection of a client, until it vanishes; a client that comes back is another peer.

    Rooms above read `client_id` and `key_name`, and use a peer as a key; the rest belongs to the
    transport.
    """

    __slots__ = ("client_id", "heard_at_s", "outbox", "unsent", "unsent_bytes")

    def __init__(self, identity: bytes, connection: int) -> None:
        super().__init__(identity, connection)
        self.client_id = b""
        """The client's 16 random bytes; empty until its first well-formed message."""
        self.heard_at_s = 0.0
        self.outbox: list[ServerItem] = []
        """What waits for the end of the loop's turn."""
        self.unsent: deque[bytes] = deque()
        """Messages that found the pipe full, oldest first."""
        self.unsent_bytes = 0

    def __repr__(self) -> str:
        return f"Peer(client={self.client_id.hex()}, connection={self.connection})"


class Handler(Protocol):
    """The room above, as the transport sees it.

    Calls come from the loop's thread, never from inside each other.
    """

    def on_request(self, peer: Peer, request: Request) -> None:
        """One request of a message, in the order in which the client wrote them."""

    def on_drained(self) -> None:
        """The socket is empty, or has had its turn: append and flush what the requests gave."""

    def on_vanished(self, peer: Peer) -> None:
        """The connection is gone: once for each peer that requests came from, and none come
        after.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How patient a server is. Spans in milliseconds."""

    link_timeout_ms: int = 3_000
    """When the other machine acknowledges nothing for so long, the link counts as cut; a closed
    connection is noticed at once.
    """

    handshake_timeout_ms: int = 5_000
    """For a stranger's greeting: half handshakes hold no descriptors for longer."""

    silence_ms_max: int = 10_000
    """Clients say something every second; one that is silent for so long has vanished."""

    connections_max: int = 4_096
    """Connections beyond that are cut when accepted; keep it below the limit of open files."""

    turn_max: int = 1_000
    """Messages and requests taken in one turn of the loop: some tenths of a second, so that
    replies, flushes and timers have their turns. Fewer cost more: measured, turns of 50 take a
    fifth more processor time a command.
    """

    malformed_max: int = 3
    """Malformed messages before a peer is cut off."""

    high_water_mark: int = 128
    """Messages that libzmq holds for each connection and direction. Small: what it holds is
    delivered late after a cut.
    """

    message_bytes_aim: int = 1024 * 1024
    """Items for one peer are put into one message up to about this size."""

    unsent_bytes_max: int = 64 * 1024 * 1024
    """What waits for a peer that does not read, beyond libzmq's own queue; one that has more
    waiting is cut off.
    """

    is_insecure: bool = False
    """Whether anybody may listen and come in from beyond loopback, unencrypted."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if name != "is_insecure" and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")

    def socket_limits(self) -> SocketLimits:
        """Those of the server's socket."""
        return SocketLimits(
            message_bytes_max=MESSAGE_BYTES_MAX,
            high_water_mark=self.high_water_mark,
            link_timeout_ms=self.link_timeout_ms,
            handshake_timeout_ms=self.handshake_timeout_ms,
        )


@dataclass(slots=True)
class ServerStatistics:
    """What a server did since it began; `connections` and `peers` are of now."""

    connections: int = 0
    peers: int = 0
    messages_received: int = 0
    requests: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    malformed: int = 0
    dropped: int = 0
    """Messages of connections that were gone, or that chose a routing id for themselves."""
    vanished: int = 0
    cut_off: int = 0
    """Connections that the server ended: malformed, silent, too slow, one too many, or with a key
    that is not allowed any more.
    """
    denied: int = 0
    """Handshakes of those whose keys are not allowed."""
