"""How the cluster is, for `grevy cluster status`: one value, that is JSON as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from grevy.cluster.errors import MembershipConflict
from grevy.cluster.gossip import Broker
from grevy.cluster.hosts import Holders, brokers_of, is_alive
from grevy.cluster.plan import heir_of, is_under_way, placement_of, steps_of
from grevy.cluster.topology import (
    NO_TERM,
    Leading,
    leaders_of,
    living_leaders,
    partitions_of,
)
from grevy.protocol.gossip_messages import ClusterPlan, PartitionPlacement


class ReplicaStatus(Struct, frozen=True):
    """A replica as its broker said last; `role` "" when it has said nothing of it."""

    node_id: int
    priority: int
    role: str
    term: int
    position: int
    is_healthy: bool
    is_alive: bool


class PartitionStatus(Struct, frozen=True):
    """A partition; `leader` 0 when there is none alive. `has_majority`: most of its voters are
    there, so that it can go on.
    """

    partition_id: int
    leader: int
    term: int
    should_lead: int
    has_majority: bool
    replicas: tuple[ReplicaStatus, ...]


class BrokerStatus(Struct, frozen=True):
    """A broker; `is_member`: it has its place in the plan, replicas or not."""

    node_id: int
    cluster_endpoint: str
    client_endpoint: str
    version: str
    liveness: str
    is_member: bool
    leads: tuple[int, ...]


class ClusterStatus(Struct, frozen=True):
    """The cluster as one broker knows it. `steps` are what is left of a change that is under way
    (none otherwise), and `waiting` why the next one is not done, as far as this broker knows.
    """

    cluster_id: str
    node_id: int
    epoch: int
    replication_factor: int
    is_well: bool
    brokers: tuple[BrokerStatus, ...]
    partitions: tuple[PartitionStatus, ...]
    steps: tuple[str, ...] = ()
    waiting: str = ""
    problems: tuple[str, ...] = ()


def status_of(
    plan: ClusterPlan | None,
    brokers: Sequence[Broker],
    *,
    cluster_id: str,
    node_id: int,
    waiting: str = "",
    problems: Sequence[MembershipConflict] = (),
    unanswered: Sequence[str] = (),
) -> ClusterStatus:
    """The status, from what `Gossiper` of broker `node_id` gives; `waiting` from a `Wait`."""
    leaders = living_leaders(brokers)
    partition_ids, factor = partitions_of(plan)
    members = () if plan is None else plan.current.brokers
    partitions = tuple(
        _partition(placement_of(plan.current, each), brokers)
        for each in partition_ids
        if plan is not None
    )
    brokers = brokers_of(brokers)
    known = {each.state.node_id for each in brokers}
    texts = [str(error) for error in problems]
    texts += [f"nobody has answered at contact point {each}" for each in unanswered]
    texts += [f"broker {each} has never been heard of" for each in members if each not in known]
    steps = () if plan is None else tuple(map(str, steps_of(plan, leaders)))
    is_well = (
        not texts
        and all(each.leader and each.has_majority for each in partitions)
        and all(is_alive(each) for each in brokers if each.state.node_id in members)
        and all(replica.is_healthy for each in partitions for replica in each.replicas)
    )
    return ClusterStatus(
        cluster_id,
        node_id,
        0 if plan is None else plan.epoch,
        factor,
        is_well,
        tuple(_broker(each, members, leaders) for each in brokers),
        partitions,
        steps,
        waiting if plan is not None and is_under_way(plan) else "",
        tuple(texts),
    )


def _broker(broker: Broker, members: Sequence[int], leaders: Mapping[int, int]) -> BrokerStatus:
    state = broker.state
    leads = sorted(
        partition_id for partition_id, leader in leaders.items() if leader == state.node_id
    )
    return BrokerStatus(
        state.node_id,
        state.cluster_endpoint,
        state.client_endpoint,
        state.software,
        broker.liveness.value,
        state.node_id in members,
        tuple(leads),
    )


def _partition(placement: PartitionPlacement, members: Sequence[Broker]) -> PartitionStatus:
    """`alive` are the brokers whose host of this partition is."""
    partition_id = placement.partition_id
    holders = Holders(members)
    held = {each.node_id: holders.member(partition_id, each.node_id) for each in placement.replicas}
    alive = {node_id for node_id, each in held.items() if each is not None and is_alive(each)}
    term, leader = leaders_of(members).get(partition_id, Leading(NO_TERM, 0))
    said = {
        (node_id, replica.partition_id): replica
        for node_id, member in held.items()
        if member is not None
        for replica in member.state.replicas
    }
    replicas = []
    for each in placement.replicas:
        state = said.get((each.node_id, partition_id))
        replicas.append(
            ReplicaStatus(
                each.node_id,
                each.priority,
                "" if state is None else state.role,
                NO_TERM if state is None else state.term,
                0 if state is None else state.position,
                state is not None and state.is_healthy,
                each.node_id in alive,
            )
        )
    voters = [each.node_id for each in placement.replicas if not each.is_learner]
    return PartitionStatus(
        partition_id,
        leader if leader in alive else 0,
        term,
        heir_of(placement, voters),
        2 * len(alive.intersection(voters)) > len(voters),
        tuple(replicas),
    )
