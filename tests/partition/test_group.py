"""Three replicas of a partition in one loop, with the messages between them in the test's hands."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tests.partition.bare import publish

from grevy.broker.system import OsDisk, OsEntropy, SystemClock
from grevy.partition import Partition, PartitionStorage, StorageOptions
from grevy.partition.checkpoint_folder import checkpoint_directories
from grevy.protocol.messages import (
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    OpenJobSubscription,
    OpenRecordSubscription,
    ServerItem,
    SubscriptionClosed,
)
from grevy.protocol.raft_messages import RaftMessage, SnapshotChunk
from grevy.raft import RaftConfig, Role
from grevy.transport import Peer

NODES: Final = (1, 2, 3)
PATIENCE_S: Final = 60
OPTIONS: Final = StorageOptions(segment_bytes=4096, checkpoint_period_s=0.05)


class Outbox:
    """What a replica says to clients."""

    def __init__(self) -> None:
        self.items: list[ServerItem] = []
        self.came = asyncio.Event()

    def send(self, peer: Peer, item: ServerItem) -> None:
        """An item for a client."""
        self.items.append(item)
        self.came.set()

    def flush(self) -> None:
        """It is there already."""


class Group:
    """The replicas; those in `cut` neither hear nor are heard."""

    def __init__(
        self,
        folder: Path,
        make_disk: Callable[[Path], OsDisk] = OsDisk,
        options: StorageOptions = OPTIONS,
    ) -> None:
        self.folder = folder
        self._make_disk = make_disk
        self._options = options
        self.cut: set[int] = set()
        self.sent: list[RaftMessage] = []
        self.failures: list[BaseException] = []
        self.replicas: dict[int, Partition] = {}
        self.storages: dict[int, PartitionStorage] = {}
        self.outboxes: dict[int, Outbox] = {}
        self._changed = asyncio.Event()
        self._number = 0
        self.peer = Peer(b"\0peer", 1)
        self.peer.client_id = b"c" * 16

    async def start(
        self, node_id: int, *, has_lost_data: bool = False, voters: tuple[int, ...] = NODES
    ) -> None:
        """One of them, from what its folder has."""
        loop = asyncio.get_running_loop()
        folder = self.folder / str(node_id)
        storage = PartitionStorage.open(
            self._make_disk(folder), folder, 1, self._options, has_lost_data=has_lost_data
        )

        def send(receiver: int, message: RaftMessage) -> None:
            self.sent.append(message)
            loop.call_soon(self._deliver, node_id, receiver, message)

        self.storages[node_id] = storage
        self.outboxes[node_id] = Outbox()
        self.replicas[node_id] = replica = Partition(
            *(1, loop, SystemClock(), storage),
            entropy=OsEntropy(),
            on_failed=self.failures.append,
            group=RaftConfig(node_id, voters, priority=max(1, 4 - node_id), priority_max=3),
            send=send,
            on_lead=lambda _partition_id, _is_leading: self._changed.set(),
        )
        await replica.start(self.outboxes[node_id])

    async def stop(self, node_id: int) -> None:
        """One of them."""
        await self.replicas.pop(node_id).stop()

    async def leader(self) -> int:
        """Who leads and takes requests, of those that are not cut off."""
        while True:
            for node_id, replica in self.replicas.items():
                if replica.is_serving and node_id not in self.cut:
                    return node_id
            self._changed.clear()
            await self._changed.wait()

    async def publish(self, node_id: int, count: int) -> None:
        """Messages, one in each entry; all are acknowledged when this returns."""
        outbox = self.outboxes[node_id]
        replica = self.replicas[node_id]
        for _ in range(count):
            self._number += 1
            command = publish(self._number)
            request = CommandRequest(self._number, 1, command.intent, command.key, command.value)
            replica.on_request(self.peer, request)
            replica.on_drained()
            wanted = self._number
            while not any(
                isinstance(item, CommandReply) and item.number == wanted for item in outbox.items
            ):
                outbox.came.clear()
                await outbox.came.wait()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Replicas work by themselves; look again and again."""
        while not is_true():
            assert not self.failures, self.failures
            await asyncio.sleep(0.01)

    async def agree(self) -> None:
        """All have applied the same, and it is the same."""
        await self.until(lambda: len({one.last_position for one in self.replicas.values()}) == 1)
        assert len({storage.state.hash for storage in self.storages.values()}) == 1

    def _deliver(self, sender: int, receiver: int, message: RaftMessage) -> None:
        replica = self.replicas.get(receiver)
        if replica is not None and not {sender, receiver} & self.cut:
            replica.on_message(message)
            replica.on_drained()


async def _started(folder: Path) -> tuple[Group, int]:
    return await led(Group(folder))


async def led(group: Group) -> tuple[Group, int]:
    """All replicas run; and who leads."""
    for node_id in NODES:
        await group.start(node_id)
    group.replicas[1].stand()
    return group, await group.leader()


async def _stopped(group: Group) -> None:
    await group.agree()
    for node_id in list(group.replicas):
        await group.stop(node_id)
    assert not group.failures


def run(act: Callable[[Path], object], folder: Path) -> None:
    """One test, in time."""

    async def timed() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await act(folder)  # type: ignore[misc]  # a coroutine

    asyncio.run(timed())


