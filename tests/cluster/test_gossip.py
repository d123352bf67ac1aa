"""Gossip in the simulated world: who is there and who leads is known by all in a bounded number of
rounds, whatever the network does; what is old or comes twice changes nothing.
"""

from __future__ import annotations

import os

import pytest
from tests.cluster.gossiping import ROUND_MS, GossipSim, Process, endpoint
from tests.sim.network import Weather

from grevy.cluster import (
    Gossiper,
    GossipSettings,
    Liveness,
    NodeIdTaken,
    OtherCluster,
    OtherSettings,
    OtherVersion,
    begin,
    distribute,
    first_plan,
    redistribute,
)
from grevy.protocol.gossip_messages import ClusterPlan, Gossip, ReplicaState

SEED = int(os.environ.get("GREVY_SEED", "1"))
SEEDS = range(SEED, SEED + (100 if os.environ.get("GREVY_FLIPS") == "all" else 3))
BAD = Weather(lost=0.2, doubled=0.2, late=0.1)
DEAD_ROUNDS = 5_000 // ROUND_MS


def leads(partition_id: int, term: int, node_id: int) -> ReplicaState:
    return ReplicaState(partition_id, term, node_id, "leader")


def follows(partition_id: int, term: int, leader: int) -> ReplicaState:
    return ReplicaState(partition_id, term, leader, "follower")


def formed(count: int, seed: int = SEED, weather: Weather | None = None) -> GossipSim:
    """A cluster whose brokers know each other."""
    sim = GossipSim(seed, weather)
    sim.start_all(count, contacts=range(1, min(count, 3) + 1))
    sim.rounds_until_all_know(40)
    return sim


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("count", "rounds_max"), [(1, 0), (3, 2), (5, 4), (30, 8)])
def test_a_cluster_forms_from_contact_points(count: int, rounds_max: int, seed: int) -> None:
    sim = GossipSim(seed)
    sim.start_all(count, contacts=range(1, min(count, 3) + 1))
    sim.rounds_until_all_know(rounds_max)
    sim.run(4 * ROUND_MS)
    assert all(each.gossiper.unanswered(sim.now_ms) == () for each in sim.processes.values())
    assert all(not each.gossiper.problems(sim.now_ms) for each in sim.processes.values())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("count", "rounds"), [(3, 100), (7, 100), (30, 20)])
def test_in_bad_weather_nobody_is_given_up(count: int, rounds: int, seed: int) -> None:
    sim = GossipSim(seed, BAD)
    sim.start_all(count, contacts=[1, 2])
    sim.rounds_until_all_know(24)
    for _ in range(rounds):
        sim.run(ROUND_MS)
        for process in sim.processes.values():
            assert len(process.alive()) == count


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [3, 12])
def test_the_dead_are_known_in_bounded_time_and_come_back(count: int, seed: int) -> None:
    sim = formed(count, seed, BAD)
    sim.processes[2].stop()
    sim.run(1_000)
    assert all(2 in each.alive() for each in sim.processes.values()), "too early to tell"
    # A late message holds some 2 s, as does the way through others.
    sim.rounds_until_all_know(DEAD_ROUNDS + 20)
    assert {each.liveness(2) for each in sim.processes.values()} == {Liveness.DEAD}
    sim.start(2, contacts=[1, 3])
    sim.rounds_until_all_know(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restarted_broker_is_a_new_incarnation_even_if_its_clock_went_back(seed: int) -> None:
    sim = formed(3, seed)
    sim.processes[2].set_replicas(leads(1, 4, 2))
    before = sim.processes[2].gossiper.own
    sim.run(ROUND_MS)
    sim.processes[2].stop()
    sim.skew_ms[2] = -3_600_000
    again = sim.start(2, contacts=[1, 3])
    assert again.gossiper.own.incarnation < before.incarnation
    sim.run(4 * ROUND_MS)
    assert again.gossiper.own.incarnation > before.incarnation
    for process in sim.processes.values():
        assert process.state_of(2).instance == again.gossiper.own.instance
        assert process.state_of(2).replicas == ()
    assert again.error is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [3, 8])
