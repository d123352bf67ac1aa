"""What replicas of one group say to each other (Raft, figure 2). Indexes and terms begin at 1; 0 is
before the first.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from grevy.journal import JournalEntry


class VoteRequest(Struct, frozen=True):
    """A candidate asks for a vote, and says how far its log goes."""

    sender: int
    term: int
    last_index: int
    last_term: int


class VoteResponse(Struct, frozen=True):
    """The answer to a candidate."""

    sender: int
    term: int
    is_granted: bool


class AppendRequest(Struct, frozen=True):
    """A leader's entries after the one at `previous_index`; without entries it is a heartbeat."""

    sender: int
    term: int
    previous_index: int
    previous_term: int
    commit_index: int
    entries: tuple[JournalEntry, ...] = ()


class AppendResponse(Struct, frozen=True):
    """How far a follower's log agrees with the leader's and is on its disk; with `is_rejected`,
    where to look next.
    """

    sender: int
    term: int
    match_index: int
    is_rejected: bool = False


Message: TypeAlias = VoteRequest | VoteResponse | AppendRequest | AppendResponse