def test_followers_have_the_same_state(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, leader = await _started(folder)
        assert leader == 1, "the first in rank leads in calm weather"
        await group.publish(leader, 30)
        await _stopped(group)

    run(act, tmp_path)


def test_another_takes_over_and_who_comes_back_follows(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, first = await _started(folder)
        await group.publish(first, 10)
        group.cut = {first}
        second = await group.leader()
        assert second != first
        await group.publish(second, 10)
        await group.until(lambda: not group.replicas[first].is_serving)
        group.cut = set()
        await group.publish(second, 10)
        await _stopped(group)

    run(act, tmp_path)


def test_clients_of_a_leader_that_leads_no_longer_are_sent_on(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, first = await _started(folder)
        replica, outbox = group.replicas[first], group.outboxes[first]
        terms = OpenJobSubscription(7, 1, "work", "w", 1_000, (), 5)
        replica.on_request(group.peer, terms)
        group.cut = {first}
        await group.until(lambda: not replica.is_serving)
        closed = [item for item in outbox.items if isinstance(item, SubscriptionClosed)]
        assert [(item.subscription, item.code) for item in closed] == [(7, ErrorCode.NOT_LEADER)]
        command = publish(1)
        request = CommandRequest(1, 1, command.intent, command.key, command.value)
        replica.on_request(group.peer, request)
        refusal = outbox.items[-1]
        assert isinstance(refusal, ErrorReply)
        assert refusal.code is ErrorCode.NOT_LEADER
        group.cut = set()
        await group.leader()
        await _stopped(group)

    run(act, tmp_path)


def test_requests_in_flight_are_sent_on_when_the_lead_goes(tmp_path: Path) -> None:
    """A client that was told nothing would wait for its time-out, though another one leads."""

    async def act(folder: Path) -> None:
        group, first = await _started(folder)
        replica, outbox = group.replicas[first], group.outboxes[first]
        await group.publish(first, 1)
        group.cut = {first}
        commands = [publish(number) for number in (11, 12)]
        for number, command in enumerate(commands, 11):
            request = CommandRequest(number, 1, command.intent, command.key, command.value)
            replica.on_request(group.peer, request)
            replica.on_drained()
            replica.on_request(group.peer, request)  # it comes again, and is still in flight
        await group.until(lambda: replica.role is Role.FOLLOWER)
        told = [item for item in outbox.items if isinstance(item, ErrorReply)]
        assert sorted(item.number for item in told) == [11, 11, 12, 12], "as often as asked"
        assert {item.code for item in told} == {ErrorCode.NOT_LEADER}
        assert all(item.retry_after_ms > 0 for item in told)

        heir = await group.leader()
        for number, command in enumerate(commands, 11):
            request = CommandRequest(number, 1, command.intent, command.key, command.value)
            group.replicas[heir].on_request(group.peer, request)
            group.replicas[heir].on_drained()
        answers = group.outboxes[heir].items
        await group.until(lambda: len(answers) >= len(commands))
        assert [type(item) for item in answers] == [CommandReply, CommandReply]
        group.cut = set()
        await group.agree()
        await _stopped(group)

    run(act, tmp_path)


def test_a_wiped_replica_comes_back_by_a_snapshot(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, leader = await _started(folder)
        await group.publish(leader, 40)
        await group.stop(3)
        del group.storages[3]
        shutil.rmtree(folder / "3")
        await group.publish(leader, 40)
        journal = group.storages[leader].journal
        await group.until(lambda: journal.first_index > 1)
        group.sent.clear()
        await group.start(3, has_lost_data=True)
        await group.publish(leader, 20)
        await group.agree()
        assert any(isinstance(message, SnapshotChunk) for message in group.sent)
        assert checkpoint_directories(group.storages[3].disk)

        # It votes again, and leads if the others are gone.
        group.cut = {leader}
        heir = await group.leader()
        await group.publish(heir, 5)
        group.cut = set()
        await _stopped(group)
        for node_id in NODES:  # and all of it is on the disks
            await group.start(node_id)
        await group.leader()
        await _stopped(group)

    run(act, tmp_path)


def test_the_lead_is_handed_over(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, first = await _started(folder)
        await group.publish(first, 5)
        assert group.replicas[first].group.hand_over(2)
        await group.until(lambda: group.replicas[2].is_serving)
        assert group.replicas[first].role is Role.FOLLOWER
        await group.publish(2, 5)
        await _stopped(group)

    run(act, tmp_path)


@pytest.mark.parametrize("victim", [1, 2])
def test_exporters_positions_reach_the_others(tmp_path: Path, victim: int) -> None:
    async def act(folder: Path) -> None:
        group, leader = await _started(folder)
        await group.publish(leader, 10)
        position = group.replicas[leader].last_position
        group.storages[leader].exporters.acknowledge("es", position, b"mine")
        await group.until(
            lambda: all(
                storage.exporters.positions() == {"es": position}
                for storage in group.storages.values()
            )
        )
        await group.stop(victim)
        del group.storages[victim]
        await group.publish(await group.leader(), 3)
        await _stopped(group)

    run(act, tmp_path)


def test_an_exporter_that_comes_during_a_hand_over_is_told_of_later(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, first = await _started(folder)
        heir = next(each for each in NODES if each != first)
        leader, log = group.replicas[first], group.storages[first].journal
        assert leader.group.hand_over(heir)
        last_index = log.last_index
        leader.on_request(group.peer, OpenRecordSubscription(7, 1, -1, (), 10, "es"))
        leader.on_drained()
        assert log.last_index == last_index
        await group.until(lambda: group.replicas[heir].is_serving)
        await _stopped(group)

    run(act, tmp_path)