def test_a_new_leader_is_known_at_once(count: int, seed: int) -> None:
    """Not at the next round: within a message's time."""
    sim = formed(count, seed)
    sim.processes[1].set_replicas(leads(1, 3, 1))
    sim.run(2)
    assert {each.leader_of(1) for each in sim.processes.values()} == {(3, 1)}
    sim.processes[2].set_replicas(leads(1, 4, 2))
    sim.run(2)
    assert {each.leader_of(1) for each in sim.processes.values()} == {(4, 2)}
    sim.processes[1].set_replicas(follows(1, 4, 2))
    sim.run(2)
    assert {each.leader_of(1) for each in sim.processes.values()} == {(4, 2)}


@pytest.mark.parametrize("seed", SEEDS)
def test_leaders_in_bad_weather_are_known_within_rounds(seed: int) -> None:
    """The newest term wins everywhere, whatever comes late; and it never falls."""
    sim = formed(7, seed, BAD)
    seen = dict.fromkeys(sim.processes, 0)
    for term in range(1, 31):
        leader = sim.world.rng.randrange(1, 8)
        for node_id, process in sim.processes.items():
            role = leads(1, term, leader) if node_id == leader else follows(1, term, leader)
            process.set_replicas(role)
        for _ in range(3):
            sim.run(ROUND_MS)
            for node_id, process in sim.processes.items():
                known, _who = process.leader_of(1)
                assert known >= seen[node_id]
                seen[node_id] = known
        assert {each.leader_of(1) for each in sim.processes.values()} == {(term, leader)}


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_and_healed(seed: int) -> None:
    sim = formed(5, seed, BAD)
    sim.split([1, 2], [3, 4, 5])
    sim.run(9_000)
    for node_id, process in sim.processes.items():
        assert process.alive() == ({1, 2} if node_id < 3 else {3, 4, 5})
    sim.processes[4].set_replicas(leads(1, 9, 4))
    sim.run(ROUND_MS)
    sim.split()
    sim.rounds_until_all_know(16)
    sim.run(4 * ROUND_MS)
    assert {each.leader_of(1) for each in sim.processes.values()} == {(9, 4)}


@pytest.mark.parametrize("seed", SEEDS)
def test_who_hears_nobody_directly_hears_through_others(seed: int) -> None:
    """A bridge: 1 and 3 are cut off from each other, both talk to 2."""
    sim = formed(3, seed)
    sim.split([1], [3])
    sim.processes[3].set_replicas(leads(2, 5, 3))
    for _ in range(60):
        sim.run(ROUND_MS)
        assert all(each.alive() == {1, 2, 3} for each in sim.processes.values())
    assert sim.processes[1].leader_of(2) == (5, 3)


def test_one_that_was_stopped_does_not_think_that_all_others_are_dead() -> None:
    sim = formed(3)
    sim.stopped.add(1)
    sim.run(20_000)
    assert sim.processes[2].alive() == {2, 3}
    sim.stopped.clear()
    sim.run(60)
    assert sim.processes[1].alive() == {1, 2, 3}
    sim.rounds_until_all_know(4)


def test_who_leaves_is_gone_at_once_and_forgotten_later() -> None:
    sim = formed(4)
    old = sim.processes[2].gossiper.own
    sim.processes[2].leave()
    sim.run(2)
    for process in sim.processes.values():
        assert process.alive() == {1, 3, 4}
        assert process.liveness(2) is Liveness.LEFT
    sim.run(70_000)
    assert {each.liveness(2) for each in sim.processes.values()} == {None}
    # What somebody still says of it is no news.
    one = sim.processes[1].gossiper
    other = sim.processes[3].gossiper.own
    late = sim.processes[3].gossiper.tick(sim.now_ms + ROUND_MS)[0].gossip
    one.receive("grevy", type(late)(3, (other, old)), sim.now_ms)
    assert sim.processes[1].liveness(2) is None
    sim.start(2, contacts=[1])
    sim.rounds_until_all_know(6)


