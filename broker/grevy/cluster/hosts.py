"""The members of a broker, put together: who holds what, and the broker as others see it.

A broker may be several processes (`protocol/member_ids.py`), each with replicas and sockets of its
own. Plans, Raft and those who look at the cluster know brokers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from grevy.cluster.gossip import Broker
from grevy.cluster.members import Liveness
from grevy.protocol.gossip_messages import ReplicaState
from grevy.protocol.member_ids import DOWN, node_of

_BEST_FIRST: Final = (Liveness.ALIVE, Liveness.SUSPECT, Liveness.LEFT, Liveness.DEAD)


def is_alive(member: Broker) -> bool:
    """Whether clients should try it: one that is only suspected is given the benefit of the
    doubt.
    """
    return member.liveness in (Liveness.ALIVE, Liveness.SUSPECT)


class Holders:
    """Which member of a broker holds a partition, as the members say.

    Where two of a broker say so, it was started with another number of hosts, and one of them is of
    before: the one that is alive counts, or began later.
    """

    def __init__(self, members: Sequence[Broker]) -> None:
        self._by_place: dict[tuple[int, int], Broker] = {}
        self._by_id = {each.state.node_id: each for each in members}
        for member in members:
            node_id = node_of(member.state.node_id)
            for replica in member.state.replicas:
                place = replica.partition_id, node_id
                before = self._by_place.get(place)
                if before is None or _is_better(member, before):
                    self._by_place[place] = member

    def __iter__(self) -> Iterator[tuple[tuple[int, int], Broker]]:
        """All that is known: (partition, node id) and the member that has it."""
        return iter(self._by_place.items())

    def member(self, partition_id: int, node_id: int) -> Broker | None:
        """The one; a broker's first where none has said so yet, None for an unknown broker."""
        return self._by_place.get((partition_id, node_id)) or self._by_id.get(node_id)

    def holds(self, member: Broker, partition_id: int) -> bool:
        """Whether it is this one, of its broker's."""
        node_id = node_of(member.state.node_id)
        return self._by_place.get((partition_id, node_id)) is member


def hosts_up(members: Sequence[Broker]) -> dict[tuple[int, int], bool]:
    """Whether the host of a replica is there, by partition and node id, as far as members have said
    what they hold.
    """
    return {place: is_alive(member) for place, member in Holders(members)}


class Whereabouts:
    """Where to send what is for a partition, as of one moment: `leaders` are node ids."""

    def __init__(self, members: Sequence[Broker], leaders: Mapping[int, int]) -> None:
        self._holders = Holders(members)
        self._leaders = leaders
        self._found: dict[tuple[int, int], int] = {}

    def member_of(self, partition_id: int, node_id: int) -> int:
        """The member that has a broker's replica."""
        place = partition_id, node_id
        found = self._found.get(place)
        if found is None:
            member = self._holders.member(partition_id, node_id)
            found = node_id if member is None else member.state.node_id
            self._found[place] = found
        return found

    def leader_of(self, partition_id: int) -> int:
        """The member that leads; 0 for nobody."""
        node_id = self._leaders.get(partition_id, 0)
        return self.member_of(partition_id, node_id) if node_id else 0


def brokers_of(members: Sequence[Broker]) -> tuple[Broker, ...]:
    """The brokers that the members are: each is what its first one says of itself, with the
    replicas of all, and is as well as the best of them.
    """
    holders = Holders(members)
    by_node = sorted(members, key=lambda each: (node_of(each.state.node_id), each.state.node_id))
    groups = groupby(by_node, key=lambda each: node_of(each.state.node_id))
    return tuple(_joined(list(group), holders) for _, group in groups)


def _joined(members: list[Broker], holders: Holders) -> Broker:
    first = members[0]
    if len(members) == 1:
        return first
    replicas = [replica for each in members for replica in _said_by(each, members, holders)]
    replicas.sort(key=lambda each: each.partition_id)
    state = replace(first.state, node_id=node_of(first.state.node_id), replicas=tuple(replicas))
    return Broker(state, min((each.liveness for each in members), key=_BEST_FIRST.index))


def _said_by(member: Broker, members: Sequence[Broker], holders: Holders) -> Iterator[ReplicaState]:
    """A member's replicas. What one that is gone said is of no worth beside those that are not."""
    is_down = not is_alive(member) and any(map(is_alive, members))
    for replica in member.state.replicas:
        if holders.holds(member, replica.partition_id):
            yield replace(replica, role=DOWN, is_healthy=False) if is_down else replica


def _is_better(member: Broker, other: Broker) -> bool:
    mine = is_alive(member), member.state.incarnation
    return mine > (is_alive(other), other.state.incarnation)
