"""What replicas of one group say to each other (Raft, figure 2; thesis, 3.10, 4.2, 6.4 and 9.6).

Indexes and terms begin at 1; 0 is before the first. A `sender` is a node id, from 1. A `round`
numbers a leader's heartbeats and appends: with an answer, a follower confirms that it follows.

A replica that has lost what it had on its disk may have said things that it doesn't know of any
more. It draws a `repair_id` at every start, not 0, and answers with it; a leader then takes back
what it believed of this replica and repeats the number with `repair_index`, how far its log was
committed at that moment. The replica counts as whole when it has the log up to there on its disk.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from grevy.protocol.journal_entry import JournalEntry


class VoteRequest(Struct, frozen=True, tag=True):
    """A candidate asks for a vote, and says how far its log goes. A pre-vote binds nobody: it asks
    what would be answered in `term`. A replica that was told to take over says so, and is heard
    although there is a leader.
    """

    sender: int
    term: int
    last_index: int
    last_term: int
    is_pre_vote: bool = False
    is_transfer: bool = False


class VoteResponse(Struct, frozen=True, tag=True):
    """The answer to a candidate. The term is the replica's own, but that of the request where a
    pre-vote is granted.
    """

    sender: int
    term: int
    is_granted: bool
    is_pre_vote: bool = False


class AppendRequest(Struct, frozen=True, tag=True):
    """A leader's entries after the one at `previous_index`."""

    sender: int
    term: int
    previous_index: int
    previous_term: int
    commit_index: int
    round: int
    entries: tuple[JournalEntry, ...] = ()
    repair_id: int = 0
    repair_index: int = 0


class AppendResponse(Struct, frozen=True, tag=True):
    """How far a follower's log agrees with the leader's and is on its disk. With `is_rejected`, the
    entry before is not there: `match_index` is then the newest one that may agree, and `hint_term`
    its term. It also tells whoever leads no more, by its term, whatever he had sent.
    """

    sender: int
    term: int
    match_index: int
    round: int
    is_rejected: bool = False
    hint_term: int = 0
    repair_id: int = 0


class Heartbeat(Struct, frozen=True, tag=True):
    """A leader is there; `commit_index` is at most what it knows this follower to have."""

    sender: int
    term: int
    commit_index: int
    round: int


class HeartbeatResponse(Struct, frozen=True, tag=True):
    """A follower still follows."""

    sender: int
    term: int
    round: int
    repair_id: int = 0


class GroupMembers(Struct, frozen=True):
    """Who is in a group: voters, those who voted before a change that is under way (empty
    otherwise: decisions then need a majority of both), and learners, who have the log and no vote.
    """

    voters: tuple[int, ...]
    old_voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()


class SnapshotChunk(Struct, frozen=True, tag=True):
    """A part of the leader's snapshot at an index, for a replica whose log ends before the
    leader's begins. `data` lies at `offset` in a stream of `total_bytes`.
    """

    sender: int
    term: int
    index: int
    index_term: int
    members: GroupMembers
    offset: int
    total_bytes: int
    data: bytes
    round: int


class SnapshotResponse(Struct, frozen=True, tag=True):
    """How much of a snapshot is on the disk; with `is_installed`, it is the replica's state now."""

    sender: int
    term: int
    index: int
    offset: int
    round: int
    is_installed: bool = False


class TakeOver(Struct, frozen=True, tag=True):
    """A leader wants this replica, whose log is as long as its own, to lead (TimeoutNow)."""

    sender: int
    term: int


RaftMessage: TypeAlias = (
    VoteRequest
    | VoteResponse
    | AppendRequest
    | AppendResponse
    | Heartbeat
    | HeartbeatResponse
    | SnapshotChunk
    | SnapshotResponse
    | TakeOver
)
