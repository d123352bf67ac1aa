"""A broker that plays a script: the real transport, and no engine behind it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias, TypeVar

import pytest

from grevy.client import Client, ClientOptions
from grevy.protocol.intents import Intent
from grevy.protocol.messages import (
    AddCredit,
    CommandReply,
    CommandRequest,
    Heartbeat,
    OpenJobSubscription,
    OpenRecordSubscription,
    PartitionInfo,
    Request,
    ServerItem,
    StatusReply,
    StatusRequest,
    TopologyReply,
    TopologyRequest,
)
from grevy.protocol.record import Answer
from grevy.protocol.values import ProcessInstanceCreationValue, Value
from grevy.transport import Peer, Server

PATIENCE_S = 20

HASTY = ClientOptions(
    request_timeout_s=10, try_timeout_s=0.2, backoff_min_s=0.01, backoff_max_s=0.05
)

_R = TypeVar("_R")


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


Script: TypeAlias = Callable[[CommandRequest], list[ServerItem]]


class ScriptedBroker:
    """Leads all partitions unless told otherwise; answers commands by `scripts`, by intent."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:0", partitions: int = 1) -> None:
        self.scripts: dict[Intent, Script] = {}
        self.received: list[tuple[Peer, Request]] = []
        self.turns: list[int] = []
        self.vanished: list[Peer] = []
        self._changed = asyncio.Event()
        self.server = Server(asyncio.get_running_loop(), endpoint, self)
        self.endpoint = self.server.endpoint
        self.leaders = dict.fromkeys(range(1, partitions + 1), (self.endpoint, 1))
        self.server.start()

    def on_request(self, peer: Peer, request: Request) -> None:
        self.received.append((peer, request))
        for item in self._answers(request):
            self.server.send(peer, item)
        self._changed.set()

    def on_drained(self) -> None:
        self.turns.append(len(self.received))

    def on_vanished(self, peer: Peer) -> None:
        self.vanished.append(peer)
        self._changed.set()

    def _answers(self, request: Request) -> list[ServerItem]:
        if isinstance(request, TopologyRequest):
            infos = (PartitionInfo(p, *leader) for p, leader in self.leaders.items())
            return [TopologyReply(request.number, "test", "1.0", tuple(infos))]
        if isinstance(request, StatusRequest):
            return [StatusReply(request.number, b'{"healthy":true}')]
        if isinstance(request, CommandRequest) and request.intent in self.scripts:
            return self.scripts[request.intent](request)
        return []

    def answer(self, intent: Intent, value: Value | None = None, key: int = 77) -> None:
        """Answer commands of an intent with a value."""
        answer = Answer(int(intent) + 1, key, value)
        self.scripts[intent] = lambda request: [CommandReply(request.number, answer)]

    def all(self, kind: type[_R]) -> list[_R]:
        """What was received of a kind of request."""
        return [request for _, request in self.received if isinstance(request, kind)]

    @property
    def commands(self) -> list[CommandRequest]:
        return self.all(CommandRequest)

    def said(self) -> list[Request]:
        """All that was received, apart from what clients say by themselves."""
        noise = (Heartbeat, TopologyRequest)
        return [request for _, request in self.received if not isinstance(request, noise)]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until a request makes the condition true."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def wait_for(self, kind: type[_R], count: int = 1) -> list[_R]:
        """The requests of a kind, when there are so many."""
        await self.wait_until(lambda: len(self.all(kind)) >= count)
        return self.all(kind)

    def push(self, subscription: int, item: ServerItem) -> None:
        """Send something to whoever opened a subscription."""
        kinds = (OpenJobSubscription, OpenRecordSubscription)
        peers = [
            peer
            for peer, request in self.received
            if isinstance(request, kinds) and request.subscription == subscription
        ]
        self.server.send(peers[-1], item)

    def credit(self, subscription: int) -> int:
        """All the credit that a subscription was given."""
        opened = [r.credit for r in self.all(OpenJobSubscription) if r.subscription == subscription]
        opened += [
            r.credit for r in self.all(OpenRecordSubscription) if r.subscription == subscription
        ]
        return sum(opened) + sum(
            r.credit for r in self.all(AddCredit) if r.subscription == subscription
        )

    def close(self) -> None:
        self.server.close()


Broker: TypeAlias = Callable[..., AbstractAsyncContextManager[ScriptedBroker]]
Pair: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[ScriptedBroker, Client]]]


@asynccontextmanager
async def _broker(
    endpoint: str = "tcp://127.0.0.1:0", partitions: int = 1
) -> AsyncIterator[ScriptedBroker]:
    broker = ScriptedBroker(endpoint, partitions)
    try:
        yield broker
    finally:
        broker.close()


@pytest.fixture
def scripted() -> Broker:
    """`async with scripted() as broker`."""
    return _broker


@pytest.fixture
def connected() -> Pair:
    """`async with connected(options) as (broker, client)`; one broker, as many partitions."""

    @asynccontextmanager
    async def connect(
        options: ClientOptions = HASTY, partitions: int = 1
    ) -> AsyncIterator[tuple[ScriptedBroker, Client]]:
        async with _broker(partitions=partitions) as broker:
            async with await Client.connect(broker.endpoint, options=options) as client:
                yield broker, client

    return connect


@pytest.fixture
def created() -> ProcessInstanceCreationValue:
    """What a broker answers to a creation."""
    return ProcessInstanceCreationValue("order", 8, 3, 2251799813685249)
