"""What those who run a cluster ask for: other brokers, another replication factor, leaders where
they should be. Each function decides, or says why not; writing down and spreading is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from grevy.cluster.conductor import transfers_due
from grevy.cluster.distribution import redistribute
from grevy.cluster.errors import ChangeRefused
from grevy.cluster.plan import NO_HOSTS, NO_LEADERS, HostsUp, begin, steps_of
from grevy.cluster.topology import partitions_of
from grevy.protocol.gossip_messages import ClusterPlan


class ChangeRequest(Struct, frozen=True):
    """Brokers that come and go, by their node ids; `replication_factor` 0: as it is."""

    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()
    replication_factor: int = 0


class ChangeReply(Struct, frozen=True):
    """The change that is under way then, or would be: its number, and its steps as sentences."""

    epoch: int
    steps: tuple[str, ...]


def decider_of(plan: ClusterPlan, alive: Collection[int]) -> int:
    """The broker that decides on changes: others pass requests on to it, so that two that come at
    the same time are one after the other. 0 when no broker of the plan is alive.
    """
    return min(set(plan.current.brokers) & set(alive), default=0)


def decide(
    plan: ClusterPlan,
    request: ChangeRequest,
    *,
    author: int,
    alive: Collection[int],
    hosts: HostsUp = NO_HOSTS,
) -> ClusterPlan:
    """The plan for a request, which moves as little as it can.

    Raises `ChangeRefused` or `DistributionError`; then nothing is different.
    """
    before = set(plan.current.brokers)
    for node_id in request.add:
        if node_id in before:
            raise ChangeRefused(f"broker {node_id} is a member already")
        if node_id not in alive:
            raise ChangeRefused(
                f"broker {node_id} is not there: start it first, "
                "with one of this cluster's brokers as contact point"
            )
    for node_id in request.remove:
        if node_id not in before:
            raise ChangeRefused(f"broker {node_id} is no member")
    factor = request.replication_factor or partitions_of(plan)[1]
    brokers = sorted((before | set(request.add)) - set(request.remove))
    target = redistribute(plan.current, brokers, factor)
    if target == plan.current:
        raise ChangeRefused("nothing would change")
    return begin(plan, target, author=author, alive=alive, hosts=hosts)


def reply_to(plan: ClusterPlan, leaders: Mapping[int, int] = NO_LEADERS) -> ChangeReply:
    """What to tell of a plan that was begun, or of one that `decide` gave for a dry run."""
    return ChangeReply(plan.epoch, tuple(str(step) for step in steps_of(plan, leaders)))


def rebalance(
    plan: ClusterPlan,
    leaders: Mapping[int, int],
    alive: Collection[int],
    hosts: HostsUp = NO_HOSTS,
) -> Sequence[tuple[int, int, int]]:
    """The leaders to change: partition, who leads it, and who should. Each leader that is named
    hands over (`HandOver`); the best that can be, while brokers are missing.
    """
    due = transfers_due(plan.current, leaders, alive, hosts)
    return [(step.partition_id, step.node_id, step.to) for step in due]
