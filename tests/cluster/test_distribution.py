"""Where replicas lie and who should lead: the reference's examples, balance, and what is moved when
brokers come and go.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.cluster import DistributionError, distribute, fixed, primary_of, redistribute
from grevy.protocol.gossip_messages import ClusterConfiguration, PartitionPlacement

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 24), st.integers(1, 5)).map(
    lambda sizes: (sizes[0], sizes[1], min(sizes[0], sizes[2]))
)
"""Brokers, partitions, replication factor."""


def table(configuration: ClusterConfiguration) -> list[dict[int, int]]:
    """Each partition's priorities by broker."""
    return [
        {each.node_id: each.priority for each in placement.replicas}
        for placement in configuration.partitions
    ]


def holders(configuration: ClusterConfiguration) -> dict[int, frozenset[int]]:
    return {
        each.partition_id: frozenset(replica.node_id for replica in each.replicas)
        for each in configuration.partitions
    }


def check_placement(configuration: ClusterConfiguration, brokers: list[int], factor: int) -> None:
    """What holds for every placement: replicas on different brokers, priorities from 1 to the
    replication factor, each broker should lead as many as any other, or one more.
    """
    assert configuration.brokers == tuple(sorted(brokers))
    for placement in configuration.partitions:
        nodes = [each.node_id for each in placement.replicas]
        assert nodes == sorted(set(nodes))
        assert len(nodes) == factor
        assert set(nodes) <= set(brokers)
        priorities = sorted(each.priority for each in placement.replicas)
        assert priorities == list(range(1, factor + 1))
    primaries = Counter(dict.fromkeys(brokers, 0))
    primaries.update(map(primary_of, configuration.partitions))
    assert max(primaries.values()) - min(primaries.values()) <= 1


def check(configuration: ClusterConfiguration, brokers: list[int], factor: int) -> None:
    """Above, and no broker holds two replicas more than another. Round robin has that when
    all brokers are first equally often.
    """
    check_placement(configuration, brokers, factor)
    replicas = Counter(dict.fromkeys(brokers, 0))
    for nodes in holders(configuration).values():
        replicas.update(nodes)
    assert max(replicas.values()) - min(replicas.values()) <= 1


def moved(before: ClusterConfiguration, after: ClusterConfiguration) -> int:
    """How many replicas are made anew."""
    old, new = holders(before), holders(after)
    return sum(len(new[partition_id] - old[partition_id]) for partition_id in new)


def test_three_brokers_three_partitions_three_replicas() -> None:
    configuration = distribute([1, 2, 3], 3, 3)
    assert table(configuration) == [
        {1: 3, 2: 2, 3: 1},
        {1: 1, 2: 3, 3: 2},
        {1: 2, 2: 1, 3: 3},
    ]
    assert list(map(primary_of, configuration.partitions)) == [1, 2, 3]


def test_the_second_round_has_the_other_priorities_the_other_way_round() -> None:
    assert table(distribute([1, 2, 3], 7, 3))[3:] == [
        {1: 3, 2: 1, 3: 2},
        {1: 2, 2: 3, 3: 1},
        {1: 1, 2: 2, 3: 3},
        {1: 3, 2: 2, 3: 1},
    ]


def test_fewer_replicas_than_brokers() -> None:
    assert table(distribute([1, 2, 3, 4], 5, 2)) == [
        {1: 2, 2: 1},
        {2: 2, 3: 1},
        {3: 2, 4: 1},
        {1: 1, 4: 2},
        {1: 2, 2: 1},
    ]


@given(SIZES)
def test_every_distribution_is_balanced(sizes: tuple[int, int, int]) -> None:
    broker_count, partition_count, factor = sizes
    brokers = [3 * i + 1 for i in range(broker_count)]
    configuration = distribute(brokers, partition_count, factor)
    check_placement(configuration, brokers, factor)
    if partition_count % broker_count == 0:
        check(configuration, brokers, factor)


@given(SIZES)
def test_the_leaders_of_a_broker_that_fails_are_balanced_over_the_others(
    sizes: tuple[int, int, int],
) -> None:
    """With as many partitions as the alternation needs to come round."""
    broker_count, _, factor = sizes
    brokers = list(range(1, broker_count + 1))
    configuration = distribute(brokers, 2 * broker_count, factor)
    for failed in brokers:
        second = Counter(
            max(
                (each.priority, each.node_id)
                for each in placement.replicas
                if each.node_id != failed
            )
            for placement in configuration.partitions
            if factor > 1 and primary_of(placement) == failed
        )
        led = Counter({node_id: 0 for _, node_id in second})
        for (_, node_id), count in second.items():
            led[node_id] += count
        assert max(led.values(), default=1) == (1 if factor > 2 else min(2, factor))


def test_lists_say_where_replicas_lie() -> None:
    configuration = fixed([1, 2, 3], {1: [2, 1], 2: [2, 3]}, 2)
    assert table(configuration) == [{1: 1, 2: 2}, {2: 2, 3: 1}]
    assert configuration.brokers == (1, 2, 3)


