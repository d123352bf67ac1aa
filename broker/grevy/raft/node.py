"""The Raft core: a state machine without I/O, clock or threads.

    propose, step, tick ──▶ RawNode ──▶ ready(): hard state, entries, messages to handle, in this
    order
                                 ▲            │
                                 └── persisted, advance ◀── the embedder: writes, syncs, sends

The contract with the embedder: a hard state is durable before `advance` says so; entries are
appended in the order in which `ready` gives them; `persisted` is called when they are on the disk,
and only then does the leader count itself. `ready` may be taken again before an earlier flush has
ended, so that flushes and processing overlap. What is committed never becomes uncommitted.

This core runs groups of one voter: it elects itself and commits what its own disk has. The seam is
the one that larger groups need.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from grevy.journal import JournalEntry
from grevy.protocol.raft_messages import RaftMessage
from grevy.raft.roles import Role, check_role

NO_LEADER: Final = 0


class RaftConfig(Struct, frozen=True):
    """Who this replica is, and who votes; ids from 1."""

    node_id: int
    voters: tuple[int, ...]

    def validate(self) -> None:
        """Raises ValueError for a group that cannot be run."""
        if self.node_id < 1:
            raise ValueError(f"node_id: expected 1 or more, got {self.node_id}")
        if self.voters != (self.node_id,):
            raise ValueError(
                f"voters: expected ({self.node_id},), got {self.voters}: "
                "groups have one voter so far"
            )


class HardState(Struct, frozen=True):
    """What must be durable before anybody hears of it: the term, and whom this replica voted for in
    it (0: nobody).
    """

    term: int = 0
    vote: int = 0


class Ready(Struct, frozen=True):
    """What the embedder has to do now. `committed_index` is how far the log is committed."""

    hard_state: HardState | None
    entries: tuple[JournalEntry, ...]
    messages: tuple[RaftMessage, ...]
    committed_index: int


class RawNode:
    """One replica of one group."""

    def __init__(
        self, config: RaftConfig, hard_state: HardState, *, last_index: int, last_term: int
    ) -> None:
        config.validate()
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
        """How far the log is committed."""
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

    def tick(self) -> None:
        """An election time-out has passed: a replica without a leader stands for election."""
        if self._role is Role.FOLLOWER:
            self.campaign()

    def campaign(self) -> None:
        """Stands for election: a new term, and a vote for itself."""
        self._become(Role.CANDIDATE)
        self._hard_state = HardState(self._hard_state.term + 1, self._config.node_id)
        self._is_hard_state_due = True

    def step(self, message: RaftMessage) -> None:
        """Takes a message of another replica; there is none in a group of one."""
        assert message.sender in self._config.voters, (
            f"replica {message.sender} is not of this group"
        )
        assert message.sender != self._config.node_id, "a replica never writes to itself"

    def propose(self, payload: bytes) -> int:
        """Appends an entry to the leader's log; its index. The entry is not committed yet."""
        assert self._role is Role.LEADER, f"a {self._role.value} proposes nothing"
        self._last_index += 1
        self._last_term = self._hard_state.term
        self._entries.append(JournalEntry(self._last_index, self._last_term, payload))
        return self._last_index

    def ready(self) -> Ready | None:
        """What is to be done, or None. Entries are given out once."""
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
        """The hard state of a `ready` is durable and its entries are appended: the vote for itself
        counts.
        """
        if ready.hard_state is None:
            return
        assert ready.hard_state == self._hard_state, "a newer term has begun meanwhile"
        self._is_hard_state_due = False
        if self._role is Role.CANDIDATE:
            self._become(Role.LEADER)
            self._first_index_of_term = self.propose(b"")

    def persisted(self, index: int, term: int) -> None:
        """The log up to an index, whose entry is of this term, is on the disk.

        Only an entry of the leader's own term commits by being counted; those before it commit with
        it (Raft, 5.4.2).
        """
        assert self._persisted_index <= index <= self._last_index, (index, self._last_index)
        self._persisted_index = index
        if self._role is Role.LEADER and term == self._hard_state.term:
            assert index >= self._commit_index, "what is committed stays"
            self._commit_index = index

    def _become(self, role: Role) -> None:
        check_role(self._role, role)
        self._role = role
