"""A peer that goes is noticed at once and once, however it goes."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from grevy.protocol.messages import CommandReply, Heartbeat
from grevy.protocol.record import Answer
from grevy.transport import Server, ServerOptions

NEVER_MS = 3_600_000
"""Only the closed connection itself can tell."""

PATIENT = ServerOptions(link_timeout_ms=NEVER_MS, silence_ms_max=NEVER_MS)

HANGING_CLIENT = """
import sys, zmq
from grevy.protocol.codec import encode_client_message
from grevy.protocol.messages import ClientMessage, Heartbeat
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
socket.send(encode_client_message(ClientMessage(b"w" * 16, (Heartbeat(1),))))
sys.stdin.read()
"""


def start_client(server: Server) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HANGING_CLIENT, server.endpoint]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


async def test_a_client_that_closes_has_vanished(serving: Any, connecting: Any) -> None:
    async with serving(PATIENT) as (server, witness):
        one, two = connecting(server, "one"), connecting(server, "two")
        one.send(Heartbeat(1))
        two.send(Heartbeat(1))
        await witness.wait_until(lambda: len(witness.requests) == 2)
        one.close()
        await witness.wait_until(lambda: bool(witness.vanished))
        assert [peer.client_id for peer in witness.vanished] == [one.client_id]
        assert server.statistics().peers == 1


async def test_a_killed_process_has_vanished(serving: Any) -> None:
    async with serving(PATIENT) as (server, witness):
        with start_client(server) as process:
            await witness.wait_until(lambda: bool(witness.requests))
            process.send_signal(signal.SIGKILL)
            await witness.wait_until(lambda: bool(witness.vanished))
        assert [peer.client_id for peer in witness.vanished] == [b"w" * 16]


async def test_a_stopped_process_vanishes_by_its_silence(serving: Any) -> None:
    options = ServerOptions(link_timeout_ms=NEVER_MS, silence_ms_max=200)
    async with serving(options) as (server, witness):
        with start_client(server) as process:
            await witness.wait_until(lambda: bool(witness.requests))
            process.send_signal(signal.SIGSTOP)
            await witness.wait_until(lambda: bool(witness.vanished))
            process.kill()
        assert len(witness.vanished) == 1


async def test_a_silent_peer_is_cut_off(serving: Any, connecting: Any) -> None:
    async with serving(ServerOptions(silence_ms_max=60)) as (server, witness):
        client = connecting(server)
        client.send(Heartbeat(1))
        await witness.wait_until(lambda: bool(witness.vanished))
        assert server.statistics().cut_off == 1


async def test_what_a_vanished_peer_is_sent_goes_nowhere(serving: Any, connecting: Any) -> None:
    async with serving(PATIENT) as (server, witness):
        client = connecting(server)
        client.send(Heartbeat(1))
        await witness.wait_until(lambda: bool(witness.requests))
        peer = witness.requests[0][0]
        client.close()
        server.send(peer, CommandReply(1, Answer(0, 1)))
        server.flush()
        await witness.wait_until(lambda: bool(witness.vanished))
        server.send(peer, CommandReply(2, Answer(0, 1)))
        server.flush()
        assert witness.vanished == [peer]


async def test_a_client_that_comes_back_is_another_peer(serving: Any, connecting: Any) -> None:
    async with serving(PATIENT) as (server, witness):
        first = connecting(server, "same")
        first.send(Heartbeat(1))
        await witness.wait_until(lambda: len(witness.requests) == 1)
        first.close()
        second = connecting(server, "same")
        second.send(Heartbeat(2))
        await witness.wait_until(lambda: len(witness.requests) == 2 and bool(witness.vanished))
        old, new = (peer for peer, _ in witness.requests)
        assert witness.vanished == [old]
        assert new.client_id == old.client_id
        second.send(Heartbeat(3))
        await witness.wait_until(lambda: len(witness.requests) == 3)
        assert witness.requests[2][0] is new


async def test_many_come_and_go(serving: Any, connecting: Any) -> None:
    async with serving(PATIENT) as (server, witness):
        for count in range(1, 41):
            client = connecting(server, f"client {count}")
            client.send(Heartbeat(1))
            await witness.wait_until(lambda count=count: len(witness.requests) == count)
            client.close()
        await witness.wait_until(lambda: len(witness.vanished) == 40)
        assert [p for p, _ in witness.requests] == witness.vanished
        assert server.statistics().connections == 0