def test_the_contact_point_of_a_broker_that_was_removed_is_not_missed() -> None:
    sim = GossipSim(SEED)
    for machine in (1, 2, 3):
        sim.plans[machine] = first_plan(distribute([1, 2, 3], 1, 2))
    sim.start_all(3, contacts=[1, 2, 3])
    sim.rounds_until_all_know(4)
    sim.run(4 * ROUND_MS)
    sim.processes[2].leave()
    sim.run(2)
    one = sim.processes[1].gossiper
    assert one.unanswered(sim.now_ms) == ("machine-2:26601",)
    without = distribute([1, 3], 1, 2)
    sim.processes[1].adopt(ClusterPlan(2, 1, 1, without, without))
    assert one.unanswered(sim.now_ms) == ()


def test_what_comes_again_proves_nothing() -> None:
    sim = formed(3)
    one = sim.processes[1]
    letter = sim.processes[2].gossiper.tick(sim.now_ms + ROUND_MS)[0].gossip
    sim.processes[2].stop()
    sim.processes[3].stop()
    sim.run(4_000)
    one.gossiper.receive("grevy", letter, sim.now_ms)
    assert one.liveness(2) is Liveness.ALIVE, "it was newer than what was known"
    for _ in range(10):
        sim.run(1_000)
        one.gossiper.receive("grevy", letter, sim.now_ms)
    assert one.liveness(2) is Liveness.DEAD


