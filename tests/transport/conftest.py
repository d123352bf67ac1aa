"""A server on a free port with a handler that writes everything down, and bare clients that speak
to it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import pytest
import zmq

from grevy.protocol.codec import decode_server_message, encode_client_message
from grevy.protocol.messages import ClientMessage, Request, ServerItem, ServerMessage
from grevy.transport import Peer, Server, ServerOptions

PATIENCE_S = 20


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    story: Coroutine[object, object, None] = pyfuncitem.obj(**arguments)
    asyncio.run(asyncio.wait_for(story, PATIENCE_S))
    return True


class Witness:
    """A handler that writes down what it is told, and answers as `answer` says."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self.requests: list[tuple[Peer, Request]] = []
        self.drains: list[int] = []
        self.vanished: list[Peer] = []
        self.answer: Callable[[Request], list[ServerItem]] = lambda request: []
        self._changed = asyncio.Event()

    def on_request(self, peer: Peer, request: Request) -> None:
        self.requests.append((peer, request))
        assert self.server is not None
        for item in self.answer(request):
            self.server.send(peer, item)
        self._changed.set()

    def on_drained(self) -> None:
        self.drains.append(len(self.requests))
        self._changed.set()

    def on_vanished(self, peer: Peer) -> None:
        self.vanished.append(peer)
        self._changed.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until something that the handler was told makes the condition true."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class BareClient:
    """A DEALER socket without any cleverness."""

    def __init__(self, endpoint: str, client_id: bytes, routing_id: bytes = b"") -> None:
        self.client_id = client_id
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.LINGER = 0
        self.socket.RCVTIMEO = PATIENCE_S * 1000
        if routing_id:
            self.socket.ROUTING_ID = routing_id
        self.socket.connect(endpoint)

    def send(self, *requests: Request) -> None:
        self.send_bytes(encode_client_message(ClientMessage(self.client_id, requests)))

    def send_bytes(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    async def receive(self) -> ServerMessage:
        data = await asyncio.get_running_loop().run_in_executor(None, self.socket.recv)
        return decode_server_message(data)

    def close(self) -> None:
        self.socket.close(linger=0)
        self.context.term()


Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[Server, Witness]]]
Connecting: TypeAlias = Callable[..., BareClient]


@asynccontextmanager
async def _serve(
    options: ServerOptions | None = None, endpoint: str = "tcp://127.0.0.1:0"
) -> AsyncIterator[tuple[Server, Witness]]:
    witness = Witness()
    server = Server(asyncio.get_running_loop(), endpoint, witness, options)
    witness.server = server
    server.start()
    try:
        yield server, witness
    finally:
        server.close()


@pytest.fixture
def serving() -> Serving:
    """`async with serving(options) as (server, witness)`."""
    return _serve


@pytest.fixture
def connecting(request: pytest.FixtureRequest) -> Connecting:
    """`connecting(server)` gives a client that is closed after the test."""

    def connect(server: Server, name: str = "c", routing_id: bytes = b"") -> BareClient:
        client = BareClient(server.endpoint, name.encode().ljust(16), routing_id)
        request.addfinalizer(client.close)
        return client

    return connect
