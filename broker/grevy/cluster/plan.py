"""Plans: what the cluster is, what it is to become, and the steps between.

A plan is a value: `current`, `target`, and how new it is. Its steps are not kept but worked out
from the two, so that whoever goes on with a plan, after a crash or in another's place, goes on
where it really is. For each partition, a replica at a time:

    add broker ──▶ join (as a learner) ──▶ promote ──▶ transfer leader ──▶ leave ──▶ set priority
                                           (a voter)   (if it leads)                      │
                                                                    remove broker ◀───────┘

So a group has never less voters than before, and one more for a while. `current` changes with each
step that is done; that a leader changes is no part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

import msgspec
from crc32c import crc32c
from msgspec.structs import replace

from grevy.cluster.errors import ChangeRefused
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    ClusterPlan,
    PartitionPlacement,
    ReplicaPlacement,
)

NO_LEADERS: Final[Mapping[int, int]] = {}

HostsUp: TypeAlias = Mapping[tuple[int, int], bool]
"""Whether the host that has a replica is there, by partition and node id, as far as is known."""
NO_HOSTS: Final[HostsUp] = {}


class StepKind(Enum):
    """What one step of a plan does."""

    ADD_BROKER = "add broker"
    JOIN = "join"
    PROMOTE = "promote"
    TRANSFER_LEADER = "transfer leader"
    LEAVE = "leave"
    SET_PRIORITY = "set priority"
    REMOVE_BROKER = "remove broker"


class Step(NamedTuple):
    """A step: of a broker, and a replica of it where there is a partition (from 1). A transfer is
    from `node_id` to `to`.
    """

    kind: StepKind
    node_id: int
    partition_id: int = 0
    priority: int = 0
    to: int = 0

    def __str__(self) -> str:
        """The step as a sentence for those who run the cluster."""
        broker, partition = f"broker {self.node_id}", f"partition {self.partition_id}"
        match self.kind:
            case StepKind.ADD_BROKER:
                return f"add {broker}"
            case StepKind.JOIN:
                return f"{broker} joins {partition} as a learner"
            case StepKind.PROMOTE:
                return f"{broker} becomes a voter of {partition}"
            case StepKind.TRANSFER_LEADER:
                return f"{broker} hands {partition} over to broker {self.to}"
            case StepKind.LEAVE:
                return f"{broker} leaves {partition}"
            case StepKind.SET_PRIORITY:
                return f"{broker} has priority {self.priority} in {partition}"
            case StepKind.REMOVE_BROKER:
                return f"remove {broker}"


class Newness(NamedTuple):
    """How new a plan is: the greater one holds. The digest decides where nothing else does, so that
    all come to the same.
    """

    epoch: int
    step: int
    digest: int


NO_PLAN: Final = Newness(0, 0, 0)


def first_plan(configuration: ClusterConfiguration) -> ClusterPlan:
    """The plan of a cluster that has begun with this configuration; the same on all brokers."""
    return ClusterPlan(1, 0, 0, configuration, configuration)


def newness_of(plan: ClusterPlan | None) -> Newness:
    """For comparing plans."""
    if plan is None:
        return NO_PLAN
    return Newness(plan.epoch, plan.step, crc32c(msgspec.json.encode(plan)))


def is_under_way(plan: ClusterPlan) -> bool:
    """Whether there is something to do."""
    return plan.current != plan.target


def placement_of(configuration: ClusterConfiguration, partition_id: int) -> PartitionPlacement:
    """Where a partition lies; empty for one that there is not."""
    for placement in configuration.partitions:
        if placement.partition_id == partition_id:
            return placement
    return PartitionPlacement(partition_id, ())


def voters_of(placement: PartitionPlacement) -> set[int]:
    """The brokers whose replicas vote."""
    return {each.node_id for each in placement.replicas if not each.is_learner}


def heir_of(placement: PartitionPlacement, brokers: Collection[int]) -> int:
    """Which of these brokers should lead a partition: the voter with the highest priority; 0 when
    none of them can.
    """
    able = [
        (each.priority, -each.node_id)
        for each in placement.replicas
        if not each.is_learner and each.node_id in brokers
    ]
    return -max(able)[1] if able else 0


def steps_of(plan: ClusterPlan, leaders: Mapping[int, int] = NO_LEADERS) -> Iterator[Step]:
    """What is left to do, in order. With `leaders` (partition id to node id), also who hands over
    before it leaves.
    """
    current, leading = plan.current, dict(leaders)
    while (step := _next_step(current, plan.target, leading)) is not None:
        yield step
        current = apply_step(current, step)
        if step.kind is StepKind.TRANSFER_LEADER:
            leading[step.partition_id] = step.to


def _next_step(
    current: ClusterConfiguration, target: ClusterConfiguration, leaders: Mapping[int, int]
) -> Step | None:
    for node_id in target.brokers:
        if node_id not in current.brokers:
            return Step(StepKind.ADD_BROKER, node_id)
    pairs = [(placement_of(current, each.partition_id), each) for each in target.partitions]
    for before, after in pairs:
        step = _next_move(before, after, leaders.get(after.partition_id, 0))
        if step is not None:
            return step
    for before, after in pairs:
        # The replicas are the same by now.
        for had, wanted in zip(before.replicas, after.replicas, strict=True):
            if had.priority != wanted.priority:
                node_id, priority = wanted.node_id, wanted.priority
                return Step(StepKind.SET_PRIORITY, node_id, after.partition_id, priority)
    for node_id in current.brokers:
        if node_id not in target.brokers:
            return Step(StepKind.REMOVE_BROKER, node_id)
    return None


def _next_move(before: PartitionPlacement, after: PartitionPlacement, leader: int) -> Step | None:
    """What comes next for one partition: learners that nobody wants go, then a voter too many; only
    then another one comes.
    """
    partition_id = after.partition_id
    wanted = {each.node_id: each for each in after.replicas}
    had = {each.node_id: each for each in before.replicas}
    going = [each for each in before.replicas if each.node_id not in wanted]
    for each in going:
        if each.is_learner:
            return Step(StepKind.LEAVE, each.node_id, partition_id)
    if going and len(voters_of(before)) > len(wanted):
        leaving = min(going, key=lambda each: (each.node_id == leader, each.priority, each.node_id))
        if leaving.node_id == leader:
            heir = _heir_after(leader, before, after)
            return Step(StepKind.TRANSFER_LEADER, leader, partition_id, to=heir)
        return Step(StepKind.LEAVE, leaving.node_id, partition_id)
    for node_id, replica in wanted.items():
        if node_id not in had:
            return Step(StepKind.JOIN, node_id, partition_id, replica.priority)
        if had[node_id].is_learner:
            return Step(StepKind.PROMOTE, node_id, partition_id)
    return None


def _heir_after(leader: int, before: PartitionPlacement, after: PartitionPlacement) -> int:
    """Who leads when this leader leaves: one that stays, where there is one."""
    staying = voters_of(before) & voters_of(after)
    return heir_of(after, staying) or heir_of(before, voters_of(before) - {leader})


def apply_step(configuration: ClusterConfiguration, step: Step) -> ClusterConfiguration:
    """The configuration after a step; a step that is done already changes nothing."""
    brokers = set(configuration.brokers)
    if step.kind is StepKind.ADD_BROKER:
        brokers.add(step.node_id)
    elif step.kind is StepKind.REMOVE_BROKER:
        brokers.discard(step.node_id)
    partitions = (
        _apply_to(each, step) if each.partition_id == step.partition_id else each
        for each in configuration.partitions
    )
    return ClusterConfiguration(tuple(sorted(brokers)), tuple(partitions))


def _apply_to(placement: PartitionPlacement, step: Step) -> PartitionPlacement:
    replicas = {each.node_id: each for each in placement.replicas}
    node_id = step.node_id
    had = replicas.get(node_id)
    if step.kind is StepKind.JOIN and had is None:
        replicas[node_id] = ReplicaPlacement(node_id, step.priority, is_learner=True)
    elif step.kind is StepKind.PROMOTE and had is not None:
        replicas[node_id] = ReplicaPlacement(node_id, had.priority)
    elif step.kind is StepKind.SET_PRIORITY and had is not None:
        replicas[node_id] = ReplicaPlacement(node_id, step.priority, had.is_learner)
    elif step.kind is StepKind.LEAVE:
        replicas.pop(node_id, None)
    return placement_with(placement.partition_id, replicas.values())


def placement_with(partition_id: int, replicas: Collection[ReplicaPlacement]) -> PartitionPlacement:
    """A placement with its replicas in the order of their brokers."""
    return PartitionPlacement(partition_id, tuple(sorted(replicas, key=lambda each: each.node_id)))


def with_current(plan: ClusterPlan, current: ClusterConfiguration) -> ClusterPlan:
    """The plan, one step on."""
    return replace(plan, step=plan.step + 1, current=current)


def alive_in(partition_id: int, alive: Collection[int], hosts: HostsUp = NO_HOSTS) -> set[int]:
    """The brokers that can be reached for a partition: by the host that has their replica, or where
    none is known to have one, by their first, which is what `alive` says.
    """
    places = {node_id: is_up for (of, node_id), is_up in hosts.items() if of == partition_id}
    there = {node_id for node_id, is_up in places.items() if is_up}
    return there | (set(alive) - places.keys())


def obstacle_to(
    step: Step, current: ClusterConfiguration, alive: Collection[int], hosts: HostsUp = NO_HOSTS
) -> str | None:
    """What stands against a step while only these brokers are alive; None when nothing does.

    A change of a group needs a majority of its voters, before and after.
    """
    if step.kind in (StepKind.SET_PRIORITY, StepKind.REMOVE_BROKER):
        return None
    if step.partition_id:
        alive = alive_in(step.partition_id, alive, hosts)
    if step.kind is not StepKind.LEAVE and (step.to or step.node_id) not in alive:
        return f"broker {step.to or step.node_id} is not there"
    if step.kind is StepKind.ADD_BROKER:
        return None
    before = placement_of(current, step.partition_id)
    after = placement_of(apply_step(current, step), step.partition_id)
    for placement in (before, after):
        voters = voters_of(placement)
        needed = len(voters) // 2 + 1
        there = sorted(voters & set(alive))
        if len(there) < needed:
            return (
                f"partition {step.partition_id} would be without a majority: "
                f"{needed} of brokers {_text(sorted(voters))} are needed, "
                f"and there {'is' if len(there) == 1 else 'are'} {_text(there) or 'none'}"
            )
    return None


def begin(
    plan: ClusterPlan,
    target: ClusterConfiguration,
    *,
    author: int,
    alive: Collection[int],
    hosts: HostsUp = NO_HOSTS,
) -> ClusterPlan:
    """The plan of a new change. Raises `ChangeRefused` when another is under way, or when it could
    not be carried out with the brokers that are alive now.
    """
    if is_under_way(plan):
        step = next(steps_of(plan))
        raise ChangeRefused(
            f"another change is under way, and its next step is: {step}; wait for it, or cancel it"
        )
    check_majority(plan.current, alive)
    begun = ClusterPlan(plan.epoch + 1, 0, author, plan.current, target)
    current = plan.current
    for step in steps_of(begun):
        obstacle = obstacle_to(step, current, alive, hosts)
        if obstacle is not None:
            raise ChangeRefused(f"{step}: {obstacle}")
        current = apply_step(current, step)
    assert current == target, "the steps lead to the target"
    return begun


def cancel(plan: ClusterPlan, *, author: int, alive: Collection[int]) -> ClusterPlan:
    """The plan that ends a change where it is: brokers and voters stay as they are now, but for a
    group with a voter more than others have, which loses the one with the least priority; learners
    go. Raises `ChangeRefused` when no change is under way.
    """
    if not is_under_way(plan):
        raise ChangeRefused("no change is under way")
    check_majority(plan.current, alive)
    factor = min(len(voters_of(each)) for each in plan.current.partitions)
    partitions = tuple(_settled(each, factor) for each in plan.current.partitions)
    target = ClusterConfiguration(plan.current.brokers, partitions)
    return ClusterPlan(plan.epoch + 1, 0, author, plan.current, target)


def _settled(placement: PartitionPlacement, factor: int) -> PartitionPlacement:
    voters = [each for each in placement.replicas if not each.is_learner]
    voters.sort(key=lambda each: (-each.priority, each.node_id))
    return placement_with(placement.partition_id, voters[:factor])


def check_majority(configuration: ClusterConfiguration, alive: Collection[int]) -> None:
    """Raises `ChangeRefused` unless most brokers are there: what is decided has to be known by a
    majority, so that it outlives any minority.
    """
    missing = sorted(set(configuration.brokers) - set(alive))
    if 2 * len(missing) >= len(configuration.brokers):
        raise ChangeRefused(
            f"most brokers have to be there to decide on a change, and {_text(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not"
        )


def _text(numbers: Collection[int]) -> str:
    return ", ".join(map(str, numbers))
