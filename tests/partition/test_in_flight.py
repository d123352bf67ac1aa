"""Back-pressure: a partition with IN_FLIGHT_MAX entries on their way refuses what comes, and says
when to come back.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from grevy.broker.system import OsDisk, OsEntropy, SystemClock
from grevy.partition import Partition, PartitionStorage, StorageOptions
from grevy.partition.partition import RETRY_AFTER_MS
from grevy.protocol.intents import ProcessInstanceIntent
from grevy.protocol.limits import IN_FLIGHT_MAX
from grevy.protocol.messages import CommandReply, CommandRequest, ErrorCode, ErrorReply, ServerItem
from grevy.protocol.values import ProcessInstanceValue
from grevy.transport import Peer


class Outbox:
    """Keeps what clients are sent."""

    def __init__(self) -> None:
        self.items: list[ServerItem] = []
        self._arrived = asyncio.Event()

    def send(self, _peer: Peer, item: ServerItem) -> None:
        self.items.append(item)
        self._arrived.set()

    def flush(self) -> None:
        """What is sent is there at once."""

    async def wait_count(self, count: int) -> None:
        while len(self.items) < count:
            self._arrived.clear()
            await self._arrived.wait()


def cancel_nothing(number: int) -> CommandRequest:
    """A command that is refused by the engine: the cheapest that makes an entry."""
    return CommandRequest(number, 1, ProcessInstanceIntent.CANCEL, 1, ProcessInstanceValue())


async def fill_and_drain(folder: Path) -> None:
    outbox = Outbox()
    storage = PartitionStorage.open(OsDisk(folder), folder, 1, StorageOptions())
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()
    partition = Partition(
        1, loop, SystemClock(), storage, entropy=OsEntropy(), on_failed=failures.append
    )
    await partition.start(outbox)
    peer = Peer(b"peer", 1)
    peer.client_id = b"c" * 16

    for number in range(1, IN_FLIGHT_MAX + 1):  # in one turn of the loop: nothing is committed
        partition.on_request(peer, cancel_nothing(number))
    assert not outbox.items
    assert partition.statistics()["in_flight"] == IN_FLIGHT_MAX
    partition.on_request(peer, cancel_nothing(IN_FLIGHT_MAX + 1))

    (refusal,) = outbox.items
    assert isinstance(refusal, ErrorReply)
    assert (refusal.number, refusal.code) == (IN_FLIGHT_MAX + 1, ErrorCode.RESOURCE_EXHAUSTED)
    assert refusal.retry_after_ms == RETRY_AFTER_MS > 0
    assert str(IN_FLIGHT_MAX) in refusal.message

    repeated = [IN_FLIGHT_MAX - 2, IN_FLIGHT_MAX]
    for number in repeated:  # these are known: there is nothing to refuse
        partition.on_request(peer, cancel_nothing(number))
    assert outbox.items == [refusal]

    partition.on_drained()
    await outbox.wait_count(1 + IN_FLIGHT_MAX + len(repeated))
    partition.on_request(peer, cancel_nothing(IN_FLIGHT_MAX + 1))
    partition.on_drained()
    await outbox.wait_count(2 + IN_FLIGHT_MAX + len(repeated))

    replies = outbox.items[1:]
    assert all(isinstance(reply, CommandReply) for reply in replies)
    numbers = [reply.number for reply in replies if isinstance(reply, CommandReply)]
    assert sorted(numbers) == sorted([*range(1, IN_FLIGHT_MAX + 2), *repeated]), "as often as asked"
    assert partition.statistics()["in_flight"] == 0
    await partition.stop()
    assert not failures


def test_what_is_beyond_the_limit_is_refused_until_there_is_room(tmp_path: Path) -> None:
    asyncio.run(asyncio.wait_for(fill_and_drain(tmp_path), 60))
