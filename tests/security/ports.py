"""Both ports of a broker with keys around them, and strangers who try to be heard there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq
from tests.transport.cluster import Broker, until
from zmq.utils.monitor import parse_monitor_message

from grevy.protocol.broker_codec import encode_broker_message
from grevy.protocol.broker_messages import BrokerMessage, GroupMessage
from grevy.protocol.codec import encode_client_message
from grevy.protocol.curve_keys import KeyPair
from grevy.protocol.messages import ClientMessage, Heartbeat, Request
from grevy.protocol.raft_messages import Heartbeat as RaftHeartbeat
from grevy.transport import AllowList, PortSecurity, Server, new_key_pair
from grevy.transport.curve import Guard

ALLOWED = {"cluster": "1", "client": "shop"}
"""The name of who may come in at each port."""


@dataclass
class Guarded:
    """A port with CURVE, and the keys of who may come in. `heard` counts messages; each sender
    has a number.
    """

    name: str
    endpoint: str
    server_key: str
    honest: KeyPair
    allow_file: Path
    guard: Guard
    heard: list[int]
    denied: Callable[[], int]

    def frame(self, number: int) -> bytes:
        """What is well-formed at this port."""
        if self.name == "client":
            return encode_client_message(ClientMessage(bytes(16), (Heartbeat(number),)))
        item = GroupMessage(1, RaftHeartbeat(1, 1, 0, number))
        return encode_broker_message(BrokerMessage("grevy", 1, 1, (item,)))

    def allow(self, *keys: KeyPair) -> None:
        """Only these, from now on."""
        lines = [f"{ALLOWED[self.name]} {pair.public}\n" for pair in keys]
        draft = self.allow_file.with_suffix(".new")
        draft.write_text("# who may come in\n" + "".join(lines))
        draft.replace(self.allow_file)


class Stranger:
    """A DEALER that says what becomes of its handshake."""

    def __init__(
        self,
        endpoint: str,
        keys: KeyPair | None,
        server_key: str,
        context: zmq.Context[zmq.Socket[bytes]],
    ) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.LINGER = 0
        if keys is not None:
            self.socket.curve_publickey = keys.public.encode()
            self.socket.curve_secretkey = keys.secret.encode()
            self.socket.curve_serverkey = server_key.encode()
        self._monitor = self.socket.get_monitor_socket()
        self.events: list[int] = []
        self.socket.connect(endpoint)

    def _look(self) -> None:
        while self._monitor.poll(0):
            self.events.append(parse_monitor_message(self._monitor.recv_multipart())["event"])

    def is_in(self) -> bool:
        """Whether it was let in."""
        self._look()
        return zmq.Event.HANDSHAKE_SUCCEEDED in self.events

    def is_connected(self) -> bool:
        """Whether there is a TCP connection."""
        self._look()
        return zmq.Event.CONNECTED in self.events

    def is_out(self) -> bool:
        """Whether it was turned away or cut off."""
        self._look()
        return zmq.Event.DISCONNECTED in self.events or bool(
            {zmq.Event.HANDSHAKE_FAILED_AUTH, zmq.Event.HANDSHAKE_FAILED_PROTOCOL}
            & set(self.events)
        )

    def close(self) -> None:
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        self.socket.close(linger=0)


@contextmanager
def stranger(guarded: Guarded, keys: KeyPair | None, server_key: str = "") -> Iterator[Stranger]:
    """Somebody who connects to a port."""
    with zmq.Context() as context:
        them = Stranger(guarded.endpoint, keys, server_key or guarded.server_key, context)
        try:
            yield them
        finally:
            them.close()


async def assert_honest_is_heard(guarded: Guarded, number: int = 1) -> None:
    with stranger(guarded, guarded.honest) as honest:
        honest.socket.send(guarded.frame(number))
        await until(lambda: number in guarded.heard)


class Listening:
    """What a server's handler is, as far as strangers notice."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_request(self, _peer: object, request: Request) -> None:
        assert isinstance(request, Heartbeat)
        self.heard.append(request.settled)

    def on_drained(self) -> None:
        pass

    def on_vanished(self, _peer: object) -> None:
        pass


def _client_port(folder: Path) -> tuple[Guarded, Callable[[], None]]:
    listening, own, honest = Listening(), new_key_pair(), new_key_pair()
    path = folder / "clients"
    path.write_text(f"shop {honest.public}\n")
    security = PortSecurity(own, AllowList.load(path))
    loop = asyncio.get_running_loop()
    server = Server(loop, "tcp://127.0.0.1:0", listening, security=security)
    server.start()
    guard, heard, figures = server._port.guard, listening.heard, server.statistics
    assert guard is not None
    port = Guarded(
        "client", server.endpoint, own.public, honest, path, guard, heard, lambda: figures().denied
    )
    return port, server.close


def _cluster_port(folder: Path) -> tuple[Guarded, Callable[[], None]]:
    own, honest = new_key_pair(), new_key_pair()
    path = folder / "brokers"
    path.write_text(f"1 {honest.public}\n")
    broker = Broker(2, security=PortSecurity(own, AllowList.load(path)))
    heard: list[int] = []
    broker.answer = lambda: heard.append(broker.rounds()[-1])
    guard, figures = broker.links._inbox.port.guard, broker.links.statistics
    assert guard is not None
    port = Guarded(
        "cluster", broker.endpoint, own.public, honest, path, guard, heard, lambda: figures().denied
    )
    return port, broker.links.close


@contextmanager
def guarded_ports(folder: Path) -> Iterator[dict[str, Guarded]]:
    made = [_client_port(folder), _cluster_port(folder)]
    try:
        yield {port.name: port for port, _ in made}
    finally:
        for _, close in made:
            close()
