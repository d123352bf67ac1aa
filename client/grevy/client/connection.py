"""A DEALER socket to one broker, made anew whenever the connection breaks.

    connecting ──handshake──▶ up ──connection lost──▶ connecting …

Nothing is sent before it is up, and what a broken socket had queued is dropped with it: whoever
asked decides what to send again, instead of libzmq. The socket is read from its file descriptor,
which is edge-triggered; sending consumes edges, so `_recheck` looks for what they hid.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import zmq
from zmq.utils.monitor import parse_monitor_message

from grevy.client.options import ClientKeys
from grevy.protocol.codec import decode_server_message, encode_client_message
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.limits import SERVER_MESSAGE_BYTES_MAX
from grevy.protocol.messages import AddCredit, ClientMessage, Request, ServerItem

_log = logging.getLogger(__name__)

_REQUESTS_PER_MESSAGE_MAX: Final = 32
"""A full message is sent at once, so that the broker begins while the rest is still being said.
Fewer requests cost more: measured, messages of 8 take both sides twice the time a request.
"""
_DRAIN_MESSAGES_MAX: Final = 1_000
_UNSENT_RETRY_S: Final = 0.01
_LINK_TIMEOUT_MS: Final = 3_000
"""When the broker's machine acknowledges nothing for so long, the connection is lost; a broker that
hangs is noticed by its silence (`ClientOptions.try_timeout_s`).
"""
_NEXT_KEY_S: Final = 0.05
"""Before another of the brokers' keys is tried."""

_EVENTS: Final = zmq.Event.HANDSHAKE_SUCCEEDED | zmq.Event.DISCONNECTED


class Listener(Protocol):
    """Whoever a connection belongs to."""

    def on_items(self, connection: Connection, items: Sequence[ServerItem]) -> None:
        """The broker says something."""

    def on_up(self, connection: Connection) -> None:
        """It can be sent on."""

    def on_unsendable(self, request: Request, error: LimitExceeded) -> None:
        """It is beyond a limit, or holds what no message can; the others went out."""

    def on_down(self, connection: Connection) -> None:
        """It is lost, with all that was on its way; it connects again by itself."""


