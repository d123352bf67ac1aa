"""An exporter that is behind misses nothing, whoever leads: one that came by a snapshot has the log
that the exporter needs, too.
"""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from tests.partition.bare import publish_many
from tests.partition.test_group import Group, led, run
from tests.partition.test_retention import EXPORTER, Life

from grevy.partition.checkpoint_folder import checkpoint_directories
from grevy.partition.checkpoints import checkpoint_to_send, kept_checkpoints
from grevy.partition.snapshots import Snapshots
from grevy.protocol.codec import entry_positions
from grevy.protocol.messages import (
    ErrorCode,
    OpenRecordSubscription,
    RecordPush,
    SubscriptionClosed,
    SubscriptionOpened,
)
from grevy.protocol.raft_messages import SnapshotChunk

SUBSCRIPTION: Final = 7


@pytest.mark.parametrize(
    ("found", "held", "kept"),
    [
        ((), None, ()),
        ((10,), None, (10,)),
        ((10, 20, 30), None, (20, 30)),
        ((10, 20, 30), 20, (20, 30)),  # it is no further behind than the log anyway
        ((10, 20, 30), 19, (10, 20, 30)),
        ((10, 20, 30), 9, (10, 20, 30)),  # the first may be useful later
        ((10, 20, 30, 40), 25, (20, 30, 40)),
        ((10, 20, 30, 40, 50, 60), 15, (10, 30, 40, 50, 60)),
        ((10, 20, 39, 41, 50, 60), 15, (10, 20, 39, 50, 60)),
        ((10, 20, 30, 40, 50), 0, (20, 30, 40, 50)),
    ],
)
def test_checkpoints_that_stay(
    found: tuple[int, ...], held: int | None, kept: tuple[int, ...]
) -> None:
    assert kept_checkpoints(found, held) == set(kept)


def test_what_another_replica_begins_with_leaves_nothing_out(tmp_path: Path) -> None:
    life = Life(tmp_path)
    storage = life.partition.storage
    assert checkpoint_to_send(storage) == 0
    life.period()
    life.period()
    assert checkpoint_to_send(storage) == 0, "nobody needs the log"
    position = storage.state.applied_position
    life.acknowledge(position)
    needed = life.partition.state.applied_index
    for _ in range(6):
        life.period()
        sent = checkpoint_to_send(storage)
        assert storage.journal.first_index - 1 <= sent <= needed
        assert len(checkpoint_directories(life.disk)) <= 5
    life.acknowledge(storage.state.applied_position)
    life.period()
    assert checkpoint_to_send(storage) >= life.indexes[-2]
    assert len(checkpoint_directories(life.disk)) == 2


async def _records(group: Group, node_id: int) -> tuple[int, list[tuple[int, int]]]:
    """What an exporter is given by a leader: after which position, and the positions of entries."""
    replica, outbox = group.replicas[node_id], group.outboxes[node_id]
    outbox.items.clear()
    request = OpenRecordSubscription(SUBSCRIPTION, 1, -1, (), 10_000, EXPORTER)
    replica.on_request(group.peer, request)
    last = replica.last_position

    def positions() -> list[tuple[int, int]]:
        pushes = [item for item in outbox.items if isinstance(item, RecordPush)]
        return [entry_positions(entry) for push in pushes for entry in push.entries]

    await group.until(lambda: bool(positions()) and positions()[-1][1] >= last)
    (opened,) = [item for item in outbox.items if isinstance(item, SubscriptionOpened)]
    return opened.position, positions()


