"""What the sockets of this room have in common: how they are limited, watched and bound.

The descriptor of a ZeroMQ socket is edge-triggered, and sending consumes edges too: whoever has
sent, or has stopped to read early, has to look whether there is something to read.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import zmq

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

NOBLOCK: Final = int(zmq.NOBLOCK)
_POLLIN: Final = int(zmq.POLLIN)
"""Plain numbers: those of pyzmq make an enumeration of whatever they are combined with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What every socket is limited by. Spans in milliseconds; `high_water_mark` in messages."""

    message_bytes_max: int
    high_water_mark: int
    link_timeout_ms: int
    handshake_timeout_ms: int


def limited(context: Context, kind: int, limits: SocketLimits) -> Socket:
    """A socket with limits, that loses what it has queued when it is closed."""
    made = context.socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.MAXMSGSIZE, limits.message_bytes_max)
    made.setsockopt(zmq.SNDHWM, limits.high_water_mark)
    made.setsockopt(zmq.RCVHWM, limits.high_water_mark)
    made.setsockopt(zmq.HANDSHAKE_IVL, limits.handshake_timeout_ms)
    notice_cuts(made, limits.link_timeout_ms)
    return made


def notice_cuts(socket: Socket, timeout_ms: int) -> None:
    """A connection whose other end acknowledges nothing for so long is over: the kernel sees to it,
    about a second late where nothing is being sent.

    ZMTP has heartbeats for that, but libzmq 4.3.5 aborts the whole process when one is due on a
    connection that is over and was not read because its high-water mark was reached (libzmq issues
    4364 and 4767). A process that was stopped for some seconds finds itself just there.
    """
    socket.setsockopt(zmq.TCP_MAXRT, timeout_ms)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, min(max(1, timeout_ms // 1000), 100))


def router(context: Context, limits: SocketLimits) -> Socket:
    """A ROUTER that says so when a peer is gone or full."""
    made = limited(context, zmq.ROUTER, limits)
    made.setsockopt(zmq.ROUTER_MANDATORY, 1)
    made.setsockopt(zmq.BACKLOG, 1_024)
    return made


def bind(socket: Socket, endpoint: str) -> str:
    """Listen; the endpoint, with its real port. Raises `OSError` when nothing can listen there."""
    allow_ipv6(socket, endpoint)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise OSError(error.errno, zmq.strerror(error.errno or 0), endpoint) from error
    return str(socket.get_string(zmq.LAST_ENDPOINT))


def allow_ipv6(socket: Socket, endpoint: str) -> None:
    """Where the endpoint is a number of IPv6. Names stay names of IPv4: brokers listen at
    127.0.0.1, and `localhost` is to be that.
    """
    if "[" in endpoint:
        socket.setsockopt(zmq.IPV6, 1)


def is_readable(socket: Socket) -> bool:
    """Whether there is a message. To ask costs less than `zmq.Again`."""
    return int(socket.getsockopt(zmq.EVENTS)) & _POLLIN != 0


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint can only be reached from this machine."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Watch:
    """Calls `drain` in the loop when a socket may have something to read.

    `drain` takes what it wants and says whether there may be more, which is announced again.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, socket: Socket, drain: Callable[[], bool]
    ) -> None:
        self._loop: Final = loop
        self._socket: Final = socket
        self._drain: Final = drain
        self._handle: asyncio.Handle | None = None
        self._is_running = False

    def start(self) -> None:
        """Begin."""
        self._is_running = True
        self._loop.add_reader(self._socket.FD, self._on_readable)
        self._again()

    def stop(self) -> None:
        """Watch no longer; to be called before the socket is closed."""
        if not self._is_running:
            return
        self._is_running = False
        self._loop.remove_reader(self._socket.FD)
        if self._handle is not None:
            self._handle.cancel()

    def _again(self) -> None:
        if self._is_running and self._handle is None:
            self._handle = self._loop.call_soon(self._on_readable)

    def _on_readable(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        has_more = True
        try:
            has_more = self._drain()
        finally:
            if has_more:
                self._again()
