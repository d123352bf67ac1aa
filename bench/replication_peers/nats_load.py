"""Appends to a JetStream stream of three replicas.

Speaks NATS' text protocol itself: the same calls as nats-py's `js.publish`, which takes some 90 µs
of processor time for each and would be what is measured.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable

from bench.replication_peers.load import NotReady, run_load
from bench.replication_peers.wire import Wire, split_address

STREAM = "bench"
SUBJECT = "bench.append"
INBOX = "_INBOX.bench"
ANSWER_TIMEOUT_S = 2.0


class NatsConnection(Wire):
    """Requests, each with an inbox of its own below one subscription."""

    def __init__(self) -> None:
        super().__init__()
        self._waiters: dict[int, asyncio.Future[bytes]] = {}
        self._count = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduces itself."""
        super().connection_made(transport)
        self.write(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        self.write(f"SUB {INBOX}.* 1\r\n".encode())

    def request(self, subject: str, payload: bytes) -> asyncio.Future[bytes]:
        """The answer's payload."""
        self._count = number = self._count + 1
        self.write(
            b"PUB %b %b.%d %d\r\n%b\r\n"
            % (subject.encode(), INBOX.encode(), number, len(payload), payload)
        )
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiters[number] = waiter
        return waiter

    def append(self, payload: bytes) -> Awaitable[None]:
        """Done when the stream has acknowledged the message."""
        return _acknowledged(self.request(SUBJECT, payload))

    def data_received(self, data: bytes) -> None:
        """Lines, and after some of them a payload. No payload here has a line break in it."""
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        number = 0
        for line in lines:
            if number:
                waiter = self._waiters.pop(number)
                if not waiter.done():  # one that nobody waits for any more
                    waiter.set_result(line)
                number = 0
            elif line.startswith(b"MSG "):
                number = int(line.split(b" ")[1].rpartition(b".")[2])
            elif line == b"PING":
                self.write(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise SystemExit(line.decode())
        if number:
            self._rest = lines[-1] + b"\r\n" + self._rest


async def _acknowledged(waiter: asyncio.Future[bytes]) -> None:
    answer = await waiter
    if b'"error"' in answer:
        raise SystemExit(answer.decode())


async def dial(address: str) -> NatsConnection:
    """A connection to one server."""
    host, port = split_address(address)
    _, connection = await asyncio.get_running_loop().create_connection(NatsConnection, host, port)
    return connection


async def connect(addresses: tuple[str, ...]) -> NatsConnection:
    """A connection to the leader of a stream that is made here."""
    connection = await dial(addresses[0])
    wanted = {"name": STREAM, "subjects": [SUBJECT], "num_replicas": 3, "storage": "file"}
    try:
        asked = connection.request(f"$JS.API.STREAM.CREATE.{STREAM}", json.dumps(wanted).encode())
        answer = json.loads(await asyncio.wait_for(asked, ANSWER_TIMEOUT_S))
    finally:
        connection.close()
    leader = answer.get("cluster", {}).get("leader")
    if not leader:
        raise NotReady(str(answer))
    return await dial(addresses[int(leader[1:]) - 1])  # servers are n1, n2, n3


if __name__ == "__main__":
    run_load(connect)