def test_who_came_by_a_snapshot_and_leads_has_what_an_exporter_needs(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, leader = await led(Group(folder))
        await group.publish(leader, 40)
        await _compacted(group, leader, 1)
        exported = group.replicas[leader].last_position
        group.storages[leader].exporters.acknowledge(EXPORTER, exported, b"mine")
        await group.publish(leader, 40)  # the exporter is stuck from here on
        await group.until(lambda: group.replicas[3].last_position > exported)
        await group.stop(3)
        del group.storages[3]
        shutil.rmtree(folder / "3")
        for _ in range(4):
            taken = _newest(group, leader)
            await group.publish(leader, 20)
            await group.until(lambda taken=taken: _newest(group, leader) > taken)  # type: ignore[misc]

        group.sent.clear()
        await group.start(3, has_lost_data=True)
        await group.agree()
        assert any(isinstance(message, SnapshotChunk) for message in group.sent)
        assert group.storages[3].exporters.positions() == {EXPORTER: exported}
        for _ in range(4):  # it holds the log too
            taken = _newest(group, 3)
            await group.publish(leader, 20)
            await group.until(lambda taken=taken: _newest(group, 3) > taken)  # type: ignore[misc]
        assert group.replicas[leader].group.hand_over(3)
        await group.until(lambda: group.replicas[3].is_serving)
        await group.publish(3, 5)
        begin, found = await _records(group, 3)
        assert begin == exported
        for first, last in found:
            assert first <= begin + 1, f"records from {begin + 1} to {first - 1} are missing"
            begin = last
        for node_id in list(group.replicas):
            await group.stop(node_id)
        assert not group.failures

    run(act, tmp_path)


def _newest(group: Group, node_id: int) -> int:
    return max((i for i, _ in checkpoint_directories(group.storages[node_id].disk)), default=0)


async def _compacted(group: Group, node_id: int, index: int) -> None:
    """Until the log begins after an index."""
    number = 0
    while group.storages[node_id].journal.first_index <= index:
        number += 1
        assert number < 1_000
        await group.publish(node_id, 10)


def test_an_exporter_begins_when_the_log_names_it(tmp_path: Path) -> None:
    """Else one that leads next, and never heard of it, might drop what is committed meanwhile."""

    async def act(folder: Path) -> None:
        group, leader = await led(Group(folder))
        await group.publish(leader, 5)
        group.cut.add(leader)
        replica, outbox = group.replicas[leader], group.outboxes[leader]
        outbox.items.clear()
        replica.on_request(
            group.peer, OpenRecordSubscription(SUBSCRIPTION, 1, -1, (), 10_000, EXPORTER)
        )
        replica.on_drained()
        assert outbox.items == []
        assert group.storages[leader].exporters.positions() == {EXPORTER: 0}, "it holds the log"
        await group.until(lambda: not replica.is_serving)
        (closed,) = [item for item in outbox.items if isinstance(item, SubscriptionClosed)]
        assert (closed.subscription, closed.code) == (SUBSCRIPTION, ErrorCode.NOT_LEADER)
        group.cut.clear()
        leader = await group.leader()
        begin, found = await _records(group, leader)
        assert (begin, found[0][0]) == (0, 1)
        assert group.storages[leader].exporters.is_named(EXPORTER)
        for node_id in list(group.replicas):
            await group.stop(node_id)
        assert not group.failures

    run(act, tmp_path)


def test_a_snapshot_under_way_is_another_one_when_an_exporter_comes(tmp_path: Path) -> None:
    life = Life(tmp_path)
    exporters = life.partition.storage.exporters
    exporters.acknowledge("other", 0, b"")
    for _ in range(5):
        life.period()
    exporters.acknowledge("other", life.partition.storage.state.applied_position, b"")
    life.partition.run(*publish_many(150, 5))
    life.partition.checkpoint()
    storage = life.partition.storage
    held = [index for index, _ in checkpoint_directories(life.disk)]

    async def act(_folder: Path) -> None:
        loop = asyncio.get_running_loop()
        snapshots = Snapshots(loop, storage, ThreadPoolExecutor(1))
        first = snapshots.read(0, 0, 100)
        assert first is not None
        again = snapshots.read(first.index, 100, 100)
        assert again is not None
        assert (again.index, again.offset) == (first.index, 100)
        exporters.register(EXPORTER)
        other = snapshots.read(first.index, 200, 100)
        assert other is not None
        assert (other.index, other.offset) == (held[0], 0)
        assert other.index < first.index
        on = snapshots.read(other.index, 100, 100)
        assert on is not None
        assert (on.index, on.offset) == (other.index, 100)
        await snapshots.stop()

    run(act, tmp_path)
