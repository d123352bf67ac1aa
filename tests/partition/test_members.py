"""A partition's group is changed while it works."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.partition.test_group import NODES, PATIENCE_S, Group

from grevy.protocol.raft_messages import GroupMembers
from grevy.raft import Role

NEW = 4


async def started(folder: Path) -> tuple[Group, int]:
    group = Group(folder)
    for node_id in NODES:
        await group.start(node_id)
    leader = await group.leader()
    await group.publish(leader, 20)
    return group, leader


async def change(group: Group, leader: int, members: GroupMembers) -> None:
    """A change of the members, to its end."""
    control = group.replicas[leader].group
    assert control.change(members)
    await group.until(lambda: control.members == members)


async def join(group: Group, leader: int) -> None:
    """A new replica has the log, and a vote."""
    await group.start(NEW, voters=())
    await change(group, leader, GroupMembers(NODES, (), (NEW,)))
    await group.until(lambda: NEW in group.replicas[leader].group.caught_up)
    await change(group, leader, GroupMembers((*NODES, NEW)))


async def stop_all(group: Group) -> None:
    for node_id in list(group.replicas):
        await group.stop(node_id)


def test_a_replica_takes_the_place_of_another(tmp_path: Path) -> None:
    """Over a restart, the members that were committed are who counts, whatever the settings say."""

    async def act() -> None:
        group, leader = await started(tmp_path)
        await join(group, leader)
        leaves = next(each for each in NODES if each != leader)
        rest = tuple(sorted({*NODES, NEW} - {leaves}))
        await change(group, leader, GroupMembers(rest))
        assert not group.replicas[leader].group.change(GroupMembers(())), "nobody would be left"
        await group.stop(leaves)
        del group.storages[leaves]
        await group.publish(leader, 20)
        await group.agree()
        await stop_all(group)

        group = Group(tmp_path)
        for node_id in rest:
            await group.start(node_id, voters=NODES)
        group.cut.add(rest[0])  # two of three are a majority, as the members of the log are
        leader = await group.leader()
        assert set(group.replicas[leader].group.members.voters) == set(rest)
        await stop_all(group)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))


def test_a_lead_is_handed_to_a_replica_that_came_later(tmp_path: Path) -> None:
    async def act() -> None:
        group, leader = await started(tmp_path)
        assert not group.replicas[leader].group.hand_over(NEW), "who has no vote cannot lead"
        await join(group, leader)
        assert group.replicas[leader].group.hand_over(NEW)
        await group.until(lambda: group.replicas[NEW].is_serving)
        await group.publish(NEW, 5)
        await group.agree()
        assert group.replicas[leader].role is Role.FOLLOWER
        await stop_all(group)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))


def test_who_is_cut_off_is_not_confirmed_as_leader(tmp_path: Path) -> None:
    """Long before it has heard that it is over, and so it decides nothing for the group."""

    async def act() -> None:
        group, leader = await started(tmp_path)
        control = group.replicas[leader].group
        assert not control.is_confirmed, "nobody has asked"
        control.confirm()
        await group.until(lambda: control.is_confirmed)
        group.cut.add(leader)
        control.confirm()
        await group.until(lambda: not control.is_confirmed)
        control.confirm()
        assert control.is_led
        assert not control.is_confirmed
        assert control.caught_up, "it has not noticed that nobody answers"
        group.cut.clear()
        await group.until(lambda: any(each.group.is_led for each in group.replicas.values()))
        await stop_all(group)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))


def test_ranks_can_be_changed(tmp_path: Path) -> None:
    """The replica that comes first in rank stands first when there is no leader."""

    async def act() -> None:
        group, leader = await started(tmp_path)
        heir = next(each for each in NODES if each != leader)
        for node_id, replica in group.replicas.items():
            replica.group.set_priority(3 if node_id == heir else 1, 3)
        await group.agree()
        group.cut.add(leader)
        assert await group.leader() == heir
        await stop_all(group)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))
