"""Brokers that carry out a plan, without sockets: each with its disk and what it has heard, beside
groups that change their members as Raft's do. Chance, or a test, decides who acts and who crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.sim.disk import SimDisk

from grevy.cluster import (
    Action,
    ChangeMembers,
    HandOver,
    KeepPlan,
    LedGroup,
    PlanFile,
    View,
    heir_of,
    is_under_way,
    newness_of,
    next_action,
    placement_of,
    replicas_wanted,
    voters_of,
)
from grevy.protocol.gossip_messages import ClusterConfiguration, ClusterPlan
from grevy.protocol.raft_messages import GroupMembers

CLUSTER = "test"
TURNS_MAX = 3_000


class Host:
    """One broker's disk, the plan file that it has open, and how new its plan is."""

    def __init__(self, disk: SimDisk) -> None:
        self.disk = disk
        self._file = PlanFile.open(disk, CLUSTER)
        self.newness = newness_of(self.plan)

    @property
    def plan(self) -> ClusterPlan | None:
        return self._file.plan

    def write(self, plan: ClusterPlan) -> None:
        self._file.write(plan)
        self.newness = newness_of(plan)


class Carrying:
    """A cluster that carries out plans."""

    def __init__(self, plan: ClusterPlan, brokers: set[int], seed: int = 1) -> None:
        self.rng = Random(seed)
        self.alive = set(brokers)
        self.hosts: dict[int, Host] = {}
        for node_id in brokers:
            self.hosts[node_id] = Host(SimDisk())
            if node_id in plan.current.brokers:
                self.hosts[node_id].write(plan)
        self.groups: dict[int, GroupMembers] = {}
        self.leaders: dict[int, int] = {}
        for placement in plan.current.partitions:
            self.groups[placement.partition_id] = GroupMembers(tuple(sorted(voters_of(placement))))
            self.leaders[placement.partition_id] = heir_of(placement, brokers)
        self.done: list[Action] = []
        """Actions that had an effect."""

    def start(self, plan: ClusterPlan) -> None:
        """The author has decided, and written it down."""
        self.hosts[plan.author].write(plan)

    def newest(self) -> ClusterPlan:
        newest = max(self.hosts.values(), key=lambda each: each.newness).plan
        assert newest is not None
        return newest

    def is_done(self) -> bool:
        """Everybody alive has the same plan, and it is carried out."""
        known = {self.hosts[each].newness for each in self.alive}
        return len(known) == 1 and not is_under_way(self.newest())

    def view_of(self, node_id: int) -> View:
        mine = self.hosts[node_id].newness
        holders = {each for each in self.alive if self.hosts[each].newness == mine}
        led = [
            LedGroup(each, self.groups[each], frozenset(self.groups[each].learners))
            for each, leader in self.leaders.items()
            if leader == node_id
        ]
        return View(node_id, frozenset(self.alive), frozenset(holders | {node_id}), tuple(led))

    def action_of(self, node_id: int) -> Action | None:
        plan = self.hosts[node_id].plan
        return None if plan is None else next_action(plan, self.view_of(node_id))

    def hear(self, node_id: int, other: int) -> None:
        """A broker takes the plan of another, when that is newer."""
        plan = self.hosts[other].plan
        if self.hosts[other].newness > self.hosts[node_id].newness:
            assert plan is not None
            self.hosts[node_id].write(plan)

    def carry_out(self, node_id: int, action: Action | None) -> None:
        """What the action does, with what must hold for it."""
        if isinstance(action, KeepPlan):
            self.hosts[node_id].write(action.plan)
        elif isinstance(action, ChangeMembers):
            before, after = self.groups[action.partition_id], action.members
            assert self.leaders[action.partition_id] == node_id
            self._check_change(before, after)
            for joining in set(after.learners) - set(before.learners):
                plan = self.hosts[node_id].plan
                assert plan is not None
                assert action.partition_id in replicas_wanted(plan, joining)
            self.groups[action.partition_id] = after
        elif isinstance(action, HandOver):
            assert action.to in self.groups[action.partition_id].voters
            assert action.to in self.alive
            assert self.leaders[action.partition_id] == node_id != action.to
            self.leaders[action.partition_id] = action.to
        else:
            return
        self.done.append(action)

    def _check_change(self, before: GroupMembers, after: GroupMembers) -> None:
        """One replica at a time; the majority is there, before and after."""
        voters, new_voters = set(before.voters), set(after.voters)
        members = voters | set(before.learners)
        new_members = new_voters | set(after.learners)
        assert len(voters ^ new_voters) + len(members ^ new_members) in (1, 2)
        assert len(voters ^ new_voters) <= 1
        for group in (voters, new_voters):
            assert 2 * len(group & self.alive) > len(group), "a majority is there"

    def crash(self, node_id: int) -> None:
        """A broker loses power and starts again: what it leads, others lead."""
        host = self.hosts[node_id]
        self.hosts[node_id] = Host(host.disk.crash(self.rng))
        assert self.hosts[node_id].newness >= host.newness, "what was written stays"
        for partition_id, leader in self.leaders.items():
            if leader == node_id:
                others = set(self.groups[partition_id].voters) & self.alive - {node_id}
                self.leaders[partition_id] = self.rng.choice(sorted(others or {node_id}))

    def kill(self, node_id: int) -> None:
        """A broker is gone for good."""
        self.alive.discard(node_id)
        for partition_id, leader in self.leaders.items():
            if leader == node_id:
                others = sorted(set(self.groups[partition_id].voters) & self.alive)
                self.leaders[partition_id] = self.rng.choice(others)

    def run(self, crash_chance: float = 0.0) -> None:
        """Turns in an order that chance decides, until it is done."""
        for _ in range(TURNS_MAX):
            if self.is_done():
                return
            self.turn(sorted(self.alive), crash_chance)
        raise AssertionError(f"not done after {TURNS_MAX} turns: {self.newest()}")

    def turn(self, brokers: Sequence[int], crash_chance: float = 0.0) -> None:
        """One of these brokers hears another one, and does what it has to."""
        node_id, other = self.rng.choice(brokers), self.rng.choice(brokers)
        if self.rng.random() < crash_chance:
            self.crash(node_id)
        self.hear(node_id, other)
        self.carry_out(node_id, self.action_of(node_id))
        if self.rng.random() < crash_chance:
            self.crash(node_id)

    def check_groups(self, target: ClusterConfiguration) -> None:
        """The groups are what the plan wants."""
        assert self.newest().current == self.newest().target == target
        for partition_id, members in self.groups.items():
            placement = placement_of(target, partition_id)
            assert set(members.voters) == voters_of(placement)
            assert not members.learners
            assert not members.old_voters
            assert self.leaders[partition_id] in members.voters
