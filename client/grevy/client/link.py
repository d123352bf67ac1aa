"""A client's line to the cluster: commands to leaders, answers to futures, subscriptions kept open.

    submit ─▶ Calls ─▶ the leader's Connection ─▶ answer ─▶ future
                 ▲                │ refused, lost, silent
                 └── sweep: 20 times a second, what is due is sent again, what is overdue fails

One timer serves all calls: a request costs no task and no timer of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from grevy.client.calls import Call, Calls
from grevy.client.connection import Connection
from grevy.client.errors import (
    BadRequest,
    ClientClosed,
    ClientError,
    Refused,
    TooLarge,
    Unavailable,
    UnknownPartition,
)
from grevy.client.openings import Openings
from grevy.client.options import ClientOptions, endpoint_of
from grevy.client.subscriptions import Subscription
from grevy.client.topology import Leaders
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import Intent
from grevy.protocol.messages import (
    ClusterRequest,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    Heartbeat,
    JobPush,
    RecordPush,
    Request,
    ServerItem,
    StatusReply,
    StatusRequest,
    SubscriptionClosed,
    SubscriptionOpened,
    TopologyReply,
    TopologyRequest,
)
from grevy.protocol.record import Answer
from grevy.protocol.values import Value

_log = logging.getLogger(__name__)

_SWEEP_S: Final = 0.05
_REFRESH_PAUSE_S: Final = 0.1
"""Between two questions for the topology, and tries to reach a partition without a leader."""

_contexts: Final[set[zmq.Context[zmq.Socket[bytes]]]] = set()
"""Those of clients that nobody has closed. A collected context waits for its sockets, and where
both are collected together, for ever; so these are kept until the process ends.
"""

_FINAL: Final[dict[ErrorCode, type[ClientError]]] = {
    ErrorCode.MALFORMED: BadRequest,
    ErrorCode.UNSUPPORTED: BadRequest,
    ErrorCode.TOO_LARGE: TooLarge,
    ErrorCode.UNKNOWN_PARTITION: UnknownPartition,
    ErrorCode.REFUSED: Refused,
}
"""Errors that trying again does not mend; all others are tried again."""


class Link:
    """Connections to all brokers that are known, and all that is under way on them."""

    def __init__(self, contact_points: Sequence[str], options: ClientOptions) -> None:
        self.options: Final = options
        self.leaders: Final = Leaders()
        self.calls: Final = Calls(options)
        self.client_id: Final = os.urandom(16)
        self._loop = asyncio.get_running_loop()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        _contexts.add(self._context)
        self._connections: dict[str, Connection] = {}
        self._next_number = 1
        self._room: deque[asyncio.Future[None]] = deque()
        self._statuses: dict[int, asyncio.Future[bytes]] = {}
        self._asked_at: dict[int, Connection] = {}
        self._topologies: list[asyncio.Future[TopologyReply]] = []
        self._refresh_at_s = self._topology_at_s = self._heartbeat_at_s = 0.0
        self._asked = 0
        self._openings = Openings(options, self._route, self._number)
        self._is_closed = False
        for contact_point in contact_points:
            self._connection(endpoint_of(contact_point))
        self._sweep_handle = self._loop.call_later(_SWEEP_S, self._sweep)

    async def ask(
        self,
        partition_id: int,
        intent: Intent,
        value: Value,
        *,
        key: int = -1,
        size: int = 0,
        timeout_s: float | None = None,
    ) -> Answer:
        """Submit a command when there is room for it, and wait for its answer."""
        while len(self.calls) >= self.options.requests_in_flight_max:
            await self._wait_room()
        call = self.submit(partition_id, intent, value, key=key, size=size, timeout_s=timeout_s)
        return await call.future

    def submit(
        self,
        partition_id: int,
        intent: Intent,
        value: Value,
        *,
        key: int = -1,
        size: int = 0,
        timeout_s: float | None = None,
    ) -> Call:
        """Send a command now. `size` is about what its documents hold, in bytes."""
        if self._is_closed:
            raise ClientClosed("the client is closed")
        now_s = self._loop.time()
        request = CommandRequest(self._number(), partition_id, intent, key, value)
        patience_s = self.options.request_timeout_s if timeout_s is None else timeout_s
        call = Call(request, size, self._loop.create_future(), now_s + patience_s)
        self.calls.add(call)
        self._dispatch(call, now_s)
        return call

    def next_partition(self) -> int:
        """A partition for something new: each in its turn. Those whose leader is lost are left out
        as long as there are others.
        """
        leaders = self.leaders
        partition_id = leaders.next_partition()
        for _ in leaders.partitions:
            if not self._is_lost(partition_id):
                break
            partition_id = leaders.next_partition()
        return partition_id

    async def topology(self) -> TopologyReply:
        """Who leads which partition, asked anew."""
        future: asyncio.Future[TopologyReply] = self._loop.create_future()
        self._topologies.append(future)
        self._refresh()
        try:
            return await asyncio.wait_for(future, self.options.request_timeout_s)
        except TimeoutError:
            endpoints = ", ".join(self._connections)
            raise Unavailable(f"no broker answered at {endpoints}") from None

    async def status(self) -> bytes:
        """The figures of the first contact point that can be reached, as JSON text."""
        return await self._inquire(StatusRequest, self.options.request_timeout_s)

    async def ask_cluster(
        self, make_request: Callable[[int], ClusterRequest], timeout_s: float
    ) -> bytes:
        """The answer to a request about the cluster as a whole, as JSON text. Raises `Refused`."""
        return await self._inquire(make_request, timeout_s)

    async def _inquire(self, make_request: Callable[[int], Request], timeout_s: float) -> bytes:
        """Ask the first contact point that can be reached; `make_request` is given a number."""
        await self.topology()
        connection = next((one for one in self._connections.values() if one.is_up), None)
        if connection is None:
            raise Unavailable("the connection is lost")
        number = self._number()
        future = self._statuses[number] = self._loop.create_future()
        self._asked_at[number] = connection
        connection.send(make_request(number))
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise Unavailable("the broker did not answer") from None
        finally:
            del self._statuses[number], self._asked_at[number]

    def subscribe(self, subscription: Subscription) -> None:
        """Open a subscription, and keep it open."""
        if self._is_closed:
            raise ClientClosed("the client is closed")
        self._openings.add(subscription, self._loop.time())

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close a subscription for good."""
        self._openings.remove(subscription)

    def close(self) -> None:
        """Fail what is under way, end subscriptions, close connections."""
        if self._is_closed:
            return
        self._is_closed = True
        self._sweep_handle.cancel()
        error = ClientClosed("the client was closed")
        for connection in self._connections.values():
            connection.close()
        self._openings.fail_all(error)
        self.calls.fail_all(error)
        for topology in self._topologies:
            if not topology.done():
                topology.set_exception(error)
        for status in self._statuses.values():
            if not status.done():
                status.set_exception(error)
        self._give_room(len(self._room))
        self._context.term()
        _contexts.discard(self._context)

    def on_items(self, connection: Connection, items: Sequence[ServerItem]) -> None:
        """See `Listener`."""
        for item in items:
            if isinstance(item, CommandReply):
                self.calls.answer(item.number, item.answer)
            elif isinstance(item, JobPush):
                self._take_jobs(item)
            else:
                self._take_other(connection, item)
        if self._room:
            self._give_room(self.options.requests_in_flight_max - len(self.calls))

    def on_up(self, connection: Connection) -> None:
        """See `Listener`: send what waits for this broker."""
        now_s = self._loop.time()
        connection.send(Heartbeat(self.calls.settled(self._next_number)))
        self._ask_topology(connection, now_s)
        self._resume(connection, now_s)

    def on_down(self, connection: Connection) -> None:
        """See `Listener`: all that this broker had is to be sent again, here or elsewhere."""
        self.calls.lose(connection)
        for number, asked in self._asked_at.items():
            if asked is connection and not self._statuses[number].done():
                self._statuses[number].set_exception(Unavailable("the connection is lost"))
        self.leaders.forget(connection.endpoint)
        self._openings.lose(connection)
        self._refresh()

    def on_unsendable(self, request: Request, error: LimitExceeded) -> None:
        """See `Listener`."""
        if isinstance(request, CommandRequest):
            self.calls.fail(request.number, BadRequest(str(error)))
        else:
            _log.error("cannot send a %s: %s", type(request).__name__, error)

    def _take_jobs(self, push: JobPush) -> None:
        if push.subscription >= 0:
            self._openings.pushed_jobs(push)
            return
        call = self.calls.find(-push.subscription)
        if call is not None:
            call.jobs += push.jobs

    def _take_other(self, connection: Connection, item: ServerItem) -> None:
        if isinstance(item, RecordPush):
            self._openings.pushed_records(item)
        elif isinstance(item, ErrorReply):
            self._refused(connection, item)
        elif isinstance(item, TopologyReply):
            self._learn(item)
        elif isinstance(item, SubscriptionOpened):
            self._openings.opened(item)
        elif isinstance(item, SubscriptionClosed):
            now_s = self._loop.time()
            error = _FINAL[item.code](item.message) if item.code in _FINAL else None
            self._openings.ended(item, error, now_s)
            self._ask_topology(connection, now_s)
        elif isinstance(item, StatusReply):
            future = self._statuses.get(item.number)
            if future is not None and not future.done():
                future.set_result(item.status)

    def _refused(self, connection: Connection, reply: ErrorReply) -> None:
        if reply.number == 0:
            _log.error("%s cannot read what it was sent: %s", connection.endpoint, reply.message)
        elif reply.number in self._statuses:
            future = self._statuses[reply.number]
            if not future.done():
                future.set_exception(_FINAL.get(reply.code, Unavailable)(reply.message))
        elif reply.code in _FINAL:
            self.calls.fail(reply.number, _FINAL[reply.code](reply.message))
        else:
            now_s = self._loop.time()
            self.calls.refuse(reply, now_s)
            if reply.code is not ErrorCode.RESOURCE_EXHAUSTED:
                self._ask_topology(connection, now_s)

    def _learn(self, reply: TopologyReply) -> None:
        changed = self.leaders.learn(reply)
        for future in self._topologies:
            if not future.done():
                future.set_result(reply)
        self._topologies.clear()
        for endpoint in {self.leaders.endpoint(partition_id) for partition_id in changed} - {""}:
            connection = self._connection(endpoint)
            if connection.is_up:
                self._resume(connection, self._loop.time())

    def _resume(self, connection: Connection, now_s: float) -> None:
        """A leader can be reached: send what waits for it, or was sent to another."""
        for call in self.calls.elsewhere(connection):
            if self.leaders.endpoint(call.request.partition_id) == connection.endpoint:
                self._dispatch(call, now_s)
        self._openings.upkeep(now_s)

    def _dispatch(self, call: Call, now_s: float) -> None:
        """Send a call to its leader; without one that can be reached, it waits."""
        connection = self._route(call.request.partition_id)
        if connection is None:
            call.connection = None
            call.retry_at_s = now_s + _REFRESH_PAUSE_S
            self._refresh()
            return
        self.calls.sent(call, connection, now_s)
        connection.send(call.request, call.size)

    def _route(self, partition_id: int) -> Connection | None:
        """The connection to a partition's leader, if there is one that is up."""
        endpoint = self.leaders.endpoint(partition_id)
        if not endpoint:
            return None
        connection = self._connections.get(endpoint) or self._connection(endpoint)
        return connection if connection.is_up else None

    def _is_lost(self, partition_id: int) -> bool:
        """Whether the connection to a partition's leader has ended, so that another may lead."""
        connection = self._connections.get(self.leaders.endpoint(partition_id))
        return connection is not None and connection.is_lost

    def _connection(self, endpoint: str) -> Connection:
        connection = self._connections.get(endpoint)
        if connection is None:
            connection = self._connections[endpoint] = Connection(
                self._context,
                endpoint,
                self,
                client_id=self.client_id,
                message_bytes_aim=self.options.message_bytes_aim,
                keys=self.options.keys,
            )
        return connection

    def _any_up(self) -> Connection | None:
        """Some broker that can be reached, another one each time."""
        up = [connection for connection in self._connections.values() if connection.is_up]
        self._asked += 1
        return up[self._asked % len(up)] if up else None

    def _refresh(self) -> None:
        """Ask whoever can be reached who leads; not too often."""
        connection = self._any_up()
        if connection is not None:
            self._ask_topology(connection, self._loop.time())

    def _ask_topology(self, connection: Connection, now_s: float) -> None:
        if now_s >= self._refresh_at_s and connection.is_up:
            self._refresh_at_s = now_s + _REFRESH_PAUSE_S
            connection.send(TopologyRequest(self._number()))

    def _sweep(self) -> None:
        now_s = self._loop.time()
        due = self.calls.sweep(now_s)
        for call in due:
            self._dispatch(call, now_s)
        is_waiting = self._openings.upkeep(now_s) or bool(due or self._topologies)
        is_waiting = is_waiting or any(map(self._is_lost, self.leaders.partitions))
        if now_s >= self._heartbeat_at_s:
            self._heartbeat_at_s = now_s + self.options.heartbeat_s
            heartbeat = Heartbeat(self.calls.settled(self._next_number))
            for connection in self._connections.values():
                if connection.is_up:
                    connection.send(heartbeat)
        if now_s >= self._topology_at_s or is_waiting:
            self._topology_at_s = now_s + self.options.topology_s
            self._refresh()
        self._give_room(self.options.requests_in_flight_max - len(self.calls))
        self._sweep_handle = self._loop.call_later(_SWEEP_S, self._sweep)

    async def _wait_room(self) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._room.append(future)
        await future

    def _give_room(self, count: int) -> None:
        while self._room and count > 0:
            future = self._room.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1

    def _number(self) -> int:
        number = self._next_number
        self._next_number += 1
        return number
