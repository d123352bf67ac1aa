"""What one broker has to do for a plan: a function of what it knows, without memory.

Each step has one broker that does it: changes of a group are its leader's, all else is that of the
broker with the lowest id that is alive. A leader goes by what its group *is*: where the plan says
anything else, it writes down the truth, and a step is done by that. So a step that was done before
a crash is not done again, and one that was not is.

Nothing is begun before a majority of the brokers has the plan on its disk. Two brokers that decide
at the same time, cut off from each other, cannot hurt a partition, whose group changes by its own
log; of their plans the newer one holds, and what the other one did is taken back by its steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

from grevy.cluster.plan import (
    NO_HOSTS,
    HostsUp,
    Step,
    StepKind,
    alive_in,
    apply_step,
    heir_of,
    is_under_way,
    obstacle_to,
    placement_of,
    placement_with,
    steps_of,
    voters_of,
    with_current,
)
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    ClusterPlan,
    ReplicaPlacement,
)
from grevy.protocol.raft_messages import GroupMembers


class LedGroup(NamedTuple):
    """A group that this broker leads, as a majority has confirmed lately: its members by the newest
    committed change, and the learners that have nearly all of the log.
    """

    partition_id: int
    members: GroupMembers
    caught_up: frozenset[int] = frozenset()


class View(NamedTuple):
    """What this broker knows. `holders` are the brokers that have this very plan on their disk,
    itself among them; `led` the groups that it leads. Of a broker with several hosts `alive` is
    about the first, which alone `keeps` the plan; each host changes the groups that it leads.
    """

    node_id: int
    alive: frozenset[int]
    holders: frozenset[int]
    led: tuple[LedGroup, ...] = ()
    hosts: HostsUp = NO_HOSTS
    keeps: bool = True


class KeepPlan(NamedTuple):
    """Write this plan, which is one step on, to the disk, then spread it."""

    plan: ClusterPlan


class ChangeMembers(NamedTuple):
    """Propose these members to the group, which this broker leads."""

    partition_id: int
    members: GroupMembers


class HandOver(NamedTuple):
    """Let `to` lead the partition instead of this broker."""

    partition_id: int
    to: int


class Wait(NamedTuple):
    """Nothing can be done now; `why` is for those who run the cluster."""

    why: str


OF_THE_PLAN: Final = frozenset({StepKind.ADD_BROKER, StepKind.SET_PRIORITY, StepKind.REMOVE_BROKER})
"""Steps that change nothing but the plan."""

Action: TypeAlias = KeepPlan | ChangeMembers | HandOver | Wait


def next_action(plan: ClusterPlan, view: View) -> Action | None:
    """What this broker has to do now; None when that is nothing, or another's to do.

    Asking again before an action has had its effect gives it again: it does no harm twice.
    """
    for group in view.led:
        current = with_truth(plan, group)
        if current != plan.current:
            return KeepPlan(with_current(plan, current))
    if not is_under_way(plan):
        return None
    led = {group.partition_id: group for group in view.led}
    step = next(steps_of(plan, dict.fromkeys(led, view.node_id)))
    if view.node_id != _doer_of(step, plan, view, led):
        return None
    if 2 * len(view.holders & set(plan.current.brokers)) <= len(plan.current.brokers):
        return Wait(f"{step}: most brokers have to know of it first")
    return _do(step, plan, view, led.get(step.partition_id))


def with_truth(plan: ClusterPlan, group: LedGroup) -> ClusterConfiguration:
    """The current configuration, with a group's members as its leader knows them."""
    members, current = group.members, plan.current
    before = placement_of(current, group.partition_id)
    if members.old_voters or not before.replicas:
        return current
    priorities = {
        each.node_id: each.priority
        for placement in (placement_of(plan.target, group.partition_id), before)
        for each in placement.replicas
    }
    replicas = [ReplicaPlacement(each, priorities.get(each, 1)) for each in members.voters]
    replicas += [ReplicaPlacement(each, priorities.get(each, 1), True) for each in members.learners]
    truth = placement_with(group.partition_id, replicas)
    return ClusterConfiguration(
        current.brokers,
        tuple(
            truth if each.partition_id == group.partition_id else each
            for each in current.partitions
        ),
    )


