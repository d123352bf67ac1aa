"""The cluster as clients see it, and what those who run it are told and may ask for."""

from __future__ import annotations

import msgspec
import pytest

from grevy.cluster import (
    Broker,
    ChangeRefused,
    ChangeRequest,
    ClusterStatus,
    DistributionError,
    Liveness,
    OtherCluster,
    decide,
    decider_of,
    distribute,
    first_plan,
    heir_with_room,
    leaders_of,
    rebalance,
    reply_to,
    status_of,
    topology_of,
)
from grevy.protocol.gossip_messages import MemberState, ReplicaState
from grevy.protocol.messages import BrokerInfo, PartitionInfo, ReplicaInfo, TopologyReply
from grevy.raft import Role

PLAN = first_plan(distribute([1, 2, 3], 2, 3))


def broker(node_id: int, *replicas: ReplicaState, liveness: Liveness = Liveness.ALIVE) -> Broker:
    state = MemberState(node_id, 1, 1, f"c{node_id}:1", f"b{node_id}:1", "0.1.0", replicas=replicas)
    return Broker(state, liveness)


def replica(partition_id: int, term: int, leader: int, role: Role) -> ReplicaState:
    return ReplicaState(partition_id, term, leader, role.value, 10 * term)


def test_topology() -> None:
    brokers = (
        broker(1, replica(1, 4, 1, Role.LEADER), replica(2, 3, 2, Role.FOLLOWER)),
        broker(2, replica(1, 4, 1, Role.FOLLOWER), liveness=Liveness.DEAD),
    )
    reply = topology_of(PLAN, brokers, number=7, cluster_id="grevy", version="0.1.0")
    assert reply == TopologyReply(
        7,
        "grevy",
        "0.1.0",
        (PartitionInfo(1, "b1:1", 4), PartitionInfo(2, "", 3)),
        (
            BrokerInfo(
                1,
                "b1:1",
                "0.1.0",
                True,
                (ReplicaInfo(1, "leader", 4, 40), ReplicaInfo(2, "follower", 3, 30)),
            ),
            BrokerInfo(2, "b2:1", "0.1.0", False, (ReplicaInfo(1, "follower", 4, 40),)),
        ),
        3,
    )


def test_who_was_removed_is_not_of_the_topology_and_who_waits_to_join_is() -> None:
    states = {1: Liveness.ALIVE, 3: Liveness.DEAD, 4: Liveness.LEFT, 5: Liveness.ALIVE}
    brokers = [broker(node_id, liveness=liveness) for node_id, liveness in states.items()]
    reply = topology_of(PLAN, brokers, number=1, cluster_id="grevy", version="0.1.0")
    assert [(each.node_id, each.is_alive) for each in reply.brokers] == [
        (1, True),
        (3, False),
        (5, True),
    ]


def test_the_leader_is_the_one_of_the_highest_term() -> None:
    old = broker(1, replica(1, 4, 1, Role.LEADER))
    new = broker(2, replica(1, 5, 2, Role.LEADER))
    candidate = broker(3, replica(1, 9, 0, Role.CANDIDATE))
    for brokers in ((old, new, candidate), (candidate, new, old)):
        assert leaders_of(brokers) == {1: (5, 2)}
    follower = broker(3, replica(1, 6, 2, Role.FOLLOWER))
    assert leaders_of((old, new, follower)) == {1: (6, 2)}, "who follows knows it first"


def test_a_leader_that_is_dead_is_nobody_to_go_to_and_neither_is_the_one_before() -> None:
    old = broker(1, replica(1, 4, 1, Role.LEADER))
    dead = broker(2, replica(1, 5, 2, Role.LEADER), liveness=Liveness.DEAD)
    reply = topology_of(PLAN, (old, dead), number=1, cluster_id="grevy", version="0.1.0")
    assert reply.partitions[0] == PartitionInfo(1, "", 5)


def test_a_broker_that_knows_no_plan_yet() -> None:
    reply = topology_of(None, (broker(4),), number=1, cluster_id="grevy", version="0.1.0")
    assert (reply.partitions, reply.replication_factor) == ((), 1)
    assert not status_of(None, (broker(4),), cluster_id="grevy", node_id=4).partitions


def all_well() -> tuple[Broker, ...]:
    return tuple(
        broker(
            node_id,
            *(replica(p, 3, p, Role.LEADER if p == node_id else Role.FOLLOWER) for p in (1, 2)),
        )
        for node_id in (1, 2, 3)
    )


def test_status_of_a_cluster_that_is_well() -> None:
    status = status_of(PLAN, all_well(), cluster_id="grevy", node_id=1)
    assert status.is_well
    assert (status.epoch, status.replication_factor, status.steps) == (1, 3, ())
    assert [each.leads for each in status.brokers] == [(1,), (2,), ()]
    assert [(each.leader, each.should_lead, each.term) for each in status.partitions] == [
        (1, 1, 3),
        (2, 2, 3),
    ]
    assert [each.priority for each in status.partitions[0].replicas] == [3, 2, 1]
    assert msgspec.json.decode(msgspec.json.encode(status), type=ClusterStatus) == status


