"""Whatever is delivered, lost, doubled or late, whoever crashes: what holds in a group of
several (see `cluster`), and that it goes on when it is left alone.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.raft.cluster import Cluster

from grevy.raft import MembersRefused, Role

ACTS = {
    "tick": 30, "tick_all": 6, "deliver": 160, "double": 12, "drop": 12, "propose": 24, "flush": 50,
    "crash": 4, "compact": 4, "transfer": 2, "read": 6, "members": 0, "lose": 0,
}  # fmt: skip


class Chaos:
    """Does random things to a cluster."""

    def __init__(self, seed: int, *, count: int = 3, outsiders: int = 0, **weights: int) -> None:
        self.rng = Random(seed)
        self.cluster = Cluster(count, seed=seed, outsiders=outsiders)
        table = {**ACTS, **weights}
        for name in ("drop", "double", "crash", "compact", "tick_all"):
            table[name] = table[name] * self.rng.choice((0, 1, 1, 4))
        self._acts = list(table)
        self._weights = list(table.values())
        self._reads: dict[tuple[int, int, int], int] = {}
        self.losses = 0

    def run(self, steps: int) -> None:
        """So many things."""
        for act in self.rng.choices(self._acts, self._weights, k=steps):
            node_id = self.rng.choice(list(self.cluster.members))
            getattr(self, f"_{act}")(node_id)
            self._check_reads()
        self.cluster.check_match()

    def _tick(self, node_id: int) -> None:
        self.cluster.tick(node_id, self.rng.choice((1, 1, 1, 5)))

    def _tick_all(self, _: int) -> None:
        for node_id in self.cluster.members:
            self.cluster.tick(node_id)

    def _deliver(self, _: int) -> None:
        wire = self.cluster.wire
        if wire:
            number = 0 if self.rng.random() < 0.7 else self.rng.randrange(len(wire))
            self.cluster.deliver(wire.pop(number))

    def _double(self, _: int) -> None:
        if self.cluster.wire:
            self.cluster.deliver(self.rng.choice(self.cluster.wire))

    def _drop(self, _: int) -> None:
        wire = self.cluster.wire
        if wire:
            wire.pop(self.rng.randrange(len(wire)))
        if len(wire) > 200:
            del wire[: len(wire) // 2]

    def _propose(self, node_id: int) -> None:
        for leader in self.cluster.leaders():
            self.cluster.propose(leader)

    def _flush(self, node_id: int) -> None:
        self.cluster.flush(node_id)

    def _crash(self, node_id: int) -> None:
        self.cluster.crash(node_id)

    def _compact(self, node_id: int) -> None:
        self.cluster.compact(node_id)

    def _transfer(self, node_id: int) -> None:
        for leader in self.cluster.leaders():
            if leader != node_id:
                self.cluster.members[leader].node.transfer_to(node_id)

    def _read(self, node_id: int) -> None:
        member = self.cluster.members[node_id]
        if member.node.is_settled:
            number = member.node.request_read()
            newest = max(self.cluster.canon, default=0)
            self._reads[node_id, member.node.term, number] = newest

    def _check_reads(self) -> None:
        """A read sees all that was committed before it was asked for."""
        for node_id, member in self.cluster.members.items():
            for number, index in member.confirmed:
                least = self._reads.get((node_id, member.node.term, number))
                assert least is None or index >= least, "a read of the past"
            member.confirmed.clear()

    def _members(self, node_id: int) -> None:
        ids = sorted(self.cluster.members)
        voters = tuple(self.rng.sample(ids, self.rng.choice((1, 3, 3, min(5, len(ids))))))
        learners = tuple(self.rng.sample(ids, self.rng.randrange(3)))
        for leader in self.cluster.leaders():
            try:
                self.cluster.members[leader].node.propose_members(voters, learners)
            except MembersRefused:
                continue
            self.cluster.turn(leader)

    def _lose(self, node_id: int) -> None:
        """One replica at a time may have lost its log: that is all a group of three can bear."""
        if not any(member.node.is_recovering for member in self.cluster.members.values()):
            self.losses += 1
            self.cluster.lose(node_id)


def check_goes_on(chaos: Chaos) -> None:
    """Left alone, a group elects a leader, commits, and all have the same."""
    cluster = chaos.cluster
    cluster.settle()
    (leader,) = {
        node_id
        for node_id in cluster.leaders()
        if node_id in cluster.members[node_id].node.members.voters
    }
    node = cluster.members[leader].node
    before = node.commit_index
    cluster.propose(leader)
    cluster.settle(10)
    assert node.role is Role.LEADER
    assert node.commit_index > before
    assert not node.is_changing_members
    group = {*node.members.voters, *node.members.learners}
    for node_id in group:
        member = cluster.members[node_id]
        assert member.committed == node.commit_index, node_id
        assert not member.node.is_recovering
        assert member.node.members == node.members
    cluster.check_match()


@pytest.mark.parametrize("seed", range(40))
def test_three_replicas(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(1500)
    check_goes_on(chaos)


@pytest.mark.parametrize("seed", range(15))
def test_five_replicas(seed: int) -> None:
    chaos = Chaos(seed, count=5)
    chaos.run(1500)
    check_goes_on(chaos)


@pytest.mark.parametrize("seed", range(25))
def test_members_come_and_go(seed: int) -> None:
    chaos = Chaos(seed, outsiders=3, members=8)
    chaos.run(1500)
    check_goes_on(chaos)


@pytest.mark.parametrize("seed", range(25))
def test_a_replica_loses_its_log(seed: int) -> None:
    chaos = Chaos(seed, lose=3)
    chaos.run(1500)
    check_goes_on(chaos)
