"""Appends to three replicas of Grevy's log."""

from __future__ import annotations

import asyncio
from typing import Final

import zmq
from bench.replication_peers.load import NotReady, run_load
from bench.replication_peers.zmq_wire import Socket, ZmqWire

ID_BYTES: Final = 8
ANSWER_TIMEOUT_S: Final = 0.5


class GrevyConnection:
    """A way to one replica. What is appended in one turn of the loop goes out together."""

    def __init__(self, address: str) -> None:
        dealer: Socket = zmq.Context.instance().socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(f"tcp://{address}")
        self._wire = ZmqWire(dealer, self._on_answer, lambda: None)
        self._loop = asyncio.get_running_loop()
        self._is_leader: asyncio.Future[None] = self._loop.create_future()
        self._count = 0
        self._outgoing: list[bytes] = []
        self._waiters: dict[bytes, asyncio.Future[None]] = {}

    async def find_leader(self) -> None:
        """Returns if this is the leader. Raises `TimeoutError` if it is not, after a while."""
        self._wire.send([b""])
        await asyncio.wait_for(self._is_leader, ANSWER_TIMEOUT_S)

    def append(self, payload: bytes) -> asyncio.Future[None]:
        """Done when the payload is committed."""
        self._count += 1
        append_id = self._count.to_bytes(ID_BYTES, "little")
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing += (append_id, payload)
        waiter = self._waiters[append_id] = self._loop.create_future()
        return waiter

    def close(self) -> None:
        """Closes the connection."""
        self._wire.close()

    def _flush(self) -> None:
        self._wire.send([b"".join(self._outgoing)])
        self._outgoing.clear()

    def _on_answer(self, parts: list[bytes]) -> None:
        (answer,) = parts
        if not answer and not self._is_leader.done():
            self._is_leader.set_result(None)
        for begin in range(0, len(answer), ID_BYTES):
            waiter = self._waiters.pop(answer[begin : begin + ID_BYTES])
            if not waiter.done():  # its client has given up
                waiter.set_result(None)


async def connect(addresses: tuple[str, ...]) -> GrevyConnection:
    """A connection to the leader."""
    for address in addresses:
        connection = GrevyConnection(address)
        try:
            await connection.find_leader()
        except TimeoutError:
            connection.close()
        else:
            return connection
    raise NotReady("no replica leads")


if __name__ == "__main__":
    run_load(connect)
