"""A ZeroMQ socket in a loop: read from its descriptor, which tells of edges only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

import zmq

Socket: TypeAlias = "zmq.Socket[bytes]"
TURN_MAX: Final = 256
"""Messages taken in one turn of the loop."""


class ZmqWire:
    """Takes what comes to `on_message`, and says `on_drained` when there is no more, or the turn is
    over.
    """

    def __init__(
        self,
        socket: Socket,
        on_message: Callable[[list[bytes]], None],
        on_drained: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        self._on_message = on_message
        self._on_drained = on_drained
        self._again: asyncio.Handle | None = None
        self._loop.add_reader(socket.FD, self._drain)
        self._recheck()

    def send(self, parts: list[bytes]) -> None:
        """Sends at once, or waits for room. Whatever came meanwhile is read in the next turn."""
        self._socket.send_multipart(parts)
        self._recheck()

    def close(self) -> None:
        """Closes the socket."""
        self._loop.remove_reader(self._socket.FD)
        if self._again is not None:
            self._again.cancel()
        self._socket.close(linger=0)

    def _drain(self) -> None:
        self._again = None
        count = 0
        try:
            while count < TURN_MAX:
                self._on_message(self._socket.recv_multipart(zmq.NOBLOCK))
                count += 1
        except zmq.Again:
            pass
        if count:
            self._on_drained()
        self._recheck()

    def _recheck(self) -> None:
        if self._again is None and int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self._again = self._loop.call_soon(self._drain)