def test_status_of_a_cluster_that_is_not() -> None:
    brokers = (all_well()[0], broker(2, liveness=Liveness.DEAD))
    status = status_of(
        PLAN,
        brokers,
        cluster_id="grevy",
        node_id=1,
        problems=[OtherCluster("a stranger")],
        unanswered=["c3:1"],
    )
    assert not status.is_well
    assert [each.liveness for each in status.brokers] == ["alive", "dead"]
    assert [each.leader for each in status.partitions] == [1, 0]
    assert not any(each.has_majority for each in status.partitions)
    assert status.problems == (
        "a stranger",
        "nobody has answered at contact point c3:1",
        "broker 3 has never been heard of",
    )


def test_status_of_a_change() -> None:
    plan = decide(PLAN, ChangeRequest(add=(4,)), author=1, alive={1, 2, 3, 4})
    status = status_of(
        plan, (*all_well(), broker(4)), cluster_id="grevy", node_id=1, waiting="too early"
    )
    assert status.steps[0] == "add broker 4"
    assert status.waiting == "too early"
    assert status.is_well, "a change is no illness"
    assert not status.brokers[3].is_member
    assert status_of(PLAN, all_well(), cluster_id="grevy", node_id=1, waiting="x").waiting == ""


def test_asking_for_brokers() -> None:
    plan = decide(PLAN, ChangeRequest(add=(4,), remove=(1,)), author=2, alive={1, 2, 3, 4})
    assert (plan.epoch, plan.author, plan.target.brokers) == (2, 2, (2, 3, 4))
    reply = reply_to(plan, {1: 1, 2: 2})
    assert reply.epoch == 2
    assert reply.steps[:5] == (
        "add broker 4",
        "broker 4 joins partition 1 as a learner",
        "broker 4 becomes a voter of partition 1",
        reply.steps[3],
        "broker 1 leaves partition 1",
    )
    assert reply.steps[3].startswith("broker 1 hands partition 1 over to broker ")
    assert reply.steps[-1] == "remove broker 1"


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ChangeRequest(add=(2,)), "broker 2 is a member already"),
        (ChangeRequest(add=(7,)), "broker 7 is not there: start it first, with one of this"),
        (ChangeRequest(remove=(7,)), "broker 7 is no member"),
        (ChangeRequest(), "nothing would change"),
        (ChangeRequest(remove=(3,)), "a replication factor of 3 needs as many brokers, and there"),
        (ChangeRequest(replication_factor=9), "replication factor: expected 1 to 6, got 9"),
    ],
)
def test_what_cannot_be_asked_for(request_: ChangeRequest, why: str) -> None:
    with pytest.raises((ChangeRefused, DistributionError), match=f"^{why}"):
        decide(PLAN, request_, author=1, alive={1, 2, 3, 4})


def test_fewer_replicas_and_fewer_brokers_in_one() -> None:
    request = ChangeRequest(remove=(3,), replication_factor=2)
    plan = decide(PLAN, request, author=1, alive={1, 2, 3})
    assert plan.target.brokers == (1, 2)
    assert reply_to(plan).steps == (
        "broker 3 leaves partition 1",
        "broker 3 leaves partition 2",
        *reply_to(plan).steps[2:-1],
        "remove broker 3",
    )


def test_one_broker_decides() -> None:
    assert decider_of(PLAN, {2, 3, 7}) == 2
    assert decider_of(PLAN, {7}) == 0


def test_leaders_are_where_they_should_be() -> None:
    assert rebalance(PLAN, {1: 3, 2: 2}, {1, 2, 3}) == [(1, 3, 1)]
    assert rebalance(PLAN, {1: 3, 2: 2}, {2, 3}) == [(1, 3, 2)]


def test_who_leads_instead_of_a_broker_whose_disk_is_full() -> None:
    placement = PLAN.current.partitions[0]
    ranks = sorted(placement.replicas, key=lambda each: -each.priority)
    first, second, third = (each.node_id for each in ranks)

    def heir(*full: int, dead: int = 0, hurt: int = 0) -> int:
        brokers = [
            broker(
                node_id,
                ReplicaState(
                    *(1, 4, first, "follower", 9), node_id != hurt, has_room=node_id not in full
                ),
                liveness=Liveness.DEAD if node_id == dead else Liveness.ALIVE,
            )
            for node_id in (1, 2, 3)
        ]
        return heir_with_room(placement, brokers)

    assert heir() == first
    assert heir(first) == second
    assert heir(first, second) == third
    assert heir(first, dead=second) == third
    assert heir(first, hurt=second) == third
    assert heir(1, 2, 3) == 0
