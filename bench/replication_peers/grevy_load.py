"""Appends to three replicas of Grevy's log."""

from __future__ import annotations

import asyncio
from typing import Final

from bench.replication_peers.load import PAYLOAD, NotReady, run_load
from bench.replication_peers.wire import Wire, split_address

ID_BYTES: Final = 8
QUESTION: Final = bytes(ID_BYTES)
ANSWER_TIMEOUT_S: Final = 0.5


class GrevyConnection(Wire):
    """A way to one replica."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._rest = b""
        self._waiters: dict[bytes, asyncio.Future[None]] = {}

    async def find_leader(self) -> None:
        """Returns if this is the leader. Raises `TimeoutError` if it is not, after a while."""
        await asyncio.wait_for(self._say(QUESTION, bytes(len(PAYLOAD))), ANSWER_TIMEOUT_S)

    def append(self, payload: bytes) -> asyncio.Future[None]:
        """Done when the payload is committed."""
        self._count += 1
        return self._say(self._count.to_bytes(ID_BYTES, "little"), payload)

    def data_received(self, data: bytes) -> None:
        """Ids, the last of them perhaps in part."""
        data = self._rest + data
        whole = len(data) - len(data) % ID_BYTES
        self._rest = data[whole:]
        for begin in range(0, whole, ID_BYTES):
            waiter = self._waiters.pop(data[begin : begin + ID_BYTES])
            if not waiter.done():  # its client has given up
                waiter.set_result(None)

    def _say(self, append_id: bytes, payload: bytes) -> asyncio.Future[None]:
        waiter = self._waiters[append_id] = self._loop.create_future()
        self.write(append_id + payload)
        return waiter


async def connect(addresses: tuple[str, ...]) -> GrevyConnection:
    """A connection to the leader."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        _, connection = await loop.create_connection(GrevyConnection, *split_address(address))
        try:
            await connection.find_leader()
        except TimeoutError:
            connection.close()
        else:
            return connection
    raise NotReady("no replica leads")


if __name__ == "__main__":
    run_load(connect)
