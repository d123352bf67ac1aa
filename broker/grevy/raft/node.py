"""The Raft core: a state machine without I/O, clock, threads or chance of its own.

    propose, step, tick ──▶ RawNode ──▶ ready(): what is to be written, then what is to be sent
                               ▲            │
                               └── advance, persisted ◀── the embedder: writes, sends, syncs

The contract with the embedder, who calls everything from one thread:

* **A turn.** Take `ready()`; write what it says (`RaftStorage.write`), then send its messages, and
  call `advance(ready)`; then see to what is committed, to reads and to snapshots; again, until
  `ready()` gives None. Nothing else is called between `ready` and its `advance`. What is proposed
  in one turn goes out in one message to each follower, so propose first and take `ready` then.
* **Hard state** is durable when `advance` is called: messages may rely on it.
* **Entries** need only be appended, so that a leader's entries are on their way to the followers
  while its own disk is flushed. `persisted` is called when a flush is back, with the index and term
  of the last entry of it; nobody counts an entry of its own, or acknowledges it, before that.
  `ready` may be taken while a flush is under way, unless `needs_quiet_log`: then the end of the log
  is to move, the journal cannot do that under a flush, and the embedder waits for `persisted`
  first.
* **Committed** is what `Ready.committed_index` says; it only grows. A follower is told of what its
  own disk has. A leader may be told of more, when others were faster than its own disk: a
  checkpoint is only to be taken of what is flushed. Committed entries are read from the log (or
  remembered by whoever proposed them); those of which `is_of_engine` is false are nothing to a
  state.
* **The lead** is lost without warning: what was proposed then may be committed or not, and reads
  that were asked for are void. Look at `role` and `term` after each turn; `is_settled` says when a
  leader may answer for the log.
* **Ticks** are regular, about a tenth of the time after which a leader counts as lost.
* **Messages** may be lost, doubled, late, in any order; they are ignored when they are for another
  term. Heartbeats are messages of their own and small, so that those of many groups to one broker
  travel together. Each must have arrived whole and unchanged: the core believes what it is told.
* **Snapshots to a follower**: `Ready.snapshot_reads` asks for bytes, `snapshot_read` gives them,
  later if they are not at hand; the same is asked for again when nothing comes of it. **From a
  leader**: `Ready.snapshot_chunks` are in order and without holes; `snapshot_stored` when they are
  durable; after the last one the embedder checks the whole, keeps the chunk's `index`, `index_term`
  and `members` with it (for `RaftStorage.begin_after`, if the power goes now), makes it its state,
  and says `snapshot_installed`, or `snapshot_refused` if it is damaged. The log is reset by the
  next `Ready`. One that is not ahead of the state, because the log was faster, is left alone and
  counts as installed. A restart of the follower begins its snapshot anew.
* **Lost data**: whoever opens a disk that lacks what was durable says so to `RaftStorage.open`.
* **An assertion that fails** is the end of this replica: it must stop without another message.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from grevy.ports import Entropy
from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    GroupMembers,
    Heartbeat,
    HeartbeatResponse,
    RaftMessage,
    SnapshotChunk,
    SnapshotResponse,
    TakeOver,
    VoteRequest,
    VoteResponse,
)
from grevy.raft.config import RaftConfig
from grevy.raft.election import Election
from grevy.raft.following import Following
from grevy.raft.leadership import Leadership
from grevy.raft.log import LogReader, RaftLog
from grevy.raft.members import MembersOfLog
from grevy.raft.membership import MAGIC
from grevy.raft.ready import HardState, Membership, Ready, SnapshotPart
from grevy.raft.replica import Replica
from grevy.raft.roles import Role


class RawNode:
    """One replica of one group."""

    def __init__(
        self,
        config: RaftConfig,
        hard_state: HardState,
        log: LogReader,
        *,
        entropy: Entropy,
        memberships: Sequence[Membership] = (),
        committed_index: int = 0,
    ) -> None:
        """A replica as it was left: all of `log` is durable. See `RaftStorage.make_node`."""
        config.validate()
        self._log = RaftLog(log)
        assert hard_state.term >= self._log.last_term, "the log is ahead of the term"
        self._members = MembersOfLog(GroupMembers(config.voters, (), config.learners), memberships)
        self._replica = Replica(config, hard_state, self._log, self._members, entropy)
        assert committed_index <= self._log.last_index, "what is committed is in the log"
        self._replica.commit_index = max(self._replica.commit_index, committed_index)
        self._election = Election(self._replica)
        self._following = Following(self._replica)
        self._leadership: Leadership | None = None
        self._told_commit_index = self._replica.commit_index
        self._reads = 0
        self._given: Ready | None = None
        self._is_idle = False
        """Whether nothing has happened since all that there was to do was given out."""

    @property
    def role(self) -> Role:
        """What this replica is."""
        return self._replica.role

    @property
    def term(self) -> int:
        """The current term."""
        return self._replica.hard_state.term

    @property
    def leader(self) -> int:
        """Who leads in this term, as far as this replica knows; 0 for nobody."""
        return self._replica.leader

    @property
    def commit_index(self) -> int:
        """How far the log is committed, as far as this replica knows."""
        return self._replica.commit_index

    @property
    def last_index(self) -> int:
        """The index of the newest entry, appended or not."""
        return self._log.last_index

    @property
    def is_settled(self) -> bool:
        """Whether this leader's own first entry is committed: then so is all before it, and it may
        answer for the log.
        """
        return self._leadership is not None and self._leadership.is_settled

    @property
    def is_recovering(self) -> bool:
        """Whether this replica has lost data and is not repaired yet: it gives no vote."""
        return self._replica.hard_state.is_recovering

    @property
    def is_transferring(self) -> bool:
        """Whether this leader is handing its lead over: proposals should wait, or the other may
        never catch up.
        """
        return self._leadership is not None and self._leadership.transfer_target != 0

    @property
    def members(self) -> GroupMembers:
        """Who is in the group, by the newest entry of the log that says so."""
        return self._members.current

    @property
    def committed_members(self) -> GroupMembers:
        """The same by the newest entry that is committed, as far as this replica knows."""
        return self._members.at(self._replica.commit_index)

    def caught_up(self, entries_behind_max: int) -> frozenset[int]:
        """The replicas that were heard of lately and lack no more than so many entries of this
        leader's log; none where this replica does not lead.
        """
        if self._leadership is None:
            return frozenset()
        enough_index = self._log.last_index - entries_behind_max
        return frozenset(
            node_id
            for node_id, progress in self._leadership.replication.followers.items()
            if progress.is_near(enough_index)
        )

    def set_priority(self, priority: int, priority_max: int) -> None:
        """Changes this replica's rank, for the next election."""
        config = replace(self._replica.config, priority=priority, priority_max=priority_max)
        config.validate()
        self._replica.config = config

    @property
    def is_changing_members(self) -> bool:
        """Whether a change of members is not complete, as far as this replica knows; then there can
        be no other.
        """
        return self._replica.is_changing_members

    @property
    def needs_quiet_log(self) -> bool:
        """Whether the next `ready` moves the end of the log back or resets it: it must not be taken
        while a flush is under way.
        """
        return self._log.is_moved

    def tick(self) -> None:
        """A tick of time has passed."""
        self._is_idle = False
        if self._leadership is None:
            self._election.tick()
            return
        self._leadership.tick()
        self._end_lead_if_over()

    def doubt_leader(self) -> None:
        """The connection to the leader has ended, as it does when a process ends. A hint, which may
        be wrong: it makes nothing unsafe, and is forgotten when the leader is heard.
        """
        if self._leadership is None:
            self._election.doubt()

    def campaign(self) -> None:
        """Stands for election now, if it may; first it asks whether it would be elected. For groups
        of one, which need not wait, and for tests.
        """
        assert self._leadership is None, "a leader does not stand for election"
        self._is_idle = False
        self._election.stand()

    def step(self, message: RaftMessage) -> None:
        """Takes a message of another replica."""
        replica = self._replica
        assert message.sender != replica.node_id, "a replica never writes to itself"
        self._is_idle = False
        if isinstance(message, VoteRequest):
            self._on_vote_request(message)
            return
        term = replica.hard_state.term
        if message.term > term:
            if isinstance(message, VoteResponse) and message.is_granted:
                assert message.is_pre_vote, "nobody votes in a term that nobody has begun"
            else:
                self._follow(message.term)
        elif message.term < term:
            if isinstance(message, AppendRequest | Heartbeat | SnapshotChunk):
                self._tell_term(message.sender)
            return
        self._take(message)

    def propose(self, payload: bytes) -> int:
        """Appends an entry to the leader's log; its index. The entry is not committed yet."""
        leadership = self._leadership
        assert leadership is not None, f"a {self.role.value} proposes nothing"
        assert not payload.startswith(MAGIC), "an entry that looks like members"
        self._is_idle = False
        return leadership.propose(payload)

    def propose_members(self, voters: tuple[int, ...], learners: tuple[int, ...] = ()) -> int:
        """Begins a change of the members, which then completes by itself, under this leader or its
        successors: `is_changing_members` until then. The index of its first entry.

        Voters should have been learners until they had the log, or the group waits for them. A
        leader that is no voter any more steps down at the end. Raises `MembersRefused`, changing
        nothing, when another change is under way, the leader is not settled, or there would be no
        voter or too many.
        """
        assert self._leadership is not None, f"a {self.role.value} proposes nothing"
        self._is_idle = False
        return self._leadership.propose_members(voters, learners)

    def transfer_to(self, node_id: int) -> bool:
        """Hands the lead over to a voter as soon as it has the whole log; False where that cannot
        be: it is no voter, is this replica, or another transfer is under way. Given up after
        `election_ticks`.
        """
        assert self._leadership is not None, f"a {self.role.value} has no lead"
        self._is_idle = False
        return self._leadership.transfer_to(node_id)

    def request_read(self) -> int:
        """Asks how far a state must be to answer a read that is linearizable; a number, with which
        `Ready.confirmed_reads` answers when a quorum has confirmed that this leader still leads.
        The leader must be settled.
        """
        assert self._leadership is not None, f"a {self.role.value} reads nothing"
        self._is_idle = False
        self._reads += 1
        self._leadership.request_read(self._reads)
        return self._reads

    def ready(self) -> Ready | None:
        """What is to be done, or None. Everything is given out once."""
        assert self._given is None, "what was given out is not done"
        if self._is_idle:
            return None
        self._is_idle = True
        if self._leadership is not None:
            self._leadership.collect()
            self._end_lead_if_over()
        else:
            self._following.collect()
        replica, log = self._replica, self._log
        entries = log.unwritten()
        committed_index = replica.commit_index
        if self._leadership is None:
            committed_index = min(committed_index, log.persisted_index)
        is_commit_new = committed_index > self._told_commit_index
        if not (entries or is_commit_new or replica.has_news or log.is_moved):
            return None
        if is_commit_new:
            self._told_commit_index = committed_index
        self._given = Ready(
            replica.hard_state if replica.is_hard_state_due else None,
            entries,
            tuple(replica.outbox),
            self._told_commit_index,
            log.reset_to,
            log.truncate_after,
            replica.members.take(),
            tuple(replica.snapshot_reads),
            tuple(replica.snapshot_chunks),
            tuple(replica.confirmed_reads),
        )
        replica.forget_news()
        return self._given

    def advance(self, ready: Ready) -> None:
        """What `ready` said is done: the hard state is durable, the entries are appended."""
        assert ready is self._given, "not what was given out last"
        replica = self._replica
        if ready.hard_state is not None:
            assert ready.hard_state == replica.hard_state, "a newer term has begun meanwhile"
        self._given = None
        has_followers = (
            self._leadership is not None and len(self._leadership.replication.followers) > 0
        )
        self._log.wrote(replica.config.tail_bytes_max if has_followers else 0)
        if ready.hard_state is not None:
            replica.is_hard_state_due = False
            self._is_idle = False
            self._election.on_hard_state()
            self._lead_if_won()

    def persisted(self, index: int, term: int) -> None:
        """The log up to an index, whose entry is of this term, is on the disk."""
        self._is_idle = False
        self._log.persisted(index, term)
        if self._leadership is not None:
            self._leadership.commit()

    def snapshot_read(self, follower: int, part: SnapshotPart) -> None:
        """Answers a `SnapshotRead`. Void when the follower needs it no more."""
        self._is_idle = False
        if self._leadership is not None:
            self._leadership.replication.on_snapshot_part(follower, part)

    def snapshot_stored(self, index: int, offset: int) -> None:
        """Of the snapshot at this index, all bytes before `offset` are durable."""
        self._is_idle = False
        self._following.stored(index, offset)

    def snapshot_installed(self, index: int) -> None:
        """The snapshot at this index, which came from a leader, is this replica's state, durably,
        and all entries up to `index` count as applied.
        """
        self._is_idle = False
        self._following.installed(index)
        self._told_commit_index = max(self._told_commit_index, index)

    def snapshot_refused(self, index: int) -> None:
        """The snapshot at this index is damaged, or cannot be kept: it is to be sent anew."""
        self._is_idle = False
        self._following.refused(index)

    def statistics(self) -> dict[str, object]:
        """Figures for people and dashboards."""
        figures: dict[str, object] = {
            "term": self.term,
            "role": self.role.value,
            "leader": self.leader,
            "commit_index": self.commit_index,
            "last_index": self.last_index,
            "is_recovering": self.is_recovering,
        }
        if self._leadership is not None:
            figures["followers"] = {
                node_id: {"state": item.state.value, "match_index": item.match_index}
                for node_id, item in self._leadership.replication.followers.items()
            }
        return figures

    def _take(self, message: RaftMessage) -> None:
        """A message of the current term, or the grant of a pre-vote for the next."""
        leadership = self._leadership
        match message:
            case VoteResponse():
                self._election.on_response(message)
                self._lead_if_won()
            case AppendRequest():
                self._hear_leader(message.sender)
                self._following.on_append(message)
            case Heartbeat():
                self._hear_leader(message.sender)
                self._following.on_heartbeat(message)
            case SnapshotChunk():
                self._hear_leader(message.sender)
                self._following.on_chunk(message)
            case AppendResponse() if leadership is not None:
                leadership.replication.on_append_response(message)
            case HeartbeatResponse() if leadership is not None:
                leadership.replication.on_heartbeat_response(message)
            case SnapshotResponse() if leadership is not None:
                leadership.replication.on_snapshot_response(message)
            case TakeOver():
                self._election.on_take_over(message)
            case _:
                pass  # the answer to a lead that is over

    def _on_vote_request(self, message: VoteRequest) -> None:
        """Who has lost data votes for nobody; who has a leader votes for those that it names."""
        replica = self._replica
        if replica.hard_state.is_recovering:
            return
        if self._election.is_leased and not message.is_transfer:
            return
        if message.term > replica.term and not message.is_pre_vote:
            self._follow(message.term)
        self._election.on_request(message)

    def _hear_leader(self, sender: int) -> None:
        replica = self._replica
        assert replica.role is not Role.LEADER, f"{sender} leads in the same term"
        assert replica.leader in (0, sender), f"{sender} and {replica.leader} lead in one term"
        if replica.role is not Role.FOLLOWER:
            replica.become(Role.FOLLOWER)
        if replica.leader == 0:
            replica.leader = sender
            self._following.restart()
        self._election.heard_leader()

    def _tell_term(self, receiver: int) -> None:
        """Whoever leads in an older term hears that it is over, or this replica, whose term is
        newer, would never follow again.
        """
        replica = self._replica
        replica.send(
            receiver,
            AppendResponse(replica.node_id, replica.term, 0, 0, is_rejected=True),
        )

    def _follow(self, term: int) -> None:
        """A newer term has begun, somewhere."""
        self._replica.enter_term(term)
        self._end_lead()

    def _end_lead(self) -> None:
        replica = self._replica
        self._leadership = None
        if replica.role is not Role.FOLLOWER:
            replica.become(Role.FOLLOWER)
        replica.leader = 0
        self._election.restart()
        self._following.restart()

    def _end_lead_if_over(self) -> None:
        if self._leadership is not None and self._leadership.is_over:
            self._end_lead()

    def _lead_if_won(self) -> None:
        if self._election.is_won and not self._replica.is_hard_state_due:
            self._replica.become(Role.LEADER)
            self._replica.leader = self._replica.node_id
            self._leadership = Leadership(self._replica)
