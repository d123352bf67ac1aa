"""A ROUTER socket for clients, read from its file descriptor.

    readable ─▶ drain: up to n requests ─▶ on_request … on_request ─▶ on_drained
    send ─▶ peer.outbox ─▶ end of the turn: one ServerMessage a peer ─▶ pipe, or peer.unsent

The descriptor of a ZeroMQ socket is edge-triggered, and sending consumes edges too: `_recheck`
looks for what they hid.

Routing ids are the broker's choice, new for every connection (they begin with a zero byte). A
client that names itself is cut off; so nobody can take over the identity of another, and an
identity that vanished never comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator

import zmq

from grevy.protocol.codec import decode_client_message, encode_server_message
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.limits import MESSAGE_BYTES_MAX
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
from grevy.transport.connections import Connections
from grevy.transport.peer import CLIENT_ID_BYTES, Handler, Peer, ServerOptions, ServerStatistics

_log = logging.getLogger(__name__)

_UNSENT_RETRY_S = 0.01
_GONE_REMEMBERED = 4_096
"""Identities whose queued messages may still arrive after their connection's end."""


class Server:
    """Takes requests of clients to a handler, and its items to the clients. Made bound; reads after
    `start`.

    `endpoint` is "tcp://host:port"; port 0 takes a free one, which `Server.endpoint` then tells.
    Raises `OSError` when nothing can listen there.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        handler: Handler,
        options: ServerOptions | None = None,
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._options = options or ServerOptions()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = _router(self._context, self._options)
        self._connections = Connections(self._socket)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._release()
            raise OSError(error.errno, zmq.strerror(error.errno or 0), endpoint) from error
        self.endpoint = str(self._socket.get_string(zmq.LAST_ENDPOINT))
        self._peers: dict[bytes, Peer] = {}
        self._peers_by_connection: dict[int, Peer] = {}
        self._gone: dict[bytes, None] = {}
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
        self._loop.add_reader(self._connections.fd, self._follow_connections)
        self._follow_connections()
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
        self._loop.remove_reader(self._connections.fd)
        for handle in (
            self._drain_handle,
            self._flush_handle,
            self._sweep_handle,
            self._unsent_handle,
        ):
            if handle is not None:
                handle.cancel()
        self._release()

    def statistics(self) -> ServerStatistics:
        """Figures of now; the object is the server's own and goes on counting."""
        self._statistics.peers = len(self._peers)
        self._statistics.connections = len(self._connections)
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
        try:
            identity = self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._take(identity, self._socket.recv(zmq.NOBLOCK, copy=False), now_s)
        return True

    def _recheck(self) -> None:
        """Sending and stopping early may have used up the edge that would announce a message."""
        if self._drain_handle is not None or self._is_closed:
            return
        if self._requests or int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self._drain_handle = self._loop.call_soon(self._on_readable)

    def _take(self, identity: bytes, frame: zmq.Frame, now_s: float) -> None:
        is_multipart = frame.more
        while frame.more:
            frame = self._socket.recv(zmq.NOBLOCK, copy=False)
        peer = self._peers.get(identity) or self._admit(identity, frame)
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

    def _admit(self, identity: bytes, frame: zmq.Frame) -> Peer | None:
        """The peer of an identity's first message, or None for those that are not listened to."""
        if identity in self._gone:
            return None
        self._follow_connections()
        connection = _connection_of(frame)
        if connection not in self._connections:
            return None
        if identity[:1] != b"\0":
            self._statistics.cut_off += 1
            self._connections.shut_down(connection)
            return None
        previous = self._peers_by_connection.get(connection)
        if previous is not None:
            self._forget(previous)
        peer = Peer(identity, connection)
        self._peers[identity] = self._peers_by_connection[connection] = peer
        return peer

    def _strike(self, peer: Peer, reason: str) -> None:
        self._statistics.malformed += 1
        peer.strikes += 1
        self.send(peer, ErrorReply(0, ErrorCode.MALFORMED, reason))
        if peer.strikes >= self._options.malformed_max:
            self._send_outbox(peer)
            self._cut_off(peer, "malformed messages")

    def _follow_connections(self) -> None:
        for connection, is_open in self._connections.changes():
            if is_open:
                if len(self._connections) > self._options.connections_max:
                    self._statistics.cut_off += 1
                    self._connections.shut_down(connection)
                continue
            peer = self._peers_by_connection.get(connection)
            if peer is not None:
                self._forget(peer)

    def _cut_off(self, peer: Peer, reason: str) -> None:
        if peer.is_gone:
            return
        _log.warning("cut off %r: %s", peer, reason)
        self._statistics.cut_off += 1
        self._connections.shut_down(peer.connection)
        self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        peer.is_gone = True
        peer.outbox.clear()
        peer.unsent.clear()
        self._blocked.pop(peer, None)
        del self._peers[peer.identity]
        del self._peers_by_connection[peer.connection]
        self._gone[peer.identity] = None
        if len(self._gone) > _GONE_REMEMBERED:
            del self._gone[next(iter(self._gone))]
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
                self._cut_off(peer, "it does not read what is sent to it")
        if self._blocked:
            self._unsent_handle = self._loop.call_later(_UNSENT_RETRY_S, self._send_unsent)
        self._recheck()

    def _try_send(self, peer: Peer, data: bytes) -> bool:
        """Whether the pipe took it; to a connection that just ended everything can be sent, and its
        report follows.
        """
        try:
            self._socket.send(peer.identity, zmq.NOBLOCK | zmq.SNDMORE)
            self._socket.send(data, zmq.NOBLOCK)
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
                self._cut_off(peer, "silent")
        self._sweep_handle = self._loop.call_later(silence_s_max / 4, self._sweep)

    def _release(self) -> None:
        self._connections.close()
        self._socket.close(linger=0)
        self._context.term()


def _router(context: zmq.Context[zmq.Socket[bytes]], options: ServerOptions) -> zmq.Socket[bytes]:
    router: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
    router.setsockopt(zmq.SNDHWM, options.high_water_mark)
    router.setsockopt(zmq.RCVHWM, options.high_water_mark)
    router.setsockopt(zmq.HEARTBEAT_IVL, options.heartbeat_interval_ms)
    router.setsockopt(zmq.HEARTBEAT_TIMEOUT, options.heartbeat_timeout_ms)
    router.setsockopt(zmq.HANDSHAKE_IVL, options.handshake_timeout_ms)
    router.setsockopt(zmq.BACKLOG, 1_024)
    return router


def _connection_of(frame: zmq.Frame) -> int:
    """The descriptor that a frame came through; -1 if it came by ZMTP 1 or 2, as from no client."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


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
