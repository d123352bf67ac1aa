"""What a replica is in its group, as a table of who may become what."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(Enum):
    """A replica's role."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


TRANSITIONS: Final[dict[Role, frozenset[Role]]] = {
    Role.FOLLOWER: frozenset({Role.CANDIDATE}),
    Role.CANDIDATE: frozenset({Role.CANDIDATE, Role.LEADER, Role.FOLLOWER}),
    Role.LEADER: frozenset({Role.FOLLOWER}),
}
"""From each role, the roles that may follow (Raft, figure 4)."""


def check_role(current: Role, to: Role) -> None:
    """Asserts that a replica may change its role so."""
    assert to in TRANSITIONS[current], f"a {current.value} never becomes a {to.value}"