def replicas_wanted(plan: ClusterPlan, node_id: int) -> tuple[int, ...]:
    """The partitions of which a broker must have a replica now: those that it holds, and the one
    that it is about to join. What it has beyond that, and leads no more, can be deleted.
    """
    held = [
        placement.partition_id
        for placement in plan.current.partitions
        if any(each.node_id == node_id for each in placement.replicas)
    ]
    step = next(steps_of(plan), None)
    if step is not None and step.kind is StepKind.JOIN and step.node_id == node_id:
        held.append(step.partition_id)
    return tuple(sorted(held))


def may_leave(plan: ClusterPlan, node_id: int, holders: Collection[int]) -> bool:
    """Whether a broker that was removed can end: most of the others know that it was."""
    others = plan.current.brokers
    return node_id not in others and 2 * len(set(holders) & set(others)) > len(others)


def transfers_due(
    configuration: ClusterConfiguration,
    leaders: Mapping[int, int],
    alive: Collection[int],
    hosts: HostsUp = NO_HOSTS,
) -> tuple[Step, ...]:
    """The changes of leaders after which each partition is led by the one of its replicas that
    should, of those whose broker is alive. A partition without a leader elects one by itself.
    """
    due = []
    for placement in configuration.partitions:
        leader = leaders.get(placement.partition_id, 0)
        heir = heir_of(placement, alive_in(placement.partition_id, alive, hosts))
        if leader and heir and leader != heir:
            partition_id = placement.partition_id
            due.append(Step(StepKind.TRANSFER_LEADER, leader, partition_id, to=heir))
    return tuple(due)


def _doer_of(step: Step, plan: ClusterPlan, view: View, led: Mapping[int, LedGroup]) -> int:
    """Whose step it is, as far as this broker can tell; 0 for another's."""
    if step.kind in OF_THE_PLAN:
        decider = min(view.alive & set(plan.current.brokers), default=0)
        return decider if view.keeps else 0
    return view.node_id if step.partition_id in led else 0


def _do(step: Step, plan: ClusterPlan, view: View, group: LedGroup | None) -> Action:
    if step.kind is StepKind.TRANSFER_LEADER:
        step = step._replace(to=_living_heir(step, plan, view))
    obstacle = obstacle_to(step, plan.current, view.alive, view.hosts)
    if obstacle is not None:
        return Wait(f"{step}: {obstacle}")
    if step.kind in OF_THE_PLAN:
        return KeepPlan(with_current(plan, apply_step(plan.current, step)))
    assert group is not None, "changes of a group are its leader's"
    if group.members.old_voters:
        return Wait(f"{step}: the group is changing")
    if step.kind is StepKind.TRANSFER_LEADER:
        return HandOver(step.partition_id, step.to)
    if step.kind is StepKind.PROMOTE and step.node_id not in group.caught_up:
        return Wait(f"{step}: its log is not complete yet")
    return ChangeMembers(step.partition_id, _members_of(apply_step(plan.current, step), step))


def _living_heir(step: Step, plan: ClusterPlan, view: View) -> int:
    """Who leads instead of a broker that leaves: who should of those that are alive and stay."""
    after = placement_of(plan.target, step.partition_id)
    before = placement_of(plan.current, step.partition_id)
    alive = alive_in(step.partition_id, view.alive, view.hosts)
    able = (voters_of(before) & alive) - {step.node_id}
    return heir_of(after, able) or heir_of(before, able) or step.to


def _members_of(configuration: ClusterConfiguration, step: Step) -> GroupMembers:
    """A partition's placement in raft's words."""
    placement = placement_of(configuration, step.partition_id)
    learners = tuple(each.node_id for each in placement.replicas if each.is_learner)
    return GroupMembers(tuple(sorted(voters_of(placement))), learners=learners)
