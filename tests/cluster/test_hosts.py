"""Hosts: members of a broker, and the broker that they are."""

from __future__ import annotations

from itertools import product

from grevy.cluster import (
    Broker,
    Liveness,
    Whereabouts,
    brokers_of,
    distribute,
    first_plan,
    living_leaders,
    status_of,
    topology_of,
)
from grevy.protocol.gossip_messages import MemberState, ReplicaState
from grevy.protocol.member_ids import NODE_ID_MAX, host_of, member_id, name_of, node_of
from grevy.protocol.messages import BrokerInfo, PartitionInfo, ReplicaInfo
from grevy.raft import Role

PLAN = first_plan(distribute([1, 2], 2, 2))


def member(
    node_id: int,
    host: int,
    *replicas: ReplicaState,
    liveness: Liveness = Liveness.ALIVE,
    incarnation: int = 1,
) -> Broker:
    state = MemberState(
        member_id(node_id, host),
        incarnation,
        1,
        f"c{node_id}.{host}",
        f"b{node_id}.{host}",
        "0.1.0",
        replicas=replicas,
    )
    return Broker(state, liveness)


def leads(partition_id: int, node_id: int, term: int = 3) -> ReplicaState:
    return ReplicaState(partition_id, term, node_id, Role.LEADER.value, 10)


def follows(partition_id: int, node_id: int, term: int = 3) -> ReplicaState:
    return ReplicaState(partition_id, term, node_id, Role.FOLLOWER.value, 9)


def two_hosts_and_one() -> list[Broker]:
    """Broker 1 has a host for each partition and leads both, broker 2 is one process."""
    return [
        member(1, 0, leads(1, 1)),
        member(1, 1, leads(2, 1)),
        member(2, 0, follows(1, 1), follows(2, 1)),
    ]


def test_member_ids() -> None:
    assert [member_id(7, host) for host in range(3)] == [7, 7 + (1 << 16), 7 + (2 << 16)]
    for node_id, host in product((1, 100, NODE_ID_MAX), (0, 1, 63)):
        member = member_id(node_id, host)
        assert (node_of(member), host_of(member)) == (node_id, host)
    assert (name_of(member_id(3, 0)), name_of(member_id(3, 2))) == ("broker 3", "broker 3 (host 2)")


def test_clients_are_told_where_the_host_of_a_leader_is() -> None:
    reply = topology_of(PLAN, two_hosts_and_one(), number=1, cluster_id="g", version="0.1.0")
    assert reply.partitions == (PartitionInfo(1, "b1.0", 3), PartitionInfo(2, "b1.1", 3))


def test_a_broker_is_one_for_clients_whatever_its_hosts() -> None:
    reply = topology_of(PLAN, two_hosts_and_one(), number=1, cluster_id="g", version="0.1.0")
    led = tuple(ReplicaInfo(each, "leader", 3, 10) for each in (1, 2))
    followed = tuple(ReplicaInfo(each, "follower", 3, 9) for each in (1, 2))
    assert reply.brokers == (
        BrokerInfo(1, "b1.0", "0.1.0", True, led),
        BrokerInfo(2, "b2.0", "0.1.0", True, followed),
    )


def test_messages_go_to_the_host_that_holds_the_partition() -> None:
    members = two_hosts_and_one()
    where = Whereabouts(members, living_leaders(members))
    assert [where.member_of(each, 1) for each in (1, 2)] == [member_id(1, 0), member_id(1, 1)]
    assert [where.member_of(each, 2) for each in (1, 2)] == [2, 2]
    assert [where.leader_of(each) for each in (1, 2, 9)] == [member_id(1, 0), member_id(1, 1), 0]


def test_a_broker_that_has_said_nothing_of_a_partition_is_asked_at_its_first_host() -> None:
    where = Whereabouts([member(1, 1), member(1, 0)], {5: 1})
    assert (where.member_of(5, 1), where.leader_of(5)) == (1, 1)
    assert where.member_of(5, 9) == 9, "one that nobody has heard of"


def test_a_follower_knows_a_leader_before_its_host_has_said_so() -> None:
    members = [
        member(1, 0, follows(1, 0)),
        member(1, 1, follows(2, 0)),
        member(2, 0, follows(1, 1), follows(2, 1)),
    ]
    reply = topology_of(PLAN, members, number=1, cluster_id="g", version="0.1.0")
    assert [each.leader for each in reply.partitions] == ["b1.0", "b1.1"]


def test_the_partitions_of_a_host_that_is_gone_have_no_leader() -> None:
    members = two_hosts_and_one()
    members[1] = members[1]._replace(liveness=Liveness.DEAD)
    reply = topology_of(PLAN, members, number=1, cluster_id="g", version="0.1.0")
    assert [each.leader for each in reply.partitions] == ["b1.0", ""]
    first = reply.brokers[0]
    assert first.is_alive
    assert [(each.role, each.is_healthy) for each in first.replicas] == [
        ("leader", True),
        ("down", False),
    ]
    assert living_leaders(members) == {1: 1}


def test_a_broker_whose_hosts_are_all_gone_is_gone_and_what_it_said_stays() -> None:
    gone = [each._replace(liveness=Liveness.DEAD) for each in two_hosts_and_one()[:2]]
    (broker,) = brokers_of(gone)
    assert broker.liveness is Liveness.DEAD
    assert [each.role for each in broker.state.replicas] == ["leader", "leader"]


def test_hosts_of_before_a_broker_was_started_with_another_number_do_not_count() -> None:
    """Killed with two hosts and started with one: others have heard of the new one already, and
    believe the old second one alive for some seconds.
    """
    members = [
        member(1, 0, leads(1, 1, 5), leads(2, 1, 5), incarnation=9),
        member(1, 1, leads(2, 1, 4), incarnation=1),
        member(2, 0, follows(1, 1, 5), follows(2, 1, 5)),
    ]
    reply = topology_of(PLAN, members, number=1, cluster_id="g", version="0.1.0")
    assert [each.leader for each in reply.partitions] == ["b1.0", "b1.0"]
    assert [each.term for each in reply.brokers[0].replicas] == [5, 5]


def test_the_status_of_a_cluster_is_of_brokers() -> None:
    members = two_hosts_and_one()
    status = status_of(PLAN, members, cluster_id="g", node_id=1)
    assert status.is_well
    assert [(each.node_id, each.leads) for each in status.brokers] == [(1, (1, 2)), (2, ())]
    members[1] = members[1]._replace(liveness=Liveness.DEAD)
    status = status_of(PLAN, members, cluster_id="g", node_id=1)
    assert not status.is_well
    assert [each.is_alive for each in status.partitions[1].replicas] == [False, True]
    assert [each.leader for each in status.partitions] == [1, 0]