def test_the_first_thing_heard_may_be_old() -> None:
    sim = GossipSim(SEED)
    one, two = sim.start(1, contacts=[]), sim.start(2, contacts=[])
    sim.run(10_000)
    for liveness in (Liveness.SUSPECT, Liveness.ALIVE):
        own = two.gossiper.own
        one.gossiper.receive("grevy", Gossip(2, (own,)), sim.now_ms)
        assert one.liveness(2) is liveness
        sim.run(ROUND_MS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_id_that_is_taken_ends_the_newcomer(seed: int) -> None:
    sim = formed(3, seed)
    sim.run(10_000)
    second = sim.start(9, contacts=[1, 3], node_id=2)
    sim.run(5_000)
    assert isinstance(second.error, NodeIdTaken)
    assert str(second.error) == (
        "node id 2 is taken: the broker at machine-2:26601 runs under it, "
        "and so does this one at machine-9:26601"
    )
    sim.run(2_000)
    assert sim.processes[2].error is None
    (problem,) = sim.processes[2].gossiper.problems(sim.now_ms)
    assert isinstance(problem, NodeIdTaken)
    for process in sim.processes.values():
        assert process.state_of(2).cluster_endpoint == endpoint(2), "the first one has its id back"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_id_that_is_taken_where_there_is_nobody_else(seed: int) -> None:
    sim = GossipSim(seed)
    first = sim.start(2, contacts=[2, 9])
    sim.run(10_000)
    second = sim.start(9, contacts=[2, 9], node_id=2)
    sim.run(5_000)
    assert isinstance(second.error, NodeIdTaken)
    (problem,) = first.gossiper.problems(sim.now_ms)
    assert isinstance(problem, NodeIdTaken)


def test_a_node_id_moves_to_another_machine() -> None:
    sim = formed(3)
    sim.processes[2].stop()
    moved = sim.start(9, contacts=[1, 3], node_id=2)
    sim.run(5_000)
    assert moved.error is None
    assert sim.processes[1].state_of(2).cluster_endpoint == endpoint(9)


def refused(sim: GossipSim, newcomer: Process) -> None:
    """The newcomer has ended; those who were there have a problem to show, and nothing else."""
    sim.run(2_000)
    assert newcomer.error is not None
    assert any(each.gossiper.problems(sim.now_ms) for each in sim.processes.values())
    assert all(each.alive() == {1, 2, 3} for each in sim.processes.values())
    sim.run(70_000)
    assert not any(each.gossiper.problems(sim.now_ms) for each in sim.processes.values())


def test_a_broker_of_another_cluster() -> None:
    sim = formed(3)
    newcomer = sim.start(4, contacts=[1], cluster_id="other")
    refused(sim, newcomer)
    assert isinstance(newcomer.error, OtherCluster)
    assert str(newcomer.error) == (
        "broker 1 at machine-1:26601 is of cluster 'grevy', this one of 'other'"
    )


def test_another_cluster_at_an_address_of_before_ends_nobody() -> None:
    """Addresses are given out again; the others are still to be found."""
    sim = formed(3)
    sim.processes[2].stop()
    again = sim.start(9, contacts=[1], cluster_id="other", node_id=2, known=[1, 3])
    sim.run(2_000)
    assert again.error is None
    assert any(isinstance(each, OtherCluster) for each in again.gossiper.problems(sim.now_ms))


@pytest.mark.parametrize("software", ["0.4.0", "1.2.0", "next"])
def test_a_broker_of_another_release(software: str) -> None:
    sim = formed(3)
    newcomer = sim.start(4, contacts=[1], software=software)
    refused(sim, newcomer)
    assert isinstance(newcomer.error, OtherVersion)
    assert f"is of release 0.2.0, this one of {software}: " in str(newcomer.error)


def test_releases_next_to_each_other_work_together() -> None:
    sim = formed(3)
    sim.start(4, contacts=[1], software="0.3.7")
    sim.start(5, contacts=[1], software="0.1.0")
    sim.rounds_until_all_know(8)


def test_a_broker_with_other_settings() -> None:
    sim = GossipSim(SEED)
    for machine in (1, 2, 3):
        sim.plans[machine] = first_plan(distribute([1, 2, 3], 3, 3))
    sim.start_all(3, contacts=[1, 2, 3])
    sim.rounds_until_all_know(4)
    sim.plans[4] = first_plan(distribute([1, 2, 3, 4], 1, 3))
    newcomer = sim.start(4, contacts=[2])
    refused(sim, newcomer)
    assert isinstance(newcomer.error, OtherSettings)
    assert str(newcomer.error) == (
        "broker 2 at machine-2:26601 was started for brokers 1, 2, 3 with 3 partitions of 3 "
        "replicas, this one for brokers 1, 2, 3, 4 with 1 partitions of 3 replicas"
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weather", [Weather(), BAD])
def test_the_newest_plan_reaches_everybody(seed: int, weather: Weather) -> None:
    sim = GossipSim(seed, weather)
    before = distribute([1, 2, 3], 3, 3)
    for machine in (1, 2, 3):
        sim.plans[machine] = first_plan(before)
    sim.start_all(4, contacts=[1, 2])
    sim.rounds_until_all_know(20)
    sim.run(8 * ROUND_MS)
    assert sim.have_one_plan(), "the one that joins has it from the others"
    target = redistribute(before, [1, 2, 3, 4], 3)
    sim.split([1, 2, 4], [3])
    sim.run(ROUND_MS)
    plan = begin(first_plan(before), target, author=1, alive={1, 2, 3, 4})
    sim.processes[1].adopt(plan)
    sim.run(12 * ROUND_MS)
    assert sim.processes[3].gossiper.plan == first_plan(before)
    assert 3 not in sim.processes[1].gossiper.holders()
    sim.split()
    sim.run(24 * ROUND_MS)
    assert {each.gossiper.plan == plan for each in sim.processes.values()} == {True}
    assert sim.processes[2].gossiper.holders() == {1, 2, 3, 4}


def test_a_seed_repeats_itself() -> None:
    hashes = []
    for seed in (SEED, SEED, SEED + 1):
        sim = GossipSim(seed, BAD)
        sim.start_all(5, contacts=[1])
        sim.run(5_000)
        hashes.append(sim.world.trace_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_talk_is_bounded() -> None:
    """Letters a second and broker: three questions and three answers a round, at most."""
    for count in (3, 30):
        sim = formed(count)
        sim.sent = 0
        sim.run(2_000)
        assert sim.sent / count / 2 <= 2 * min(count - 1, 3) * 1_000 / ROUND_MS


@pytest.mark.parametrize(
    "wrong",
    [{"node_id": 0}, {"fan_out": 0}, {"round_ms": 2_000}, {"dead_ms": 1_000}, {"round_ms": 1}],
)
def test_settings_that_cannot_be(wrong: dict[str, int]) -> None:
    given = {"node_id": 1, **wrong}
    settings = GossipSettings(
        cluster_id="grevy",
        cluster_endpoint="a:1",
        client_endpoint="a:2",
        software="0.1.0",
        **given,  # type: ignore[arg-type]  # numbers, all of them
    )
    with pytest.raises(ValueError, match="expected"):
        Gossiper(settings, GossipSim(1).world.entropy, 0, None)
