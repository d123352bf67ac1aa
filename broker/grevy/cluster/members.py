"""Who is in the cluster, as one broker has heard it.

Of two states of a broker the newer one counts, whoever brings it and whenever it comes. A broker
is alive as long as it goes on saying something new: what arrives again, or late, proves nothing.

      first heard of ──▶ SUSPECT ◀──▶ ALIVE ──▶ LEFT      (it said so)
                            │  ▲        ▲         │
                  dead_ms   ▼  └────────┤         ▼ forget_ms
                           DEAD ────────┘      forgotten, but for how new its last state was
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from grevy.protocol.gossip_messages import MemberState
from grevy.protocol.member_ids import node_of

GRAVES_MAX: Final = 1_000
"""Members that are remembered as forgotten, so that what others still say of them is not news."""


class Liveness(Enum):
    """What one broker thinks of another."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"


class Patience(NamedTuple):
    """How long a member may say nothing new, in milliseconds, before it is suspected, and counted
    dead; and how long one that has left, or is dead and has no place in the cluster, is kept.
    """

    suspect_ms: int
    dead_ms: int
    forget_ms: int


class Newer(NamedTuple):
    """How new a state is: the greater one counts."""

    incarnation: int
    instance: int
    version: int


@dataclass(slots=True)
class Member:
    """Another broker: what it said last, and when that was heard (monotonic milliseconds)."""

    state: MemberState
    heard_ms: int


def newness_of_state(state: MemberState) -> Newer:
    """For comparing states of one broker."""
    return Newer(state.incarnation, state.instance, state.version)


class MemberTable:
    """The other brokers. Times are of one monotonic clock, in milliseconds."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._members: dict[int, Member] = {}
        self._graves: dict[int, MemberState] = {}

    def __iter__(self) -> Iterator[Member]:
        """The members, in the order of their ids."""
        return (self._members[node_id] for node_id in sorted(self._members))

    def get(self, node_id: int) -> MemberState | None:
        """What a member said last; also of one that was forgotten."""
        member = self._members.get(node_id)
        return self._graves.get(node_id) if member is None else member.state

    def hear(self, state: MemberState, now_ms: int) -> bool:
        """Take a state; whether it was new."""
        known = self.get(state.node_id)
        if known is not None and newness_of_state(known) >= newness_of_state(state):
            return False
        # The first thing heard may be old; the second proves that there is somebody.
        is_alive = state.node_id in self._members
        heard_ms = now_ms if is_alive else now_ms - self._patience.suspect_ms
        self._members[state.node_id] = Member(state, heard_ms)
        self._graves.pop(state.node_id, None)
        return True

    def liveness(self, member: Member, now_ms: int) -> Liveness:
        """What to think of a member."""
        silent_ms = now_ms - member.heard_ms
        if member.state.is_leaving:
            return Liveness.LEFT
        if silent_ms >= self._patience.dead_ms:
            return Liveness.DEAD
        return Liveness.SUSPECT if silent_ms >= self._patience.suspect_ms else Liveness.ALIVE

    def alive(self, now_ms: int) -> list[MemberState]:
        """Those to talk to: the suspected are among them."""
        able = (Liveness.ALIVE, Liveness.SUSPECT)
        return [each.state for each in self if self.liveness(each, now_ms) in able]

    def dead(self, now_ms: int) -> list[MemberState]:
        """Those to try now and then."""
        return [each.state for each in self if self.liveness(each, now_ms) is Liveness.DEAD]

    def excuse(self, slept_ms: int) -> None:
        """This broker was stopped for so long: nobody else was silent then."""
        for member in self._members.values():
            member.heard_ms += slept_ms

    def forget(self, now_ms: int, placed: Collection[int]) -> None:
        """Forget those that left, and the dead of brokers that are not `placed`, in the plan."""
        for member in list(self):
            silent_ms = now_ms - member.heard_ms
            node_id = member.state.node_id
            is_gone = self.liveness(member, now_ms) in (Liveness.LEFT, Liveness.DEAD)
            if is_gone and node_of(node_id) not in placed and silent_ms >= self._patience.forget_ms:
                del self._members[node_id]
                self._graves[node_id] = member.state
        while len(self._graves) > GRAVES_MAX:
            del self._graves[next(iter(self._graves))]
