"""A ROUTER socket for clients, read from its file descriptor.

    readable ─▶ drain: up to n requests ─▶ on_request … on_request ─▶ on_drained
    send ─▶ peer.outbox ─▶ end of the turn: one ServerMessage a peer ─▶ pipe, or peer.unsent

The descriptor of a ZeroMQ socket is edge-triggered, and sending consumes edges too: `_recheck`
looks for what they hid.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from typing import Final

import zmq

from grevy.protocol.codec import decode_client_message, encode_server_message
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.messages import (
    ClientMessage,
    ErrorCode,
    ErrorReply,
    JobPush,
    RecordPush,
    Request,
    ServerItem,
    ServerMessage,
    StatusReply,
)
from grevy.transport.curve import PortSecurity
from grevy.transport.peer import CLIENT_ID_BYTES, Handler, Peer, ServerOptions, ServerStatistics
from grevy.transport.port import Port, PortOptions
from grevy.transport.sockets import NOBLOCK, is_readable

_log = logging.getLogger(__name__)

_MORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
_UNSENT_RETRY_S = 0.01
_DOMAIN = "grevy.client"


class Server:
    """Takes requests of clients to a handler, and its items to the clients. Made bound; reads after
    `start`.

    `endpoint` is "tcp://host:port"; port 0 takes a free one, which `Server.endpoint` then tells.
    With `security`, only clients whose keys are allowed come in; without, the port has to be on
    loopback, or the options say that it is meant to be open. Raises `OSError` when nothing can
    listen there, `InsecurePort`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        handler: Handler,
        options: ServerOptions | None = None,
        *,
        security: PortSecurity | None = None,
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._options = options or ServerOptions()
        port = PortOptions(
            domain=_DOMAIN,
            limits=self._options.socket_limits(),
            connections_max=self._options.connections_max,
            security=security,
            is_insecure=self._options.is_insecure,
        )
        self._port = Port(loop, endpoint, port, Peer, self._on_gone)
        self._socket = self._port.socket
        self._admission = self._port.admission
        self._peers = self._admission.visitors
        self.endpoint = self._port.endpoint
        self._requests: deque[tuple[Peer, Request]] = deque()
        self._dirty: list[Peer] = []
        self._blocked: dict[Peer, None] = {}
        self._drain_handle: asyncio.Handle | None = None
        self._flush_handle: asyncio.Handle | None = None
        self._sweep_handle: asyncio.Handle | None = None
        self._unsent_handle: asyncio.Handle | None = None
        self._is_closed = False
        self._statistics = ServerStatistics()

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._socket.FD, self._on_readable)
        self._loop.add_reader(self._admission.fd, self._admission.follow)
        self._admission.follow()
        self._drain_handle = self._loop.call_soon(self._on_readable)
        self._sweep()

    def close(self) -> None:
        """Send what waits, as far as the pipes take it, and be gone; the handler hears of no peer
        any more.
        """
        if self._is_closed:
            return
        self.flush()
        self._is_closed = True
        self._loop.remove_reader(self._socket.FD)
        self._loop.remove_reader(self._admission.fd)
        for handle in (
            self._drain_handle,
            self._flush_handle,
            self._sweep_handle,
            self._unsent_handle,
        ):
            if handle is not None:
                handle.cancel()
        self._port.close()

    def statistics(self) -> ServerStatistics:
        """Figures of now; the object is the server's own and goes on counting."""
        self._statistics.peers = len(self._peers)
        self._statistics.connections = len(self._admission)
        self._statistics.cut_off = self._admission.cut_off_count
        if self._port.guard is not None:
            self._statistics.denied = self._port.guard.statistics.denied
        return self._statistics

    def send(self, peer: Peer, item: ServerItem) -> None:
        """Queue an item; all that a peer gets in one turn of the loop goes out together.

        Nothing happens if it is gone.
        """
        if peer.is_gone:
            return
        if not peer.outbox:
            self._dirty.append(peer)
            if self._flush_handle is None:
                self._flush_handle = self._loop.call_soon(self.flush)
        peer.outbox.append(item)

    def flush(self) -> None:
        """Send what is queued now, instead of at the end of the turn."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            self._send_outbox(peer)
        self._recheck()

    def _on_readable(self) -> None:
        if self._drain_handle is not None:
            self._drain_handle.cancel()
            self._drain_handle = None
        try:
            self._drain()
        finally:
            self._recheck()

    def _drain(self) -> None:
        """Take requests until there are none or the turn is over: what was done is flushed and
        answered while the rest, often of one large message, is worked on.
        """
        now_s = self._loop.time()
        requests, on_request = self._requests, self._handler.on_request
        messages = done = 0
        while messages + done < self._options.turn_max:
            if requests:
                peer, request = requests.popleft()
                if not peer.is_gone:
                    done += 1
                    on_request(peer, request)
            elif self._receive(now_s):
                messages += 1
            else:
                break
        if messages + done:
            self._statistics.messages_received += messages
            self._handler.on_drained()

    def _receive(self, now_s: float) -> bool:
        """Read one message; False if there is none."""
        if not is_readable(self._socket):
            return False
        identity = self._socket.recv(NOBLOCK)
        self._take(identity, self._socket.recv(NOBLOCK, copy=False), now_s)
        return True

    def _recheck(self) -> None:
        """Sending and stopping early may have used up the edge that would announce a message."""
        if self._drain_handle is not None or self._is_closed:
            return
        if self._requests or is_readable(self._socket):
            self._drain_handle = self._loop.call_soon(self._on_readable)

    def _take(self, identity: bytes, frame: zmq.Frame, now_s: float) -> None:
        is_multipart = frame.more
        while frame.more:
            frame = self._socket.recv(NOBLOCK, copy=False)
        peer = self._peers.get(identity) or self._admission.admit(identity, frame)
        if peer is None:
            self._statistics.dropped += 1
            return
        peer.heard_at_s = now_s
        data = frame.bytes
        self._statistics.bytes_received += len(data)
        try:
            if is_multipart:
                raise MalformedFrame("expected a message of one frame, but got several")
            message = decode_client_message(data)
            _introduce(peer, message)
        except (MalformedFrame, LimitExceeded) as error:
            self._strike(peer, str(error))
            return
        self._statistics.requests += len(message.requests)
        self._requests.extend([(peer, request) for request in message.requests])

    def _strike(self, peer: Peer, reason: str) -> None:
        self._statistics.malformed += 1
        peer.strikes += 1
        self.send(peer, ErrorReply(0, ErrorCode.MALFORMED, reason))
        if peer.strikes >= self._options.malformed_max:
            self._send_outbox(peer)
            self._admission.cut_off(peer, "malformed messages")

    def _on_gone(self, peer: Peer) -> None:
        peer.outbox.clear()
        peer.unsent.clear()
        self._blocked.pop(peer, None)
        if peer.client_id:
            self._statistics.vanished += 1
            self._handler.on_vanished(peer)

    def _send_outbox(self, peer: Peer) -> None:
        if peer.is_gone:
            return
        items, peer.outbox = peer.outbox, []
        for data in _messages(items, self._options.message_bytes_aim):
            if peer.unsent or not self._try_send(peer, data):
                peer.unsent.append(data)
                peer.unsent_bytes += len(data)
        if peer.unsent and not peer.is_gone:
            self._wait_for(peer)

    def _wait_for(self, peer: Peer) -> None:
        """A peer reads slower than it is written to: keep what there is, and come back soon."""
        self._blocked[peer] = None
        if self._unsent_handle is None:
            self._unsent_handle = self._loop.call_later(_UNSENT_RETRY_S, self._send_unsent)

    def _send_unsent(self) -> None:
        self._unsent_handle = None
        for peer in list(self._blocked):
            while peer.unsent and self._try_send(peer, peer.unsent[0]):
                peer.unsent_bytes -= len(peer.unsent.popleft())
            if not peer.unsent:
                self._blocked.pop(peer, None)
            elif peer.unsent_bytes > self._options.unsent_bytes_max:
                self._admission.cut_off(peer, "it does not read what is sent to it")
        if self._blocked:
            self._unsent_handle = self._loop.call_later(_UNSENT_RETRY_S, self._send_unsent)
        self._recheck()

    def _try_send(self, peer: Peer, data: bytes) -> bool:
        """Whether the pipe took it; to a connection that just ended everything can be sent, and its
        report follows.
        """
        try:
            self._socket.send(peer.identity, _MORE)
            self._socket.send(data, NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return True
        self._statistics.messages_sent += 1
        self._statistics.bytes_sent += len(data)
        return True

    def _sweep(self) -> None:
        """Cut off who hangs: its connection is alive, for libzmq answers for it, but it says
        nothing.
        """
        silence_s_max = self._options.silence_ms_max / 1000
        heard_at_s_min = self._loop.time() - silence_s_max
        for peer in list(self._peers.values()):
            if peer.heard_at_s < heard_at_s_min:
                self._admission.cut_off(peer, "silent")
        self._sweep_handle = self._loop.call_later(silence_s_max / 4, self._sweep)


def _introduce(peer: Peer, message: ClientMessage) -> None:
    """Check who speaks: a connection belongs to one client."""
    if peer.client_id != message.client_id:
        if peer.client_id or len(message.client_id) != CLIENT_ID_BYTES:
            raise MalformedFrame("expected one client id of 16 bytes on a connection")
        peer.client_id = message.client_id


def _messages(items: list[ServerItem], bytes_aim: int) -> Iterator[bytes]:
    """A peer's items as messages; one that cannot be written is left out, not its neighbours."""
    for part in _parts(items, bytes_aim):
        try:
            yield encode_server_message(ServerMessage(part))
        except LimitExceeded as error:
            if len(part) > 1:
                for item in part:
                    yield from _messages([item], bytes_aim)
            else:
                _log.error("cannot send a %s: %s", type(part[0]).__name__, error)


def _parts(items: list[ServerItem], bytes_aim: int) -> Iterator[tuple[ServerItem, ...]]:
    """Cut a peer's items into messages: one, unless pushes make it large."""
    begin = size = 0
    for end, item in enumerate(items):
        size += _bytes_of(item)
        if size > bytes_aim and end > begin:
            yield tuple(items[begin:end])
            begin, size = end, _bytes_of(item)
    yield tuple(items[begin:])


def _bytes_of(item: ServerItem) -> int:
    """About how large an item is in a message."""
    if isinstance(item, JobPush):
        return sum(256 + len(job.variables) + len(job.custom_headers) for job in item.jobs)
    if isinstance(item, RecordPush):
        return sum(map(len, item.entries))
    return 256 + len(item.status) if isinstance(item, StatusReply) else 256
