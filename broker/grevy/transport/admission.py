"""Who is connected to a ROUTER: its visitors, from the first message of a connection to its end.

Routing ids are the broker's choice, new for every connection (they begin with a zero byte). A
visitor that names itself is cut off; so nobody can take over the identity of another, and an
identity that vanished never comes back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import zmq

from grevy.transport.connections import Connections
from grevy.transport.curve import Guard, key_of
from grevy.transport.sockets import Socket

_log = logging.getLogger(__name__)

_GONE_REMEMBERED: Final = 4_096
"""Identities whose queued messages may still arrive after their connection's end."""


class Visitor:
    """One connection that has said something, until it vanishes."""

    __slots__ = ("connection", "identity", "is_gone", "key", "key_name", "strikes")

    def __init__(self, identity: bytes, connection: int) -> None:
        self.identity: Final = identity
        """Its ZeroMQ routing id, which the broker chose."""
        self.connection: Final = connection
        """Its TCP connection, as the number of the file descriptor."""
        self.key = self.key_name = ""
        """Its public CURVE key, and whose that is; empty when nothing is encrypted."""
        self.strikes = 0
        """Malformed messages so far."""
        self.is_gone = False


V = TypeVar("V", bound=Visitor)


class Admission(Generic[V]):
    """The visitors of a ROUTER that is not bound yet. `welcome` makes one of an identity and a
    connection; `on_gone` is told of each, once, when it is gone. `guard` knows whom to hear;
    without one, that is everybody.
    """

    def __init__(
        self,
        router: Socket,
        connections_max: int,
        welcome: Callable[[bytes, int], V],
        on_gone: Callable[[V], None],
        guard: Guard | None,
    ) -> None:
        self._connections: Final = Connections(router)
        self._connections_max: Final = connections_max
        self._welcome: Final = welcome
        self._on_gone: Final = on_gone
        self._guard: Final = guard
        self._gone: Final[dict[bytes, None]] = {}
        self._by_connection: Final[dict[int, V]] = {}
        self.visitors: Final[dict[bytes, V]] = {}
        """By their identities."""
        self.cut_off_count = 0

    @property
    def fd(self) -> int:
        """Becomes readable, edge-triggered, when connections have come or gone: then `follow`."""
        return self._connections.fd

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def admit(self, identity: bytes, frame: zmq.Frame) -> V | None:
        """The visitor of an identity's first message, or None for those who are not listened to."""
        if identity in self._gone:
            return None
        self.follow()
        connection = _connection_of(frame)
        if connection not in self._connections:
            return None
        key = "" if self._guard is None else key_of(frame)
        name = "" if self._guard is None else self._guard.allowed.name_of(key)
        if identity[:1] != b"\0" or name is None:
            self.cut_off_count += 1
            self._connections.shut_down(connection)
            return None
        previous = self._by_connection.get(connection)
        if previous is not None:
            self._forget(previous)
        visitor = self._welcome(identity, connection)
        visitor.key, visitor.key_name = key, name
        self.visitors[identity] = self._by_connection[connection] = visitor
        return visitor

    def follow(self) -> None:
        """Take note of connections that have come and gone."""
        for connection, is_open in self._connections.changes():
            if is_open:
                if len(self._connections) > self._connections_max:
                    self.cut_off_count += 1
                    self._connections.shut_down(connection)
                continue
            visitor = self._by_connection.get(connection)
            if visitor is not None:
                self._forget(visitor)

    def cut_off(self, visitor: V, reason: str) -> None:
        """End the connection of a visitor."""
        if visitor.is_gone:
            return
        _log.warning("cut off %r: %s", visitor, reason)
        self.cut_off_count += 1
        self._connections.shut_down(visitor.connection)
        self._forget(visitor)

    def review(self) -> None:
        """Cut off those whose keys are not allowed any more, or somebody else's. Connections that
        have said nothing yet end too, for nobody knows whose they are: who may come in comes again.
        """
        assert self._guard is not None
        for connection in self._connections:
            if connection not in self._by_connection:
                self._connections.shut_down(connection)
        for visitor in list(self.visitors.values()):
            if self._guard.allowed.name_of(visitor.key) != visitor.key_name:
                self.cut_off(visitor, "its key is not allowed any more")

    def close(self) -> None:
        """Follow no longer."""
        self._connections.close()

    def _forget(self, visitor: V) -> None:
        visitor.is_gone = True
        del self.visitors[visitor.identity]
        del self._by_connection[visitor.connection]
        self._gone[visitor.identity] = None
        if len(self._gone) > _GONE_REMEMBERED:
            del self._gone[next(iter(self._gone))]
        self._on_gone(visitor)


def _connection_of(frame: zmq.Frame) -> int:
    """The descriptor that a frame came through; -1 if it came by ZMTP 1 or 2, as from no client."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1
