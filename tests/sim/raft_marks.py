"""Rare situations of a group of replicas that a column of runs must reach, and who sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.sim.marks import Mark, mark

from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    Heartbeat,
    RaftMessage,
    SnapshotChunk,
    TakeOver,
    VoteRequest,
    VoteResponse,
)
from grevy.raft import Ready, Role

if TYPE_CHECKING:
    from tests.sim.raft_replica import Replica


class RaftMark(Mark):
    """The situations."""

    OLD_TERM = "a message of an older term comes"
    LEADER_HEARS_NEWER = "a leader hears of a newer term"
    BEHIND = "somebody whose log is behind asks for a vote"
    VOTED_ALREADY = "somebody asks for a vote that another one has in this term"
    LEASED = "somebody asks for a vote while a leader is there"
    LATE_VOTE = "a vote comes when the election is won"
    SPLIT_VOTE = "a candidate does not win, and stands again"
    PRE_CANDIDATE_HEARS = "a pre-candidate hears the leader of its term"
    CANDIDATE_HEARS = "a candidate hears the leader of its term"
    DEPOSED = "a leader is followed by another"
    NO_QUORUM = "a leader gives up, since no quorum hears it"
    TWO_LEAD = "two lead at the same time, in different terms"
    TAKE_OVER = "the lead is handed over"
    LATE_TAKE_OVER = "the lead is handed over by who does not have it any more"
    REJECTED = "an append does not fit, and a leader looks further back"
    KNOWN = "an append has nothing new"
    CONFLICT = "what conflicts is cut"
    CONFLICT_FLUSHED = "what conflicts is cut, and was flushed"
    CONFLICT_IN_FLIGHT = "what conflicts is being flushed, and must wait to be cut"
    CONFLICT_WITH_MEMBERS = "what conflicts has members in it"
    OLDER_TERMS = "entries of older terms are committed with one of the leader's"
    NEEDS_SNAPSHOT = "a follower needs what its leader has no more"
    INSTALLED = "a snapshot is installed"
    REPLACES_LOG = "a snapshot replaces a log that goes on behind it"
    CHUNK_AGAIN = "a part of a snapshot comes again"
    OTHER_SNAPSHOT = "another snapshot comes before one is whole"
    NEWER_SNAPSHOT = "a leader has a newer snapshot before one is sent"
    CHUNK_IN_ELECTION = "a part of a snapshot comes to who stands for election"
    JOINT_LEADER = "somebody is elected by two majorities"
    LEADER_LEAVES = "a leader is not among the new members"
    PROMOTED = "a learner gets a vote"
    READ = "a read is confirmed"
    READ_DROPPED = "a leader with reads in hand leads no longer"
    ASKED_IN_RECOVERY = "somebody asks who has lost data for a vote"
    LOST_LOG = "a replica finds that its log is damaged"
    REPAIRED = "a replica that has lost data has a vote again"
    DIES_IN_RECOVERY = "a replica that has lost data dies before it is repaired"
    DIES_IN_FLIGHT = "a replica dies while a flush is under way"
    DIES_WITH_UNCOMMITTED = "a leader dies with what is not committed"
    DIES_WITH_SNAPSHOT = "a replica dies with a part of a snapshot"
    DIES_BEFORE_VOTE = "a replica dies with a vote on its disk that nobody has heard of"
    DIES_BEFORE_APPEND = "a replica dies when its log is cut, before the leader's entries are there"
    SYNC_FAILED = "a sync fails"
    WRITE_FAILED = "a write fails"
    START_FAILED = "a replica cannot start, since its disk fails"
    SHORT_READ = "a read gives too little"
    NO_ROOM = "a full disk refuses something"
    STALE_FOUND = "a replica finds an older content that has come back"
    LOST_WRITE_FOUND = "a replica misses a write that went to another place"
    MISDIRECTED_FOUND = "a replica finds a sector of another place"
    LOST_NAME_FOUND = "a replica misses a file"
    WIPED = "a replica loses all that it has"
    HURT_IN_TURN = "a replica is damaged when one before it is repaired"
    BEYOND = "more replicas have lost data than the group survives"
    STANDS_STILL = "a group that has lost too much stands still"
    GOES_ON = "a group that had lost too much goes on, and has all"
    OLD_LIFE = "a message comes that was sent to an earlier life of its receiver"
    STALE = "a link holds messages for long, and gives them out"
    FULL = "a link takes no more messages"


_CHANGES: Final = {
    (Role.PRE_CANDIDATE, AppendRequest): RaftMark.PRE_CANDIDATE_HEARS,
    (Role.PRE_CANDIDATE, Heartbeat): RaftMark.PRE_CANDIDATE_HEARS,
    (Role.CANDIDATE, AppendRequest): RaftMark.CANDIDATE_HEARS,
    (Role.CANDIDATE, Heartbeat): RaftMark.CANDIDATE_HEARS,
    (Role.PRE_CANDIDATE, SnapshotChunk): RaftMark.CHUNK_IN_ELECTION,
    (Role.CANDIDATE, SnapshotChunk): RaftMark.CHUNK_IN_ELECTION,
}


_DAMAGES: Final = {
    "stale": RaftMark.STALE_FOUND,
    "lost write": RaftMark.LOST_WRITE_FOUND,
    "misdirected": RaftMark.MISDIRECTED_FOUND,
    "lost name": RaftMark.LOST_NAME_FOUND,
}


def finds_damage(how: str) -> None:
    """A replica finds that its log is damaged, after damage of some kind."""
    for kind, point in _DAMAGES.items():
        if how.startswith(kind):
            mark(point)


def hears(replica: Replica, message: RaftMessage) -> None:
    """A replica is about to take a message."""
    node = replica.node
    if message.term < node.term:
        mark(RaftMark.OLD_TERM)
        if isinstance(message, TakeOver):
            mark(RaftMark.LATE_TAKE_OVER)
        return
    is_pre_vote = isinstance(message, VoteRequest | VoteResponse) and message.is_pre_vote
    if message.term > node.term:
        if replica.is_leader and not is_pre_vote:
            mark(RaftMark.LEADER_HEARS_NEWER)
    elif (node.role, type(message)) in _CHANGES:
        mark(_CHANGES[node.role, type(message)])
    match message:
        case VoteRequest():
            _asked(replica, message)
        case VoteResponse(is_pre_vote=False, is_granted=True) if replica.is_leader:
            mark(RaftMark.LATE_VOTE)
        case AppendRequest() if message.entries and message.entries[-1].index <= node.last_index:
            mark(RaftMark.KNOWN)
        case AppendResponse(is_rejected=True) if replica.is_leader:
            mark(RaftMark.REJECTED)
        case SnapshotChunk():
            _chunk(replica, message)
        case TakeOver():
            is_known = message.sender == node.leader
            mark(RaftMark.TAKE_OVER if is_known else RaftMark.LATE_TAKE_OVER)
        case _:
            pass


def _asked(replica: Replica, message: VoteRequest) -> None:
    node, journal = replica.node, replica.journal
    if (message.last_term, message.last_index) < (journal.last_term, journal.last_index):
        mark(RaftMark.BEHIND)
    vote = replica.storage.hard_state.vote
    if message.term == node.term and vote not in (0, message.sender) and not message.is_pre_vote:
        mark(RaftMark.VOTED_ALREADY)
    if node.leader and message.is_pre_vote:
        mark(RaftMark.LEASED)
    if node.is_recovering:
        mark(RaftMark.ASKED_IN_RECOVERY)


def _chunk(replica: Replica, message: SnapshotChunk) -> None:
    incoming = replica.node._following._incoming
    if incoming is not None:
        if not incoming.is_of(message):
            mark(RaftMark.OTHER_SNAPSHOT)
        elif message.offset < incoming.received:
            mark(RaftMark.CHUNK_AGAIN)


def changes_role(replica: Replica, before: Role, term_before: int) -> None:
    """A turn has made something else of a replica."""
    after, node = replica.node.role, replica.node
    if before is Role.LEADER and after is not Role.LEADER:
        mark(RaftMark.DEPOSED if node.term > term_before else RaftMark.NO_QUORUM)
    if before is Role.CANDIDATE and after in (Role.CANDIDATE, Role.PRE_CANDIDATE):
        mark(RaftMark.SPLIT_VOTE)
    if after is Role.LEADER and before is not Role.LEADER:
        if node.members.old_voters:
            mark(RaftMark.JOINT_LEADER)
        if any(other.is_leader and other is not replica for other in replica.others()):
            mark(RaftMark.TWO_LEAD)


def writes(replica: Replica, ready: Ready) -> None:
    """A replica is about to write what is ready."""
    journal, memberships = replica.journal, replica.storage.memberships
    if ready.truncate_after is not None:
        mark(RaftMark.CONFLICT)
        if ready.truncate_after < journal.last_flushed_index:
            mark(RaftMark.CONFLICT_FLUSHED)
        if memberships and memberships[-1].index > ready.truncate_after:
            mark(RaftMark.CONFLICT_WITH_MEMBERS)
    if ready.reset is not None:
        mark(RaftMark.INSTALLED)
        if ready.reset.index < journal.last_index:
            mark(RaftMark.REPLACES_LOG)
    if ready.snapshot_reads:
        mark(RaftMark.NEEDS_SNAPSHOT)
    if ready.confirmed_reads:
        mark(RaftMark.READ)
    if ready.memberships and memberships and ready.memberships[-1] != memberships[-1]:
        members = ready.memberships[-1].members
        if replica.is_leader and replica.node_id not in members.voters:
            mark(RaftMark.LEADER_LEAVES)
        if set(memberships[-1].members.learners) & set(members.voters):
            mark(RaftMark.PROMOTED)
    was_recovering = replica.storage.hard_state.is_recovering
    if ready.hard_state is not None and was_recovering and not ready.hard_state.is_recovering:
        mark(RaftMark.REPAIRED)


def dies(replica: Replica, unsaid: Ready | None) -> None:
    """A replica's life ends; in the middle of a turn with what it has not said yet."""
    if replica.is_flushing:
        mark(RaftMark.DIES_IN_FLIGHT)
    if replica.is_leader and replica.node.last_index > replica.node.commit_index:
        mark(RaftMark.DIES_WITH_UNCOMMITTED)
    if replica.node._following._incoming is not None:
        mark(RaftMark.DIES_WITH_SNAPSHOT)
    if replica.node.is_recovering:
        mark(RaftMark.DIES_IN_RECOVERY)
    if unsaid is None:
        return
    state = replica.storage.hard_state
    votes = [each.message for each in unsaid.messages if isinstance(each.message, VoteResponse)]
    if state == unsaid.hard_state and any(each.is_granted for each in votes):
        mark(RaftMark.DIES_BEFORE_VOTE)
    if unsaid.truncate_after == replica.journal.last_index and unsaid.entries:
        mark(RaftMark.DIES_BEFORE_APPEND)
