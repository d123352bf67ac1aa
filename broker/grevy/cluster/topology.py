"""The cluster as clients see it: who leads what, and how the brokers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from grevy.cluster.gossip import Broker
from grevy.cluster.hosts import Holders, brokers_of, is_alive
from grevy.cluster.plan import heir_of, voters_of
from grevy.protocol.gossip_messages import ClusterPlan, PartitionPlacement
from grevy.protocol.member_ids import node_of
from grevy.protocol.messages import BrokerInfo, PartitionInfo, ReplicaInfo, TopologyReply

LEADER: Final = "leader"
"""The role of a replica that leads, as in `grevy.raft.Role`."""
NO_TERM: Final = -1
"""The term of a partition that nobody has led, as far as is known."""


class Leading(NamedTuple):
    """Who leads a partition, in which term; the greater term is the newer news."""

    term: int
    node_id: int


def leaders_of(brokers: Sequence[Broker]) -> dict[int, Leading]:
    """Who leads each partition: the newest that any replica has said, the leader of itself or
    another of whom it follows. Also a leader that is dead, as long as there is no newer one.
    """
    leaders: dict[int, Leading] = {}
    for broker in brokers:
        for replica in broker.state.replicas:
            is_own = replica.role == LEADER
            leading = Leading(
                replica.term, node_of(broker.state.node_id) if is_own else replica.leader
            )
            known = leaders.get(replica.partition_id, Leading(NO_TERM, 0))
            if leading.node_id and leading > known:
                leaders[replica.partition_id] = leading
    return leaders


def living_leaders(brokers: Sequence[Broker]) -> dict[int, int]:
    """The partitions with a leader that is alive, and its node id."""
    holders = Holders(brokers)
    leaders = leaders_of(brokers).items()
    found = {each: (leading, holders.member(each, leading.node_id)) for each, leading in leaders}
    return {
        partition_id: leading.node_id
        for partition_id, (leading, holder) in found.items()
        if holder is not None and is_alive(holder)
    }


def heir_with_room(placement: PartitionPlacement, brokers: Sequence[Broker]) -> int:
    """Who should lead a partition instead of a broker whose disk is full: the first in rank that is
    alive, and has room and all its data; 0 where there is none.
    """
    able = {
        each.state.node_id
        for each in brokers_of(brokers)
        if is_alive(each)
        for replica in each.state.replicas
        if replica.partition_id == placement.partition_id
        and replica.is_healthy
        and replica.has_room
    }
    return heir_of(placement, able)


def topology_of(
    plan: ClusterPlan | None,
    brokers: Sequence[Broker],
    *,
    number: int,
    cluster_id: str,
    version: str,
) -> TopologyReply:
    """The answer to a client's `TopologyRequest`; `brokers` as `Gossiper.brokers` gives them,
    `version` of the one that answers. A partition is where the host of its leader listens. Who is
    no member and not there is nobody's concern: it was removed, or was never added.
    """
    partition_ids, factor = partitions_of(plan)
    holders = Holders(brokers)
    leaders = leaders_of(brokers)
    partitions = []
    for partition_id in sorted({*partition_ids, *leaders}):
        term, node_id = leaders.get(partition_id, Leading(NO_TERM, 0))
        holder = holders.member(partition_id, node_id)
        endpoint = ""
        if holder is not None and is_alive(holder):
            endpoint = holder.state.client_endpoint
        partitions.append(PartitionInfo(partition_id, endpoint, term))
    members = () if plan is None else plan.current.brokers
    infos = tuple(
        _info(each)
        for each in brokers_of(brokers)
        if is_alive(each) or plan is None or each.state.node_id in members
    )
    return TopologyReply(number, cluster_id, version, tuple(partitions), infos, factor)


def partitions_of(plan: ClusterPlan | None) -> tuple[tuple[int, ...], int]:
    """The partitions of a cluster, and how many replicas each has when no change is under way."""
    if plan is None:
        return (), 1
    placements = plan.current.partitions
    factor = min((len(voters_of(each)) for each in placements), default=1)
    return tuple(each.partition_id for each in placements), factor


def _info(broker: Broker) -> BrokerInfo:
    state = broker.state
    replicas = tuple(
        ReplicaInfo(each.partition_id, each.role, each.term, each.position, each.is_healthy)
        for each in state.replicas
    )
    return BrokerInfo(
        state.node_id, state.client_endpoint, state.software, is_alive(broker), replicas
    )
