"""What no client of ours would send: it is refused, counted, and the others do not notice."""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from grevy.protocol.codec import encode_client_message
from grevy.protocol.limits import MESSAGE_BYTES_MAX
from grevy.protocol.messages import (
    ClientMessage,
    ErrorCode,
    Heartbeat,
    TopologyReply,
    TopologyRequest,
)
from grevy.transport import Server, ServerOptions

HELLO = encode_client_message(ClientMessage(b"c" * 16, (Heartbeat(1),)))
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
"""The first 64 bytes of a ZMTP 3.0 peer that means to be a client."""


def answer_topology(request: object) -> list[TopologyReply]:
    if isinstance(request, TopologyRequest):
        return [TopologyReply(request.number, "cluster", "1", ())]
    return []


def connect_raw(server: Server) -> socket.socket:
    address = urlsplit(server.endpoint)
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection((address.hostname, address.port), timeout=10)


async def assert_serves(server: Server, connecting: Any) -> None:
    client = connecting(server, "honest")
    client.send(TopologyRequest(5))
    assert (await client.receive()).items[0].number == 5


@pytest.mark.parametrize(
    "frames",
    [
        (b"",),
        (b"not a message at all",),
        (HELLO[:-8],),
        (HELLO, HELLO),
        (encode_client_message(ClientMessage(b"short", (Heartbeat(1),))),),
    ],
    ids=["empty", "text", "cut short", "two frames", "short client id"],
)
async def test_malformed_messages_are_told_and_counted(
    serving: Any, connecting: Any, frames: tuple[bytes, ...]
) -> None:
    async with serving() as (server, witness):
        client = connecting(server)
        client.send_bytes(*frames)
        (item,) = (await client.receive()).items
        assert (item.number, item.code) == (0, ErrorCode.MALFORMED)
        assert server.statistics().malformed == 1
        assert witness.requests == []
        client.send(Heartbeat(1))
        await witness.wait_until(lambda: len(witness.requests) == 1)


async def test_a_peer_that_goes_on_is_cut_off(serving: Any, connecting: Any) -> None:
    async with serving(ServerOptions(malformed_max=3)) as (server, witness):
        client = connecting(server)
        client.send(Heartbeat(1))
        for _ in range(3):
            client.send_bytes(b"rubbish")
        client.send(Heartbeat(2))
        await witness.wait_until(lambda: bool(witness.vanished))
        first = witness.requests[0][0]
        assert witness.vanished == [first]
        assert [request for peer, request in witness.requests if peer is first] == [Heartbeat(1)]


async def test_a_connection_belongs_to_one_client(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        client = connecting(server, "me")
        client.send(Heartbeat(1))
        client.client_id = b"somebody else..."
        client.send(Heartbeat(9))
        (item,) = (await client.receive()).items
        assert item.code is ErrorCode.MALFORMED
        assert [request for _, request in witness.requests] == [Heartbeat(1)]


async def test_a_peer_that_names_itself_is_cut_off(serving: Any, connecting: Any) -> None:
    async with serving() as (server, witness):
        witness.answer = answer_topology
        client = connecting(server, "thief", routing_id=b"another's")
        client.send(TopologyRequest(1))
        await assert_serves(server, connecting)
        while not server.statistics().dropped:  # what it sent may be on its way still
            await assert_serves(server, connecting)
        assert {request.number for _, request in witness.requests} == {5}


async def test_a_message_that_is_too_large_ends_the_connection(
    serving: Any, connecting: Any
) -> None:
    async with serving() as (server, witness):
        witness.answer = answer_topology
        client = connecting(server)
        client.send(Heartbeat(1))
        await witness.wait_until(lambda: bool(witness.requests))
        client.send_bytes(bytes(MESSAGE_BYTES_MAX + 1))
        await witness.wait_until(lambda: bool(witness.vanished))
        await assert_serves(server, connecting)


async def test_half_handshakes_do_not_keep_others_out(serving: Any, connecting: Any) -> None:
    options = ServerOptions(connections_max=200, handshake_timeout_ms=300)
    async with serving(options) as (server, witness):
        witness.answer = answer_topology
        with ExitStack() as connections:
            for count in range(2_000):
                stranger = connections.enter_context(connect_raw(server))
                stranger.sendall(GREETING[: count % len(GREETING)])
                if count % 100 == 99:
                    connections.pop_all().close()
            await assert_serves(server, connecting)
        assert len(os.listdir("/proc/self/fd")) < 400


async def test_garbage_bytes_harm_nobody(serving: Any, connecting: Any) -> None:
    dice = random.Random(20)
    async with serving() as (server, witness):
        witness.answer = answer_topology
        honest = connecting(server, "first")
        honest.send(Heartbeat(1))
        await witness.wait_until(lambda: bool(witness.requests))
        for count in range(300):
            with connect_raw(server) as stranger:
                stranger.sendall(GREETING * (count % 2) + dice.randbytes(dice.randrange(1, 400)))
        await assert_serves(server, connecting)
        assert witness.vanished == []
        assert {type(request) for _, request in witness.requests} == {Heartbeat, TopologyRequest}


async def test_a_giant_frame_is_not_waited_for(serving: Any, connecting: Any) -> None:
    ready = b"\x04\x26\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
    giant = b"\x02" + (1 << 30).to_bytes(8, "big")
    async with serving() as (server, witness):
        witness.answer = answer_topology
        with connect_raw(server) as stranger:
            stranger.sendall(GREETING + ready + giant)
            while stranger.recv(1_000):
                pass
        await assert_serves(server, connecting)
