"""The Raft core: a state machine without I/O, clock, threads or chance of its own.

    propose, step, tick ──▶ RawNode ──▶ ready(): what is to be written, then what is to be sent
                               ▲            │
                               └── advance, persisted ◀── the embedder: writes, sends, syncs

The contract with the embedder, who calls everything from one thread:

* **A turn.** Take `ready()`; do what it says in the order of its fields (`RaftStorage.write`, then
  the messages); call `advance(ready)`; again, until `ready()` gives None. Nothing else is called
  between `ready` and its `advance`. What is proposed in one turn goes out in one message to each
  follower, so propose first and take `ready` then.
* **Hard state** is durable when `advance` is called: messages may rely on it. **Entries** need only
  be appended, so that a leader's entries are on their way to the followers while its own disk is
  flushed. `persisted` is called when a flush is back, with the index and term of the last entry of
  it; nobody counts an entry of its own, or acknowledges it, before that. `ready` may be taken while
  a flush is under way, unless `needs_quiet_log`: then the end of the log is to move, the journal
  cannot do that under a flush, and the embedder waits for `persisted` first.
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
  next `Ready`.
* **Lost data**: whoever opens a disk that lacks what was durable says so to `RaftStorage.open`.
* **An assertion that fails** is the end of this replica: it must stop without another message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grevy.ports import Entropy
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import GroupMembers, RaftMessage
from grevy.raft.config import RaftConfig
from grevy.raft.log import LogReader
from grevy.raft.ready import HardState, Membership, Ready, SnapshotPart
from grevy.raft.roles import Role, check_role

NO_LEADER: Final = 0


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
    ) -> None:
        """A replica as it was left: all of `log` is durable. See `RaftStorage.make_node`."""
        config.validate()
        last_index = log.last_index
        last_term = log.term_at(last_index)
        assert hard_state.term >= last_term, "the log is ahead of the term"
        self._config = config
        self._hard_state = hard_state
        self._is_hard_state_due = False
        self._role = Role.FOLLOWER
        self._last_index = last_index
        self._last_term = last_term
        self._persisted_index = last_index
        self._first_index_of_term = 0
        self._commit_index = 0
        self._told_commit_index = 0
        self._entries: list[JournalEntry] = []

    @property
    def role(self) -> Role:
        """What this replica is."""
        return self._role

    @property
    def term(self) -> int:
        """The current term."""
        return self._hard_state.term

    @property
    def leader(self) -> int:
        """Who leads in this term, as far as this replica knows; 0 for nobody."""
        return self._config.node_id if self._role is Role.LEADER else NO_LEADER

    @property
    def commit_index(self) -> int:
        """How far the log is committed, as far as this replica knows."""
        return self._commit_index

    @property
    def last_index(self) -> int:
        """The index of the newest entry, appended or not."""
        return self._last_index

    @property
    def is_settled(self) -> bool:
        """Whether this leader's own first entry is committed: then so is all before it, and it may
        answer for the log.
        """
        return self._role is Role.LEADER and self._commit_index >= self._first_index_of_term

    @property
    def is_recovering(self) -> bool:
        """Whether this replica has lost data and is not repaired yet: it gives no vote."""
        return self._hard_state.is_recovering

    @property
    def is_transferring(self) -> bool:
        """Whether this leader is handing its lead over: proposals should wait, or the other may
        never catch up.
        """
        return False

    @property
    def members(self) -> GroupMembers:
        """Who is in the group, by the newest entry of the log that says so."""
        return GroupMembers(self._config.voters)

    @property
    def is_changing_members(self) -> bool:
        """Whether a change of members is not complete yet; then there can be no other."""
        return False

    @property
    def needs_quiet_log(self) -> bool:
        """Whether the next `ready` moves the end of the log back or resets it: it must not be taken
        while a flush is under way.
        """
        return False

    def tick(self) -> None:
        """A tick of time has passed."""
        if self._role is Role.FOLLOWER:
            self.campaign()

    def campaign(self) -> None:
        """Stands for election now, if it may; first it asks whether it would be elected. For groups
        of one, which need not wait, and for tests.
        """
        self._become(Role.CANDIDATE)
        self._hard_state = HardState(self._hard_state.term + 1, self._config.node_id)
        self._is_hard_state_due = True

    def step(self, message: RaftMessage) -> None:
        """Takes a message of another replica."""
        assert message.sender in self._config.voters, (
            f"replica {message.sender} is not of this group"
        )
        assert message.sender != self._config.node_id, "a replica never writes to itself"
        raise NotImplementedError

    def propose(self, payload: bytes) -> int:
        """Appends an entry to the leader's log; its index. The entry is not committed yet."""
        assert self._role is Role.LEADER, f"a {self._role.value} proposes nothing"
        self._last_index += 1
        self._last_term = self._hard_state.term
        self._entries.append(JournalEntry(self._last_index, self._last_term, payload))
        return self._last_index

    def propose_members(self, voters: tuple[int, ...], learners: tuple[int, ...] = ()) -> int:
        """Begins a change of the members, which then completes by itself, under this leader or its
        successors: `is_changing_members` until then. The index of its first entry.

        Voters should have been learners until they had the log, or the group waits for them. A
        leader that is no voter any more steps down at the end. Raises `MembersRefused`, changing
        nothing, when another change is under way, the leader is not settled, or there would be no
        voter or too many.
        """
        raise NotImplementedError

    def transfer_to(self, node_id: int) -> bool:
        """Hands the lead over to a voter as soon as it has the whole log; False where that cannot
        be: it is no voter, is this replica, or another transfer is under way. Given up after
        `election_ticks`.
        """
        raise NotImplementedError

    def request_read(self) -> int:
        """Asks how far a state must be to answer a read that is linearizable; a number, with which
        `Ready.confirmed_reads` answers when a quorum has confirmed that this leader still leads.
        The leader must be settled.
        """
        raise NotImplementedError

    def ready(self) -> Ready | None:
        """What is to be done, or None. Everything is given out once."""
        is_commit_new = self._commit_index > self._told_commit_index
        if not (self._is_hard_state_due or self._entries or is_commit_new):
            return None
        ready = Ready(
            hard_state=self._hard_state if self._is_hard_state_due else None,
            entries=tuple(self._entries),
            messages=(),
            committed_index=self._commit_index,
        )
        self._entries.clear()
        self._told_commit_index = self._commit_index
        return ready

    def advance(self, ready: Ready) -> None:
        """What `ready` said is done: the hard state is durable, the entries are appended."""
        if ready.hard_state is None:
            return
        assert ready.hard_state == self._hard_state, "a newer term has begun meanwhile"
        self._is_hard_state_due = False
        if self._role is Role.CANDIDATE:
            self._become(Role.LEADER)
            self._first_index_of_term = self.propose(b"")

    def persisted(self, index: int, term: int) -> None:
        """The log up to an index, whose entry is of this term, is on the disk."""
        assert self._persisted_index <= index <= self._last_index, (index, self._last_index)
        self._persisted_index = index
        if self._role is Role.LEADER and term == self._hard_state.term:
            assert index >= self._commit_index, "what is committed stays"
            self._commit_index = index

    def snapshot_read(self, follower: int, part: SnapshotPart) -> None:
        """Answers a `SnapshotRead`. Void when the follower needs it no more."""
        raise NotImplementedError

    def snapshot_stored(self, index: int, offset: int) -> None:
        """Of the snapshot at this index, all bytes before `offset` are durable."""
        raise NotImplementedError

    def snapshot_installed(self, index: int) -> None:
        """The snapshot at this index, which came from a leader, is this replica's state, durably,
        and all entries up to `index` count as applied.
        """
        raise NotImplementedError

    def snapshot_refused(self, index: int) -> None:
        """The snapshot at this index is damaged, or cannot be kept: it is to be sent anew."""
        raise NotImplementedError

    def statistics(self) -> dict[str, object]:
        """Figures for people and dashboards."""
        return {
            "term": self.term,
            "role": self._role.value,
            "leader": self.leader,
            "commit_index": self._commit_index,
            "last_index": self._last_index,
        }

    def _become(self, role: Role) -> None:
        check_role(self._role, role)
        self._role = role