@pytest.mark.parametrize(
    ("brokers", "partitions", "factor", "why"),
    [
        ([1, 2], 3, 3, "a replication factor of 3 needs as many brokers, and there are 2"),
        ([1, 2], 3, 0, "replication factor: expected 1 to 6, got 0"),
        ([1, 2], 0, 1, "partitions: expected 1 to 4095, got 0"),
        ([1, 2], 4096, 1, "partitions: expected 1 to 4095, got 4096"),
        ([], 1, 1, "brokers: expected 1 to 100, got 0"),
        ([0, 1], 1, 1, "brokers: node ids begin with 1, got 0, 1"),
        ([1, 2, 1], 1, 1, "brokers: each node id once, got 1, 1, 2"),
    ],
)
def test_numbers_that_do_not_go_together(
    brokers: list[int], partitions: int, factor: int, why: str
) -> None:
    with pytest.raises(DistributionError, match=f"^{why}$"):
        distribute(brokers, partitions, factor)


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ({1: [1, 2], 3: [1, 2]}, "expected the partitions 1 to 2, got 1, 3"),
        ({1: [1]}, "partition 1: 1: expected 2 different brokers"),
        ({1: [1, 1]}, "partition 1: 1, 1: expected 2 different brokers"),
        ({1: [1, 7]}, "partition 1: 1, 7: there is no broker 7"),
    ],
)
def test_lists_that_do_not_go(lists: dict[int, list[int]], why: str) -> None:
    with pytest.raises(DistributionError, match=f"^{why}$"):
        fixed([1, 2, 3], lists, 2)


def test_a_fourth_broker_takes_its_share_and_nothing_else_moves() -> None:
    before = distribute([1, 2, 3], 4, 3)
    after = redistribute(before, [1, 2, 3, 4], 3)
    check(after, [1, 2, 3, 4], 3)
    assert moved(before, after) == 3
    assert sum(4 in nodes for nodes in holders(after).values()) == 3
    changed = [
        old for old, new in zip(before.partitions, after.partitions, strict=True)
        if primary_of(old) != primary_of(new)
    ]  # fmt: skip
    assert len(changed) == 1, "a broker that should lead two gives one away"


def test_a_broker_that_goes_leaves_its_replicas_and_nothing_else_moves() -> None:
    before = distribute([1, 2, 3, 4], 8, 3)
    after = redistribute(before, [1, 2, 4], 3)
    check(after, [1, 2, 4], 3)
    assert moved(before, after) == sum(3 in nodes for nodes in holders(before).values()) == 6


def test_nothing_moves_when_nothing_changes() -> None:
    for configuration in (
        distribute([1, 2, 3], 7, 2),
        fixed([1, 2, 3], {1: [2, 3, 1], 2: [3, 1, 2], 3: [1, 3, 2]}, 3),
    ):
        factor = len(configuration.partitions[0].replicas)
        assert redistribute(configuration, [1, 2, 3], factor) == configuration


def test_a_smaller_replication_factor_drops_those_with_the_least_priority() -> None:
    before = distribute([1, 2, 3], 3, 3)
    after = redistribute(before, [1, 2, 3], 2)
    check(after, [1, 2, 3], 2)
    assert table(after) == [{1: 2, 2: 1}, {2: 2, 3: 1}, {1: 1, 3: 2}]


@given(SIZES, st.data())
def test_brokers_come_and_go(sizes: tuple[int, int, int], data: st.DataObject) -> None:
    """Balanced after each change; and hardly more is moved than the replicas of brokers that have
    gone and what others hold too much, which is a lower bound.
    """
    broker_count, partition_count, factor = sizes
    configuration = distribute(list(range(1, broker_count + 1)), partition_count, factor)
    for _ in range(4):
        brokers = data.draw(st.lists(st.integers(1, 10), min_size=factor, max_size=9, unique=True))
        after = redistribute(configuration, brokers, factor)
        if set(brokers) != set(configuration.brokers):
            check(after, brokers, factor)
        assert redistribute(after, brokers, factor) == after
        assert moved(configuration, after) <= moves_needed(configuration, brokers, factor) + factor
        configuration = after


def moves_needed(before: ClusterConfiguration, brokers: list[int], factor: int) -> int:
    """A lower bound: replicas that have no broker any more, and those above any broker's share."""
    load = Counter(dict.fromkeys(brokers, 0))
    for nodes in holders(before).values():
        load.update(nodes & set(brokers))
    total = len(before.partitions) * factor
    share, more = divmod(total, len(brokers))
    orphans = total - load.total()
    surplus = sorted((max(0, count - share) for count in load.values()), reverse=True)
    over = sum(surplus) - sum(1 for count in surplus[:more] if count)
    return orphans + over


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(list(combinations(range(1, 5), 2))), min_size=1, max_size=4),
    st.sets(st.integers(1, 5), min_size=2),
)
def test_as_few_moves_as_any_balanced_placement_has(
    sets: list[tuple[int, int]], brokers: set[int]
) -> None:
    """Against all placements there are, for small clusters with any placement before."""
    before = fixed([1, 2, 3, 4], {i + 1: list(nodes) for i, nodes in enumerate(sets)}, 2)
    after = redistribute(before, sorted(brokers), 2)
    if brokers == {1, 2, 3, 4}:
        assert after == before
        return
    check(after, sorted(brokers), 2)
    assert moved(before, after) == least(before.partitions, sorted(brokers))


def least(partitions: tuple[PartitionPlacement, ...], brokers: list[int]) -> int:
    """The fewest moves of all balanced placements, by going through loads that can be reached."""
    reached = {tuple(0 for _ in brokers): 0}
    for placement in partitions:
        old = {each.node_id for each in placement.replicas}
        following: dict[tuple[int, ...], int] = {}
        for load, moves in reached.items():
            for pair in combinations(range(len(brokers)), 2):
                new = tuple(count + (i in pair) for i, count in enumerate(load))
                cost = moves + sum(brokers[i] not in old for i in pair)
                following[new] = min(cost, following.get(new, cost))
        reached = following
    return min(moves for load, moves in reached.items() if max(load) - min(load) <= 1)
