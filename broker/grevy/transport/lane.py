"""A DEALER to another broker, made anew whenever its connection breaks.

    opening ──handshake──▶ up ──connection lost──▶ pause ──▶ opening …

Messages go one way, and only while it is up; what a broken socket had queued is dropped with it.
So little is delivered late: what was on its way when a cut was not noticed yet.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import zmq
from zmq.utils.monitor import parse_monitor_message

from grevy.protocol.curve_keys import KeyPair
from grevy.transport.sockets import NOBLOCK, Context, Socket, SocketLimits, limited

_log = logging.getLogger(__name__)

_PAUSE_S_MIN: Final = 0.02
_PAUSE_S_MAX: Final = 0.5
"""Before a broken connection is made anew: the pause doubles while connections do not last."""

_LASTING_S: Final = 1.0
_LOG_PAUSE_S: Final = 60.0
"""A broker that does not let this one in is tried on; that is logged once in so long."""
_ROUNDS_OF_KEYS: Final = 2
"""So often a broker has to refuse each of the keys that it may have, before its key is doubted: one
that ends in the middle of a handshake looks the same.
"""
_ZERO_COPY_BYTES: Final = 64 * 1024
"""Larger messages are handed to libzmq as they are; for smaller ones, copying is cheaper."""

_UP: Final = zmq.Event.HANDSHAKE_SUCCEEDED
_DOWN: Final = (
    zmq.Event.DISCONNECTED
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_AUTH
)


@dataclass(frozen=True, slots=True)
class LaneKeys:
    """Who one is, and the keys (Z85) that the other broker may have, asked for at each try."""

    own: KeyPair
    of_server: Callable[[], Sequence[str]]


class Lane:
    """A way to the broker at an endpoint. With `keys`, it is encrypted, and the other broker proves
    who it is; while there is no key that it may have, there is no connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        endpoint: str,
        limits: SocketLimits,
        keys: LaneKeys | None,
    ) -> None:
        self._loop: Final = loop
        self._context: Final = context
        self._endpoint: Final = endpoint
        self._limits: Final = limits
        self._keys: Final = keys
        self._server_key = ""
        self._tries = 0
        self._pause_s = _PAUSE_S_MIN
        self._up_at_s = 0.0
        self._failures = 0
        self._log_at_s = -math.inf
        self.turned_away = 0
        """Handshakes in which the other broker did not let this one in."""
        self._is_full = False
        self._socket: Socket | None = None
        self._monitor: Socket | None = None
        self._handle: asyncio.Handle | None = None
        self.is_up = False
        self._open()

    @property
    def is_ready(self) -> bool:
        """Whether a message would go out now."""
        if not self.is_up or not self._is_full:
            return self.is_up
        assert self._socket is not None
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def send(self, frame: bytes) -> bool:
        """Hand a message over; False when it is dropped, since the lane is down or full."""
        if not self.is_up:
            return False
        assert self._socket is not None
        try:
            self._socket.send(frame, NOBLOCK, copy=len(frame) < _ZERO_COPY_BYTES)
        except zmq.Again:
            self._is_full = True
            return False
        self._is_full = False
        return True

    def review(self) -> None:
        """End the connection if the other broker may not have its key (any more)."""
        if self._keys is not None and self._server_key not in self._keys.of_server():
            self._shut()
            self._open()

    def close(self) -> None:
        """Be gone, with what is queued."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._shut()

    def _open(self) -> None:
        self._handle = None
        key = self._next_key()
        if key is None:
            self._handle = self._loop.call_later(_PAUSE_S_MAX, self._open)
            return
        dealer = limited(self._context, zmq.DEALER, self._limits)
        dealer.setsockopt(zmq.CONNECT_TIMEOUT, self._limits.handshake_timeout_ms)
        dealer.setsockopt(zmq.RECONNECT_IVL, int(_PAUSE_S_MIN * 1000))
        dealer.setsockopt(zmq.RECONNECT_IVL_MAX, int(_PAUSE_S_MAX * 1000))
        if self._keys is not None:
            dealer.curve_serverkey = key.encode()
            dealer.curve_publickey = self._keys.own.public.encode()
            dealer.curve_secretkey = self._keys.own.secret.encode()
        self._server_key = key
        self._socket = dealer
        self._monitor = dealer.get_monitor_socket(_UP | _DOWN)
        self._loop.add_reader(self._monitor.FD, self._follow)
        dealer.connect(self._endpoint)
        self._handle = self._loop.call_soon(self._follow)

    def _next_key(self) -> str | None:
        """The other broker's key, or one of those that may be its: each has its turn."""
        if self._keys is None:
            return ""
        keys = self._keys.of_server()
        self._tries += 1
        return keys[self._tries % len(keys)] if keys else None

    def _follow(self) -> None:
        """Read the monitor's reports."""
        while self._monitor is not None:
            try:
                report = parse_monitor_message(self._monitor.recv_multipart(NOBLOCK))
            except zmq.Again:
                return
            if report["event"] == _UP:
                self.is_up = True
                self._up_at_s = self._loop.time()
                self._failures = 0
                self._log_at_s = -math.inf
                self._tries -= 1  # this key was right, and is tried first when it is lost
                continue
            if not self.is_up:
                self._note_failure(report["event"], report["value"])
            # After some of these libzmq would try no more, and another key needs another socket.
            self._begin_anew()

    def _note_failure(self, event: int, value: int) -> None:
        """There was somebody, but no handshake: say why, if that is known and not said already."""
        self._failures += 1
        if event == zmq.Event.HANDSHAKE_FAILED_AUTH:
            assert self._keys is not None
            self.turned_away += 1
            own = self._keys.own.public
            why = f"does not let this broker in: its broker_keys do not have the public key {own}"
        elif value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            self.turned_away += 1
            own = "no keys" if self._keys is None else "keys"
            why = f"cannot be spoken to, since this broker has {own}: all brokers have some or none"
        elif self._keys and self._failures >= _ROUNDS_OF_KEYS * len(self._keys.of_server()):
            why = "does not answer to the keys that this broker's broker_keys have for it"
        else:
            return
        now_s = self._loop.time()
        if now_s >= self._log_at_s:
            self._log_at_s = now_s + _LOG_PAUSE_S
            _log.error("%s %s", self._endpoint.removeprefix("tcp://"), why)

    def _begin_anew(self) -> None:
        if self.is_up:
            _log.info("lost the connection to %s", self._endpoint)
            if self._loop.time() - self._up_at_s > _LASTING_S:
                self._pause_s = _PAUSE_S_MIN
        self._shut()
        self._handle = self._loop.call_later(self._pause_s, self._open)
        self._pause_s = min(2 * self._pause_s, _PAUSE_S_MAX)

    def _shut(self) -> None:
        self.is_up = self._is_full = False
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._socket is None or self._monitor is None:
            return
        self._loop.remove_reader(self._monitor.FD)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._socket = self._monitor = None
