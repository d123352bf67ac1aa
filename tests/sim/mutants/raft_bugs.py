"""Bugs in the core: what implementations of Raft have really got wrong."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.sim.mutants.bug import Bug, fault_of_group, fault_of_transcript

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import (
    GroupMembers,
    Heartbeat,
    SnapshotChunk,
    VoteRequest,
)
from grevy.raft import ConfirmedRead, HardState, LogStart, RawNode, Role
from grevy.raft import election as elections
from grevy.raft import leadership as leaderships
from grevy.raft.election import Election
from grevy.raft.following import Following, IncomingSnapshot
from grevy.raft.leadership import Leadership
from grevy.raft.log import RaftLog
from grevy.raft.quorum import agreed_value, is_quorum
from grevy.raft.replica import Replica
from grevy.raft.replication import Replication


def _yes(self: Election, message: VoteRequest) -> bool:
    return True


def _forget_vote(self: Election, message: VoteRequest) -> None:
    replica = self._replica
    state = replica.hard_state
    if not message.is_pre_vote and message.term == state.term and replica.role is Role.FOLLOWER:
        replica.hard_state = HardState(state.term, 0, state.is_recovering)
    _on_request(self, message)


def _keep_anything(self: Replica, hard_state: HardState) -> None:
    self.hard_state = hard_state
    self.is_hard_state_due = True


def _has_index(self: RaftLog, index: int, term: int) -> bool:
    return self.first_index - 1 <= index <= self.last_index


def _never_cut(self: Following, entries: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    last_index = self._replica.log.last_index
    return tuple(entry for entry in entries if entry.index > last_index)


def _always_cut(self: Following, entries: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    replica = self._replica
    if entries and entries[0].index <= replica.log.last_index:
        replica.truncate(entries[0].index - 1)
    return entries


def _tell_all_that_is_committed(self: Replication) -> None:
    replica = self._replica
    self.round += 1
    for node_id in self.followers:
        commit_index, round_ = replica.commit_index, self.round
        replica.send(node_id, Heartbeat(replica.node_id, replica.term, commit_index, round_))


def _commit_all_that_the_leader_has(self: Following, message: Heartbeat) -> None:
    _on_heartbeat(self, message)
    self._replica.commit_to(min(message.commit_index, self._replica.log.last_index))


def _commit_older_terms(self: Leadership) -> None:
    replica = self._replica
    index = agreed_value(replica.members.current, self.replication.match_of)
    replica.commit_to(index)
    if replica.members.index <= replica.commit_index:
        self._go_on_with_members()


def _count_own_unflushed(self: Replication, node_id: int) -> int:
    if node_id == self._replica.node_id:
        return self._replica.log.last_index
    return _match_of(self, node_id)


def _count_what_was_sent(self: Replication, node_id: int) -> int:
    if node_id == self._replica.node_id:
        return _match_of(self, node_id)
    return self.followers[node_id].next_index - 1


def _acknowledge_unflushed(self: Following) -> None:
    log = self._replica.log
    persisted, log.persisted_index = log.persisted_index, log.written_index
    _collect(self)
    log.persisted_index = persisted


def _keep_pre_votes(self: Election, *, is_transfer: bool = False) -> None:
    votes = dict(self._votes) if self._replica.role is Role.PRE_CANDIDATE else {}
    _stand(self, is_transfer=is_transfer)
    self._votes = votes


def _never_doubt(self: Leadership) -> None:
    """Silence of all others means nothing."""


def _take_any_chunk(self: Following, message: SnapshotChunk) -> None:
    incoming = self._incoming
    if incoming is None or not incoming.is_of(message):
        if message.offset or self._replica.is_installing:
            return
        incoming = self._incoming = IncomingSnapshot(message)
    if message.offset == incoming.received:
        incoming.received += len(message.data)
        self._replica.is_installing = incoming.received == message.total_bytes
        self._replica.snapshot_chunks.append(message)
    elif incoming.stored == incoming.received and not self._replica.is_installing:
        self._answer(message.index, incoming.stored)


def _install_anything(self: Following, index: int) -> None:
    replica, incoming = self._replica, self._incoming
    assert incoming is not None
    first = incoming.first
    self._drop_incoming()
    replica.log.reset(LogStart(index, first.index_term))
    replica.members.reset(LogStart(index, first.index_term), first.members)
    replica.commit_index = self._verified_index = index
    self._answer(index, first.total_bytes, is_installed=True)


def _new_members_decide(members: GroupMembers, ids: set[int]) -> bool:
    return is_quorum(GroupMembers(members.voters), ids)


def _agreed_by_new_members(members: GroupMembers, value_of: object) -> int:
    return agreed_value(GroupMembers(members.voters), value_of)  # type: ignore[arg-type]


def _read_at_once(self: Leadership) -> None:
    while self._reads:
        read = self._reads.popleft()
        self._replica.confirmed_reads.append(ConfirmedRead(read.number, read.index))


def _vote_though_recovering(self: RawNode, message: VoteRequest) -> None:
    replica = self._replica
    state = replica.hard_state
    if state.is_recovering:
        replica.hard_state = HardState(state.term, state.vote)
    _on_vote_request(self, message)


_on_request: Final = Election.on_request
_stand: Final = Election._stand
_on_heartbeat: Final = Following.on_heartbeat
_collect: Final = Following.collect
_match_of: Final = Replication.match_of
_on_vote_request: Final = RawNode._on_vote_request

RAFT_BUGS: Final[tuple[Bug, ...]] = (
    Bug("a vote for a log that is behind", {(Election, "_is_up_to_date"): _yes}, (2,)),
    Bug(
        "two votes in one term",
        {(Election, "on_request"): _forget_vote, (Replica, "keep"): _keep_anything},
        (2,),
    ),
    Bug(
        "the term of the entry before is not compared",
        {(RaftLog, "has"): _has_index},
        hunt=partial(
            fault_of_group,
            replicas=5,
            proposal_every=0.3,
            cut_every=10,
            crash_every=20,
            flush_us=2_000,
            turn_us=0,
            append_bytes=100,
            damage_every=0,
        ),
    ),
    Bug("what conflicts stays in the log", {(Following, "_without_known"): _never_cut}, (2,)),
    Bug("an old append cuts the log", {(Following, "_without_known"): _always_cut}, (2,)),
    Bug(
        "a follower commits what it has not compared",
        {
            (Replication, "heartbeat"): _tell_all_that_is_committed,
            (Following, "on_heartbeat"): _commit_all_that_the_leader_has,
        },
        (2,),
    ),
    Bug(
        "a leader commits by entries of older terms",
        {(Leadership, "commit"): _commit_older_terms},
        (3,),
    ),
    Bug(
        "a leader counts itself before its flush",
        {(Replication, "match_of"): _count_own_unflushed},
        (1,),
    ),
    Bug(
        "a leader counts what it has sent", {(Replication, "match_of"): _count_what_was_sent}, (1,)
    ),
    Bug(
        "a follower acknowledges before its flush",
        {(Following, "collect"): _acknowledge_unflushed},
        (1,),
    ),
    Bug(
        "pre-votes count as votes",
        {(Election, "_stand"): _keep_pre_votes},
        (9,),
    ),
    Bug("a leader without a quorum stays", {(Leadership, "_check_quorum"): _never_doubt}, (2,)),
    Bug(
        "a snapshot replaces what is newer",
        {(Following, "installed"): _install_anything, (Following, "on_chunk"): _take_any_chunk},
        (3,),
        partial(
            fault_of_group,
            snapshot_every=5,
            doubled=0.5,
            late=0.3,
            late_us=50_000,
            cut_every=10,
            chunk_bytes=65_536,
        ),
    ),
    Bug(
        "a change of members is decided by the new ones alone",
        {
            (elections, "is_quorum"): _new_members_decide,
            (leaderships, "is_quorum"): _new_members_decide,
            (leaderships, "agreed_value"): _agreed_by_new_members,
        },
        (6,),
        partial(fault_of_group, members_every=20, damage_every=0, crash_every=20, cut_every=10),
    ),
    Bug(
        "reads are not confirmed",
        {(Leadership, "_collect_reads"): _read_at_once},
        (1,),
        # Somebody must read in the few ticks in which a leader that was cut off still leads, and
        # others have told clients more: one seed in a hundred.
        partial(fault_of_transcript, name="thesis-6.4-reads"),
    ),
    Bug(
        "who has lost data votes",
        {(RawNode, "_on_vote_request"): _vote_though_recovering},
        (3,),
        partial(fault_of_group, damage_every=30, members_every=0, cut_every=10, crash_every=20),
    ),
)
"""In the core."""
