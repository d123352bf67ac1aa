"""What a replica is in its group, as a table of who may become what."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(Enum):
    """A replica's role. A pre-candidate asks whether it would be elected, before it begins a term
    that would disturb the others.
    """

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


TRANSITIONS: Final[dict[Role, frozenset[Role]]] = {
    Role.FOLLOWER: frozenset({Role.PRE_CANDIDATE, Role.CANDIDATE}),
    Role.PRE_CANDIDATE: frozenset({Role.PRE_CANDIDATE, Role.CANDIDATE, Role.FOLLOWER}),
    Role.CANDIDATE: frozenset({Role.PRE_CANDIDATE, Role.CANDIDATE, Role.LEADER, Role.FOLLOWER}),
    Role.LEADER: frozenset({Role.FOLLOWER}),
}
"""From each role, the roles that may follow (Raft, figure 4; thesis, 9.6)."""


def check_role(current: Role, to: Role) -> None:
    """Asserts that a replica may change its role so."""
    assert to in TRANSITIONS[current], f"a {current.value} never becomes a {to.value}"