class Connection:
    """One broker. Requests that are sent in one turn of the loop go out at its end, together, or
    earlier when a message is full.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        listener: Listener,
        *,
        client_id: bytes,
        message_bytes_aim: int,
        keys: ClientKeys | None = None,
    ) -> None:
        self.endpoint: Final = endpoint
        self.is_up = False
        self.is_lost = False
        """Whether it was up, and is not."""
        self._context = context
        self._listener = listener
        self._client_id = client_id
        self._message_bytes_aim = message_bytes_aim
        self._keys = keys
        self._tries = 0
        self._loop = asyncio.get_running_loop()
        self._outbox: list[Request] = []
        self._outbox_bytes = 0
        self._credits: dict[int, int] = {}
        self._unsent: deque[bytes] = deque()
        self._handles: dict[str, asyncio.Handle] = {}
        self._is_closed = False
        self._open()

    def send(self, request: Request, size: int = 0) -> None:
        """Queue a request while the connection is up; `size` is about what its documents hold."""
        assert self.is_up, self.endpoint
        if self._outbox and (
            self._outbox_bytes + size > self._message_bytes_aim
            or len(self._outbox) >= _REQUESTS_PER_MESSAGE_MAX
        ):
            self._pack()
            self._send_packed()
        self._outbox.append(request)
        self._outbox_bytes += size
        if "flush" not in self._handles:
            self._handles["flush"] = self._loop.call_soon(self._flush)

    def add_credit(self, subscription: int, credit: int) -> None:
        """Give credit back; what one turn of the loop gives goes out as one request, at its end."""
        assert self.is_up, self.endpoint
        self._credits[subscription] = self._credits.get(subscription, 0) + credit
        if "flush" not in self._handles:
            self._handles["flush"] = self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what is queued, as far as it goes at once, and be gone."""
        if self._is_closed:
            return
        if self.is_up:
            self._flush()
        self._is_closed = True
        self._shut(linger_ms=100)

    def _open(self) -> None:
        dealer: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.MAXMSGSIZE, SERVER_MESSAGE_BYTES_MAX)
        # Not by ZMTP's heartbeats: libzmq aborts when one is due on a connection that is over and
        # was not read for its high-water mark (libzmq issues 4364 and 4767).
        dealer.setsockopt(zmq.TCP_MAXRT, _LINK_TIMEOUT_MS)
        dealer.setsockopt(zmq.TCP_KEEPALIVE, 1)
        dealer.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 1)
        dealer.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 1)
        dealer.setsockopt(zmq.TCP_KEEPALIVE_CNT, _LINK_TIMEOUT_MS // 1000)
        dealer.setsockopt(zmq.CONNECT_TIMEOUT, 3_000)
        dealer.setsockopt(zmq.HANDSHAKE_IVL, 3_000)
        dealer.setsockopt(zmq.RECONNECT_IVL, 20)
        dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        if self._keys is not None:
            _secure(dealer, self._keys, self._tries)
            self._tries += 1
        self._socket = dealer
        self._monitor = dealer.get_monitor_socket(_EVENTS)
        dealer.connect(self.endpoint)
        self._loop.add_reader(self._monitor.FD, self._follow)
        self._loop.add_reader(dealer.FD, self._on_readable)
        self._handles["follow"] = self._loop.call_soon(self._follow)

    def _shut(self, linger_ms: int = 0) -> None:
        self.is_up = False
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
        if self._socket.closed:
            return
        self._loop.remove_reader(self._socket.FD)
        self._loop.remove_reader(self._monitor.FD)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=linger_ms)
        self._outbox.clear()
        self._outbox_bytes = 0
        self._credits.clear()
        self._unsent.clear()

    def _follow(self) -> None:
        """Read the monitor's reports."""
        while not self._is_closed:
            try:
                report = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            if report["event"] == zmq.Event.HANDSHAKE_SUCCEEDED:
                self.is_up, self.is_lost = True, False
                self._tries -= 1  # this key was right, and is tried first when it is lost
                self._listener.on_up(self)
            elif self.is_up:
                _log.info("lost the connection to %s", self.endpoint)
                self.is_lost = True
                self._shut()
                self._open()
                self._listener.on_down(self)
            elif self._keys is not None and len(self._keys.brokers) > 1:
                # The broker has another of the keys, perhaps; libzmq would go on with this one.
                self._shut()
                self._handles["open"] = self._loop.call_later(_NEXT_KEY_S, self._open)
                return

    def _pack(self) -> None:
        """Make a message of what is queued."""
        message = ClientMessage(self._client_id, tuple(self._outbox))
        self._outbox.clear()
        self._outbox_bytes = 0
        try:
            self._unsent.append(encode_client_message(message))
        except LimitExceeded:
            self._pack_singly(message.requests)

    def _pack_singly(self, requests: Sequence[Request]) -> None:
        """One of them cannot be written: the others do not suffer for it."""
        for request in requests:
            try:
                data = encode_client_message(ClientMessage(self._client_id, (request,)))
            except LimitExceeded as error:
                self._listener.on_unsendable(request, error)
            else:
                self._unsent.append(data)

    def _flush(self) -> None:
        self._handles.pop("flush", None)
        for subscription, credit in self._credits.items():
            self._outbox.append(AddCredit(subscription, credit))
        self._credits.clear()
        if self._outbox:
            self._pack()
        self._send_packed()
        if self._unsent:
            self._handles["flush"] = self._loop.call_later(_UNSENT_RETRY_S, self._flush)
        self._recheck()

    def _send_packed(self) -> None:
        """Give libzmq what it takes of the messages that are made."""
        while self._unsent:
            try:
                self._socket.send(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            self._unsent.popleft()

    def _on_readable(self) -> None:
        self._handles.pop("drain", None)
        receive = self._socket.recv
        taken = 0
        try:
            while taken < _DRAIN_MESSAGES_MAX:
                data = receive(zmq.NOBLOCK)
                taken += 1
                self._take(data)
                if self._socket.closed:
                    return
        except zmq.Again:
            pass
        finally:
            self._recheck()

    def _take(self, data: bytes) -> None:
        try:
            message = decode_server_message(data)
        except (MalformedFrame, LimitExceeded) as error:
            _log.error("cannot read a message from %s: %s", self.endpoint, error)
            return
        self._listener.on_items(self, message.items)

    def _recheck(self) -> None:
        if "drain" in self._handles or self._socket.closed:
            return
        if int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self._handles["drain"] = self._loop.call_soon(self._on_readable)


def _secure(dealer: zmq.Socket[bytes], keys: ClientKeys, tries: int) -> None:
    """Make a client of CURVE of a socket; of the brokers' keys, each has its turn."""
    dealer.curve_serverkey = keys.brokers[tries % len(keys.brokers)].encode()
    dealer.curve_publickey = keys.own.public.encode()
    dealer.curve_secretkey = keys.own.secret.encode()
