"""Who is enough: a majority of the voters and, during a change, one of those before it too."""

from __future__ import annotations

from collections.abc import Callable, Collection

from grevy.protocol.raft_messages import GroupMembers


def is_quorum(members: GroupMembers, ids: Collection[int]) -> bool:
    """Whether these replicas may decide. Nobody may in a group without voters."""
    return _is_majority(members.voters, ids) and (
        not members.old_voters or _is_majority(members.old_voters, ids)
    )


def agreed_value(members: GroupMembers, value_of: Callable[[int], int]) -> int:
    """The greatest value that a quorum has reached, each voter being at `value_of` its id."""
    agreed = _middle(members.voters, value_of)
    return min(agreed, _middle(members.old_voters, value_of)) if members.old_voters else agreed


def all_voters(members: GroupMembers) -> set[int]:
    """Everybody with a vote, before or after a change."""
    return {*members.voters, *members.old_voters}


def all_replicas(members: GroupMembers) -> set[int]:
    """Everybody who has the log."""
    return {*members.voters, *members.old_voters, *members.learners}


def _is_majority(voters: tuple[int, ...], ids: Collection[int]) -> bool:
    return sum(voter in ids for voter in voters) * 2 > len(voters)


def _middle(voters: tuple[int, ...], value_of: Callable[[int], int]) -> int:
    if len(voters) == 1:
        return value_of(voters[0])
    if not voters:
        return 0
    return sorted(map(value_of, voters), reverse=True)[len(voters) // 2]
