"""Hosts: members of a broker, and the broker that they are."""

from __future__ import annotations

from itertools import product

import pytest

from grevy.cluster import (
    Broker,
    ChangeMembers,
    ChangeRefused,
    Gossiper,
    GossipSettings,
    KeepPlan,
    LedGroup,
    Liveness,
    View,
    Wait,
    Whereabouts,
    begin,
    brokers_of,
    distribute,
    first_plan,
    fixed,
    hosts_up,
    living_leaders,
    next_action,
    status_of,
    topology_of,
    transfers_due,
)
from grevy.cluster.members import MemberTable, Patience
from grevy.cluster.plan import alive_in
from grevy.protocol.gossip_messages import Gossip, MemberState, ReplicaState
from grevy.protocol.member_ids import NODE_ID_MAX, host_of, member_id, name_of, node_of
from grevy.protocol.messages import BrokerInfo, PartitionInfo, ReplicaInfo
from grevy.protocol.raft_messages import GroupMembers
from grevy.raft import Role
from grevy.testing.entropy import SeededEntropy

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


DEAD, ALIVE = Liveness.DEAD, Liveness.ALIVE


def hosts_of_three(*dead: tuple[int, int]) -> list[Broker]:
    """Three brokers of two hosts each, with a partition for each host; all but these are alive."""
    return [
        member(*place, follows(place[1] + 1, 1), liveness=DEAD if place in dead else ALIVE)
        for place in product((1, 2, 3), (0, 1))
    ]


def test_the_first_host_stands_for_its_broker() -> None:
    settings = GossipSettings(
        cluster_id="g",
        node_id=member_id(2, 1),
        cluster_endpoint="a",
        client_endpoint="b",
        software="0.1.0",
    )
    gossiper = Gossiper(settings, SeededEntropy(1), 1, PLAN)
    assert gossiper.alive(0) == frozenset()
    for sender, version in product((1, 2), (1, 2)):  # who is heard of once may be gone
        state = MemberState(sender, 1, version, "c", "d", "0.1.0")
        gossiper.receive("g", Gossip(sender, (state,)), 0)
    assert gossiper.alive(0) == {1, 2}


def test_hosts_are_remembered_as_long_as_their_broker_is_placed() -> None:
    table = MemberTable(Patience(suspect_ms=2, dead_ms=5, forget_ms=60))
    gone = member(2, 1).state
    table.hear(gone, 0)
    table.forget(100, {1, 2})
    assert [each.state for each in table] == [gone]
    table.forget(100, {1})
    assert list(table) == []


def test_a_broker_is_there_for_a_partition_with_the_host_that_has_it() -> None:
    up = hosts_up(hosts_of_three((2, 1), (3, 0)))
    alive = {1, 2}  # by their first hosts
    assert alive_in(1, alive, up) == {1, 2}
    assert alive_in(2, alive, up) == {1, 3}
    assert alive_in(3, alive, up) == {1, 2}, "nobody has it yet"
    assert alive_in(1, {1, 2, 3}) == {1, 2, 3}, "nobody has said anything"


def test_a_group_is_not_changed_while_hosts_of_it_are_down() -> None:
    """First hosts alone would make a majority."""
    before = fixed([1, 2, 3], {1: [1, 2], 2: [1, 2]}, 2)
    target = fixed([1, 2, 3], {1: [1, 2], 2: [1, 3]}, 2)
    with pytest.raises(ChangeRefused, match="partition 2 would be without a majority"):
        begin(
            first_plan(before),
            target,
            author=1,
            alive={1, 2, 3},
            hosts=hosts_up(hosts_of_three((2, 1))[:4]),
        )

    plan = begin(first_plan(before), target, author=1, alive={1, 2, 3})
    group = LedGroup(2, GroupMembers((1, 2)))
    view = View(1, frozenset({1, 2, 3}), frozenset({1, 2, 3}), (group,))
    assert isinstance(next_action(plan, view), ChangeMembers)
    down = view._replace(hosts=hosts_up(hosts_of_three((2, 1))[:4]))
    waits = next_action(plan, down)
    assert isinstance(waits, Wait)
    assert "there is 1" in waits.why


def test_a_group_is_changed_while_only_first_hosts_are_down() -> None:
    """Broker 2's first host is away; the one that has the partition is there."""
    before = fixed([1, 2, 3], {1: [1, 2], 2: [1, 2]}, 2)
    plan = begin(
        first_plan(before),
        fixed([1, 2, 3], {1: [1, 2], 2: [1, 3]}, 2),
        author=1,
        alive={1, 3},
        hosts=hosts_up(hosts_of_three((2, 0))[:4]),
    )
    group = LedGroup(2, GroupMembers((1, 2)))
    hosts = hosts_up(hosts_of_three((2, 0))[:4])
    view = View(1, frozenset({1, 3}), frozenset({1, 3}), (group,), hosts)
    assert next_action(plan, view) == ChangeMembers(2, GroupMembers((1, 2), learners=(3,)))


def test_only_first_hosts_do_what_is_of_the_plan_alone() -> None:
    before = fixed([1], {1: [1]}, 1)
    plan = begin(first_plan(before), fixed([1, 2], {1: [1]}, 1), author=1, alive={1, 2})
    view = View(1, frozenset({1, 2}), frozenset({1}))
    assert isinstance(next_action(plan, view), KeepPlan)
    assert next_action(plan, view._replace(keeps=False)) is None


def test_leads_go_to_whom_the_host_of_the_partition_is_there() -> None:
    configuration = fixed([1, 2, 3], {1: [1, 2, 3], 2: [1, 2, 3]}, 3)
    leaders = {1: 3, 2: 3}
    up = hosts_up(hosts_of_three((1, 1)))
    due = transfers_due(configuration, leaders, {1, 2, 3}, up)
    assert [(step.partition_id, step.to) for step in due] == [(1, 1), (2, 2)]


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
