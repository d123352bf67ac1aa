"""Which brokers hold which partition, and who should lead it.

Three brokers, three partitions, three replicas; numbers are priorities, the highest should lead:

                 broker 1   broker 2   broker 3
    partition 1      3          2          1
    partition 2      1          3          2
    partition 3      2          1          3

Partitions go round the brokers. The second partition with the same first broker has the priorities
of the others the other way round, so that the partitions of a broker that fails are led by
different ones. It is Zeebe's distribution, with ids from 1.

When brokers come or go, `redistribute` changes what it must: replicas are moved from brokers that
have gone or that hold two more than others, and leaders only so that each broker should lead as
many partitions as any other, or one more.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from grevy.cluster.errors import DistributionError
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    PartitionPlacement,
    ReplicaPlacement,
)
from grevy.protocol.keys import PARTITIONS_MAX
from grevy.protocol.limits import BROKERS_MAX, REPLICATION_FACTOR_MAX

_Holders: TypeAlias = dict[int, set[int]]
"""Partition id to the brokers that hold it."""

BALANCED_APART: Final = 1
"""How many more replicas, or partitions to lead, one broker may have than another."""


def distribute(
    brokers: Sequence[int], partition_count: int, replication_factor: int
) -> ClusterConfiguration:
    """The placement of a new cluster, round robin; partition ids from 1.

    Raises `DistributionError` for numbers that do not go together.
    """
    check_brokers(brokers)
    check_counts(len(brokers), partition_count, replication_factor)
    ordered = sorted(brokers)
    first = {i + 1: ordered[i % len(ordered)] for i in range(partition_count)}
    holders = {
        i + 1: {ordered[(i + j) % len(ordered)] for j in range(replication_factor)}
        for i in range(partition_count)
    }
    return _configuration(ordered, holders, first)


def fixed(
    brokers: Sequence[int], lists: Mapping[int, Sequence[int]], replication_factor: int
) -> ClusterConfiguration:
    """The placement that `lists` says: for each partition its brokers, the one that should lead it
    first, then the one that should when that fails, and so on.

    Raises `DistributionError` for lists that are not of `replication_factor` brokers each.
    """
    check_brokers(brokers)
    check_counts(len(brokers), len(lists), replication_factor)
    if sorted(lists) != list(range(1, len(lists) + 1)):
        raise DistributionError(
            f"expected the partitions 1 to {len(lists)}, got {_text(sorted(lists))}"
        )
    for partition_id, nodes in sorted(lists.items()):
        _check_list(partition_id, nodes, brokers, replication_factor)
    return ClusterConfiguration(
        tuple(sorted(brokers)),
        tuple(_placement(each, lists[each]) for each in sorted(lists)),
    )


def redistribute(
    current: ClusterConfiguration, brokers: Sequence[int], replication_factor: int
) -> ClusterConfiguration:
    """The placement of the same partitions on other brokers, with as little moved as can be;
    nothing, where there are neither other brokers nor another factor.

    Raises `DistributionError` for numbers that do not go together.
    """
    check_brokers(brokers)
    check_counts(len(brokers), len(current.partitions), replication_factor)
    ordered = sorted(brokers)
    if tuple(ordered) == current.brokers and _has_factor(current, replication_factor):
        return current
    kept = {
        each.partition_id: _kept(each, ordered, replication_factor) for each in current.partitions
    }
    before = {each.partition_id: each for each in current.partitions}
    wished = {partition_id: primary_of(each) for partition_id, each in before.items()}
    holders = _balanced(_filled(kept, ordered, replication_factor), kept, ordered, wished)
    after = _configuration(ordered, holders, _balanced_primaries(holders, ordered, wished))
    return ClusterConfiguration(
        after.brokers,
        tuple(_unless_moved(before[each.partition_id], each) for each in after.partitions),
    )


def primary_of(placement: PartitionPlacement) -> int:
    """The broker that should lead a partition: the voter with the highest priority."""
    voters = [each for each in placement.replicas if not each.is_learner]
    return max(voters, key=lambda each: (each.priority, -each.node_id)).node_id


def check_brokers(brokers: Collection[int]) -> None:
    """Raises `DistributionError` for node ids that are not ids from 1, each once."""
    if len(set(brokers)) != len(brokers):
        raise DistributionError(f"brokers: each node id once, got {_text(sorted(brokers))}")
    if any(node_id < 1 for node_id in brokers):
        raise DistributionError(f"brokers: node ids begin with 1, got {_text(sorted(brokers))}")


def check_counts(broker_count: int, partition_count: int, replication_factor: int) -> None:
    """Raises `DistributionError` for a cluster that cannot be, and says which number to change."""
    if not 1 <= broker_count <= BROKERS_MAX:
        raise DistributionError(f"brokers: expected 1 to {BROKERS_MAX}, got {broker_count}")
    if not 1 <= partition_count <= PARTITIONS_MAX:
        raise DistributionError(
            f"partitions: expected 1 to {PARTITIONS_MAX}, got {partition_count}"
        )
    if not 1 <= replication_factor <= REPLICATION_FACTOR_MAX:
        raise DistributionError(
            f"replication factor: expected 1 to {REPLICATION_FACTOR_MAX}, got {replication_factor}"
        )
    if replication_factor > broker_count:
        raise DistributionError(
            f"a replication factor of {replication_factor} needs as many brokers, "
            f"and there are {broker_count}"
        )


def _check_list(
    partition_id: int, nodes: Sequence[int], brokers: Sequence[int], replication_factor: int
) -> None:
    where = f"partition {partition_id}: {_text(nodes)}"
    if len(nodes) != replication_factor or len(set(nodes)) != len(nodes):
        raise DistributionError(f"{where}: expected {replication_factor} different brokers")
    strangers = sorted(set(nodes) - set(brokers))
    if strangers:
        raise DistributionError(f"{where}: there is no broker {_text(strangers)}")


def _configuration(
    brokers: Sequence[int], holders: _Holders, primaries: Mapping[int, int]
) -> ClusterConfiguration:
    """The placements, with priorities."""
    led: Counter[int] = Counter()
    partitions = []
    for partition_id in sorted(holders):
        primary = primaries[partition_id]
        others = _around(primary, holders[partition_id] - {primary}, brokers)
        if led[primary] % 2:
            others.reverse()
        led[primary] += 1
        partitions.append(_placement(partition_id, (primary, *others)))
    return ClusterConfiguration(tuple(brokers), tuple(partitions))


def _around(first: int, nodes: Collection[int], brokers: Sequence[int]) -> list[int]:
    """Brokers in the order in which they come after the first, going round."""
    start, count = brokers.index(first), len(brokers)
    return sorted(nodes, key=lambda node_id: (brokers.index(node_id) - start) % count)


def _placement(partition_id: int, nodes: Sequence[int]) -> PartitionPlacement:
    """A partition whose leader should be the first of these, else the second …"""
    replicas = [ReplicaPlacement(node_id, len(nodes) - i) for i, node_id in enumerate(nodes)]
    return PartitionPlacement(partition_id, tuple(sorted(replicas, key=lambda each: each.node_id)))


def _unless_moved(before: PartitionPlacement, after: PartitionPlacement) -> PartitionPlacement:
    """The placement before, with its priorities, where neither a replica nor the leader moves."""
    is_moved = {each.node_id for each in before.replicas} != {
        each.node_id for each in after.replicas
    } or primary_of(before) != primary_of(after)
    return after if is_moved or any(each.is_learner for each in before.replicas) else before


def _kept(
    placement: PartitionPlacement, brokers: Sequence[int], replication_factor: int
) -> set[int]:
    """The brokers that can keep their replica; those with low priorities go when it is too many."""
    staying = [each for each in placement.replicas if each.node_id in brokers]
    staying.sort(key=lambda each: (each.is_learner, -each.priority, each.node_id))
    return {each.node_id for each in staying[:replication_factor]}


def _has_factor(configuration: ClusterConfiguration, replication_factor: int) -> bool:
    return all(
        len(each.replicas) == replication_factor
        and not any(replica.is_learner for replica in each.replicas)
        for each in configuration.partitions
    )


def _filled(kept: _Holders, brokers: Sequence[int], replication_factor: int) -> _Holders:
    """Every partition with as many brokers as it needs, each new one where there is least."""
    holders = {partition_id: set(nodes) for partition_id, nodes in kept.items()}
    load = _load(holders, brokers)
    # Those that lack most can choose least.
    for partition_id in sorted(holders, key=lambda each: (len(holders[each]), each)):
        nodes = holders[partition_id]
        while len(nodes) < replication_factor:
            free = [node_id for node_id in brokers if node_id not in nodes]
            node_id = min(free, key=lambda each: (load[each], each))
            nodes.add(node_id)
            load[node_id] += 1
    return holders


def _load(holders: _Holders, brokers: Sequence[int]) -> Counter[int]:
    """How many replicas each broker holds."""
    load = Counter(dict.fromkeys(brokers, 0))
    for nodes in holders.values():
        load.update(nodes)
    return load


def _balanced(
    holders: _Holders, kept: _Holders, brokers: Sequence[int], primaries: Mapping[int, int]
) -> _Holders:
    """No broker with two replicas more than another. Replicas that have only now been given a place
    are moved for nothing, then those that should not lead.
    """
    load = _load(holders, brokers)
    while max(load.values()) - min(load.values()) > BALANCED_APART:
        path = _free_path(holders, kept, load) or [_cheapest_move(holders, load, primaries)]
        for partition_id, source, target in path:
            holders[partition_id].remove(source)
            holders[partition_id].add(target)
        load[path[0][1]] -= 1
        load[path[-1][2]] += 1
    return holders


def _free_path(
    holders: _Holders, kept: _Holders, load: Mapping[int, int]
) -> list[tuple[int, int, int]]:
    """Moves (partition, from, to) of new replicas that together take one from a broker with most to
    one with fewest; none when there are no such.
    """
    most, fewest = max(load.values()), min(load.values())
    steps: dict[int, tuple[int, int, int] | None] = {
        node_id: None for node_id in load if load[node_id] == most
    }
    queue = deque(steps)
    while queue:
        source = queue.popleft()
        for target, partition_id in _free_moves(holders, kept, source, load):
            if target in steps:
                continue
            steps[target] = (partition_id, source, target)
            if load[target] == fewest:
                return _traced(steps, target)
            queue.append(target)
    return []


def _cheapest_move(
    holders: _Holders, load: Mapping[int, int], primaries: Mapping[int, int]
) -> tuple[int, int, int]:
    """A move (partition, from, to) from a broker with most to one with fewest. There is always one:
    who holds more than another holds something that the other lacks.
    """
    most, fewest = max(load.values()), min(load.values())
    moves = [
        (primaries[partition_id] == source, partition_id, source, target)
        for source in load
        if load[source] == most
        for target in load
        if load[target] == fewest
        for partition_id, nodes in holders.items()
        if source in nodes and target not in nodes
    ]
    return min(moves)[1:]


def _free_moves(
    holders: _Holders, kept: _Holders, source: int, load: Mapping[int, int]
) -> list[tuple[int, int]]:
    """Where replicas that `source` has been given now could be instead: brokers and partitions."""
    return [
        (target, partition_id)
        for partition_id in sorted(holders)
        if source in holders[partition_id] and source not in kept[partition_id]
        for target in load
        if target not in holders[partition_id]
    ]


def _balanced_primaries(
    holders: _Holders, brokers: Sequence[int], wished: Mapping[int, int]
) -> dict[int, int]:
    """Who should lead each partition: who should before, where that can be.

    With replicas balanced there is always a way to balance leaders, and as long as they are not,
    there is a chain of partitions, each of which can be led by the broker that should lead the next
    one (a flow in which each broker leads its share of what it holds shows the first, the theory of
    such assignments the second).
    """
    primaries = {}
    load = Counter(dict.fromkeys(brokers, 0))
    for partition_id in sorted(holders):
        nodes, wish = holders[partition_id], wished[partition_id]
        primary = wish if wish in nodes else min(nodes, key=lambda each: (load[each], each))
        primaries[partition_id] = primary
        load[primary] += 1
    while max(load.values()) - min(load.values()) > BALANCED_APART:
        path = _leading_path(holders, primaries, load)
        primaries.update({partition_id: target for partition_id, _, target in path})
        load[path[0][1]] -= 1
        load[path[-1][2]] += 1
    return primaries


def _leading_path(
    holders: _Holders, primaries: Mapping[int, int], load: Mapping[int, int]
) -> list[tuple[int, int, int]]:
    """The shortest chain of changes (partition, from, to) that takes one partition to lead from a
    broker with many to one with at least two less.
    """
    for start in sorted(load, key=lambda each: (-load[each], each)):
        steps: dict[int, tuple[int, int, int] | None] = {start: None}
        queue = deque(steps)
        while queue:
            source = queue.popleft()
            if load[source] + BALANCED_APART < load[start]:
                return _traced(steps, source)
            led = [each for each in sorted(primaries) if primaries[each] == source]
            for partition_id in led:
                for target in sorted(holders[partition_id] - steps.keys()):
                    steps[target] = (partition_id, source, target)
                    queue.append(target)
    raise AssertionError("balanced replicas can be led in a balanced way")


def _traced(
    steps: Mapping[int, tuple[int, int, int] | None], end: int
) -> list[tuple[int, int, int]]:
    """The steps of a search that lead to `end`, first to last."""
    path = []
    step = steps[end]
    while step is not None:
        path.append(step)
        step = steps[step[1]]
    return path[::-1]


def _text(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
