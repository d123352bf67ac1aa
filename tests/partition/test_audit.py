"""Replicas compare their states, and one that has another stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from tests.partition.test_group import NODES, OPTIONS, PATIENCE_S, Group, led

from grevy.partition import StateDiverged
from grevy.partition.audit import AUDIT_NS, StateAudit
from grevy.state import U64, State, TableSpec

RECORDS: Final = 10
STRAY: Final = TableSpec(255, "stray", key=U64, value=int)


def spoil(state: State) -> None:
    """A row that no entry has written."""
    state.begin()
    state.table(STRAY).put(1, 1)
    state.commit([state.seal()], state.applied_index, state.applied_position)


async def compared(group: Group) -> None:
    """Every replica that works has heard that its state is the leader's, once more."""
    before = {node_id: _compared_index(group, node_id) for node_id in group.replicas}
    while any(_compared_index(group, n) <= i for n, i in before.items()):
        await group.publish(await group.leader(), 1)  # a new leader counts from its first tick on


def _compared_index(group: Group, node_id: int) -> int:
    index = group.replicas[node_id].statistics()["compared_index"]
    assert isinstance(index, int)
    return index


def test_replicas_compare_their_states(tmp_path: Path) -> None:
    async def act() -> None:
        group, leader = await led(Group(tmp_path, options=replace(OPTIONS, audit_records=RECORDS)))
        for _ in range(3):
            await compared(group)
        await group.stop(leader)  # whoever leads next goes on with it, and a start takes it up
        await compared(group)
        await group.start(leader)
        await compared(group)
        await group.agree()
        for node_id in NODES:
            await group.stop(node_id)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))


@pytest.mark.parametrize("is_leader_wrong", [False, True])
def test_a_replica_with_another_state_stops(tmp_path: Path, *, is_leader_wrong: bool) -> None:
    """Where the leader is the one that is wrong, nobody follows it any more."""

    async def act() -> None:
        group, leader = await led(Group(tmp_path, options=replace(OPTIONS, audit_records=RECORDS)))
        await compared(group)
        others = [node_id for node_id in NODES if node_id != leader]
        wrong = leader if is_leader_wrong else others[0]
        await group.until(lambda: group.replicas[wrong].statistics()["in_flight"] == 0)
        spoil(group.storages[wrong].state)
        stopping = others if is_leader_wrong else [wrong]
        publishing = asyncio.create_task(group.publish(leader, RECORDS))
        # As `Group.until`, which takes no failures.
        while any(group.replicas[n].is_healthy for n in stopping):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert [type(each) for each in group.failures] == [StateDiverged] * len(stopping)
        assert all(group.replicas[n].is_healthy for n in NODES if n not in stopping)
        publishing.cancel()
        group.failures.clear()
        if not is_leader_wrong:
            await group.publish(leader, 1)

    asyncio.run(asyncio.wait_for(act(), PATIENCE_S))


def test_little_is_compared_too_but_nothing_when_nothing_comes() -> None:
    audit = StateAudit(1, RECORDS)
    assert audit.payload_if_due(0, 5) is None
    assert audit.payload_if_due(AUDIT_NS, 5) is None, "nothing has come"
    assert audit.payload_if_due(AUDIT_NS - 1, 6) is None
    assert audit.payload_if_due(AUDIT_NS, 6) is not None
    assert audit.payload_if_due(AUDIT_NS + 1, 6 + RECORDS - 1) is None
    assert audit.payload_if_due(AUDIT_NS + 1, 6 + RECORDS) is not None
