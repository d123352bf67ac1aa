"""Requests in, replies out: order, batching, turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grevy.protocol.intents import ProcessInstanceCreationIntent
from grevy.protocol.messages import (
    CommandReply,
    CommandRequest,
    ErrorReply,
    Heartbeat,
    RecordPush,
    Request,
    ServerItem,
    TopologyReply,
    TopologyRequest,
)
from grevy.protocol.record import Answer
from grevy.protocol.values import ProcessInstanceCreationValue
from grevy.transport import Server, ServerOptions


def create(number: int) -> CommandRequest:
    value = ProcessInstanceCreationValue(bpmn_process_id="order")
    return CommandRequest(number, 1, ProcessInstanceCreationIntent.CREATE, -1, value)


def reply_to(request: Request) -> list[ServerItem]:
    if isinstance(request, CommandRequest):
        return [CommandReply(request.number, Answer(int(request.intent), request.number))]
    return []


async def test_takes_requests_in_order(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        client = connecting(server)
        client.send(create(1), create(2))
        client.send(Heartbeat(3))
        await witness.wait_until(lambda: len(witness.requests) == 3)
        assert [request for _, request in witness.requests] == [create(1), create(2), Heartbeat(3)]
        assert {peer.client_id for peer, _ in witness.requests} == {client.client_id}
        assert len({peer for peer, _ in witness.requests}) == 1


async def test_answers_of_one_turn_go_out_together(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        witness.answer = reply_to
        client = connecting(server)
        client.send(create(1), create(2), create(3))
        message = await client.receive()
        assert [item.number for item in message.items] == [1, 2, 3]
        assert server.statistics().messages_sent == 1


async def test_flush_sends_at_once(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        client = connecting(server)
        client.send(create(1))
        await witness.wait_until(lambda: bool(witness.requests))
        peer = witness.requests[0][0]
        server.send(peer, CommandReply(1, Answer(0, 1)))
        server.flush()
        server.send(peer, CommandReply(2, Answer(0, 2)))
        first, second = await client.receive(), await client.receive()
        assert [item.number for item in first.items + second.items] == [1, 2]


async def test_peers_are_answered_apart(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        witness.answer = reply_to
        one, two = connecting(server, "one"), connecting(server, "two")
        one.send(create(1))
        two.send(create(2))
        assert [item.number for item in (await one.receive()).items] == [1]
        assert [item.number for item in (await two.receive()).items] == [2]


async def test_drained_comes_after_the_requests_of_a_turn(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        client = connecting(server)
        client.send(create(1))
        await witness.wait_until(lambda: len(witness.drains) == 1)
        client.send(create(2), create(3))
        await witness.wait_until(lambda: len(witness.drains) == 2)
        assert witness.drains == [1, 3]


async def test_a_turn_is_bounded_and_nothing_is_left_lying(serving: Any, connecting: Any) -> None:
    async with serving(ServerOptions(turn_max=3)) as (server, witness):
        witness.answer = reply_to
        client = connecting(server)
        for number in range(1, 101):
            client.send(create(number))
        numbers: list[int] = []
        while len(numbers) < 100:
            numbers += [item.number for item in (await client.receive()).items]
        assert numbers == list(range(1, 101))
        turns = [
            after - before
            for before, after in zip([0, *witness.drains], witness.drains, strict=False)
        ]
        assert max(turns) <= 3


async def test_large_pushes_are_cut_into_messages(serving: Any, connecting: Any) -> None:
    async with serving(ServerOptions(message_bytes_aim=10_000)) as (server, witness):
        client = connecting(server)
        client.send(create(1))
        await witness.wait_until(lambda: bool(witness.requests))
        for position in range(4):
            server.send(witness.requests[0][0], RecordPush(1, (bytes(6_000),), position))
        received = [(await client.receive()).items for _ in range(4)]
        assert [items[0].up_to for items in received] == [0, 1, 2, 3]


async def test_a_peer_that_reads_late_misses_nothing(serving: Any, connecting: Any) -> None:
    async with serving(ServerOptions(high_water_mark=2, message_bytes_aim=1)) as (server, witness):
        client = connecting(server)
        client.send(create(1))
        await witness.wait_until(lambda: bool(witness.requests))
        peer = witness.requests[0][0]
        for position in range(200):
            server.send(peer, RecordPush(1, (bytes(100_000),), position))
        server.flush()
        assert peer.unsent, "the pipe should be full by now"
        received = [(await client.receive()).items[0].up_to for _ in range(200)]
        assert received == list(range(200))
        assert not peer.unsent
        assert peer.unsent_bytes == 0


async def test_a_peer_that_does_not_read_is_cut_off(serving: Any, connecting: Any) -> None:
    options = ServerOptions(high_water_mark=2, message_bytes_aim=1, unsent_bytes_max=1_000_000)
    async with serving(options) as (server, witness):
        client = connecting(server)
        client.socket.RCVHWM = 1
        client.send(create(1))
        await witness.wait_until(lambda: bool(witness.requests))
        peer = witness.requests[0][0]
        for position in range(400):
            server.send(peer, RecordPush(1, (bytes(100_000),), position))
        await witness.wait_until(lambda: witness.vanished == [peer])
        server.send(peer, CommandReply(1, Answer(0, 1)))
        assert server.statistics().peers == 0


async def test_an_answer_written_in_a_later_turn_arrives(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        client = connecting(server)
        client.send(TopologyRequest(7))
        await witness.wait_until(lambda: bool(witness.requests))
        await asyncio.sleep(0)
        server.send(witness.requests[0][0], TopologyReply(7, "cluster", "1", ()))
        assert (await client.receive()).items == (TopologyReply(7, "cluster", "1", ()),)


async def test_a_taken_port_is_an_error(serving: Any) -> None:
    async with serving() as (server, witness):
        with pytest.raises(OSError, match="in use"):
            Server(asyncio.get_running_loop(), server.endpoint, witness)


async def test_the_port_is_free_after_close(serving: Any, connecting: Any) -> None:
    async with serving() as (server, _):
        endpoint = server.endpoint
    async with serving(None, endpoint) as (server, witness):
        witness.answer = lambda request: [ErrorReply(1, 0, "again")]  # type: ignore[arg-type]
        client = connecting(server)
        client.send(create(1))
        assert len((await client.receive()).items) == 1


@pytest.mark.parametrize(
    "name", ["connections_max", "link_timeout_ms", "silence_ms_max", "malformed_max"]
)
def test_options_are_checked(name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=name):
        ServerOptions(**options)
