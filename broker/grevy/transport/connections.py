"""The TCP connections of a bound socket: which are open, and how to end one.

ROUTER sockets say nothing when a peer goes. The socket's monitor does: it names connections by the
number of their file descriptor, and so does every message (`ZMQ_SRCFD`). libzmq reports a
connection's end before it closes the descriptor, and delivers reports in order; so after reading
all reports, an open descriptor belongs to the newest connection of its number.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Final

import zmq
from zmq.utils.monitor import parse_monitor_message

_EVENTS: Final = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED


class Connections:
    """Follows the monitor of one ROUTER socket; make it before the socket is bound."""

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self._router = router
        self._monitor = router.get_monitor_socket(_EVENTS)
        self._open: set[int] = set()

    @property
    def fd(self) -> int:
        """Becomes readable, edge-triggered, when there are reports: for the loop's `add_reader`."""
        return int(self._monitor.FD)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._open))

    def __contains__(self, connection: int) -> bool:
        return connection in self._open

    def changes(self) -> list[tuple[int, bool]]:
        """What happened since the last call, in order: (connection, whether it came or went)."""
        changes: list[tuple[int, bool]] = []
        while True:
            try:
                report = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return changes
            connection, is_open = report["value"], report["event"] == zmq.Event.ACCEPTED
            if is_open:
                self._open.add(connection)
            else:
                self._open.discard(connection)
            changes.append((connection, is_open))

    def shut_down(self, connection: int) -> None:
        """End a connection; its report follows.

        libzmq has no call for this, so the descriptor is shut down beneath it. Should libzmq have
        closed it in this very moment, the number may name something else: a socket of another port
        is left alone, and another client's brand-new connection only has to connect again.
        """
        port = int(str(self._router.get_string(zmq.LAST_ENDPOINT)).rpartition(":")[2])
        try:
            duplicate = os.dup(connection)
        except OSError:
            return
        try:
            stream = socket.socket(fileno=duplicate)
        except OSError:
            os.close(duplicate)
            return
        with stream, contextlib.suppress(OSError):
            if stream.getsockname()[1] == port:
                stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Follow no longer."""
        self._router.disable_monitor()
        self._monitor.close(linger=0)
