"""What a connection sends, and when: seen from a bare socket, so that the loop can stand still."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import zmq

from grevy.client.connection import Connection
from grevy.protocol.codec import decode_client_message
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.messages import Request, ServerItem, TopologyRequest

PATIENCE_MS: Final = 10_000
FULL: Final = 32


class Listener:
    """Only waits for the connection."""

    def __init__(self) -> None:
        self.is_up = asyncio.Event()

    def on_up(self, _connection: Connection) -> None:
        self.is_up.set()

    def on_items(self, _connection: Connection, items: Sequence[ServerItem]) -> None:
        raise AssertionError(items)

    def on_unsendable(self, request: Request, error: LimitExceeded) -> None:
        raise AssertionError(request) from error

    def on_down(self, _connection: Connection) -> None:
        raise AssertionError("nobody hangs up")


def numbers_received(router: zmq.Socket[bytes]) -> list[int]:
    """The requests of the next message."""
    assert router.poll(PATIENCE_MS)
    _, frame = router.recv_multipart()
    requests = decode_client_message(frame).requests
    return [request.number for request in requests if isinstance(request, TopologyRequest)]


async def test_a_full_message_does_not_wait_for_the_end_of_the_turn() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        listener = Listener()
        connection = Connection(
            context,
            f"tcp://127.0.0.1:{port}",
            listener,
            client_id=b"c" * 16,
            message_bytes_aim=1024 * 1024,
        )
        await listener.is_up.wait()

        for number in range(FULL + 2):  # the last two make no full message
            connection.send(TopologyRequest(number))

        assert numbers_received(router) == list(range(FULL)), "the loop has not turned yet"
        await asyncio.sleep(0)  # now it has
        assert numbers_received(router) == [FULL, FULL + 1]
        connection.close()
