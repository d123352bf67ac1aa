"""What all concerns of one replica share: term, role, log, and what is to be sent."""

from __future__ import annotations

from collections.abc import Sequence

from grevy.ports import Entropy
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import RaftMessage, SnapshotChunk
from grevy.raft.config import RaftConfig
from grevy.raft.log import RaftLog
from grevy.raft.members import MembersOfLog
from grevy.raft.quorum import all_voters
from grevy.raft.ready import ConfirmedRead, Envelope, HardState, SnapshotRead
from grevy.raft.roles import Role, check_role


class Replica:
    """The state that elections, leading and following work on."""

    def __init__(
        self,
        config: RaftConfig,
        hard_state: HardState,
        log: RaftLog,
        members: MembersOfLog,
        entropy: Entropy,
    ) -> None:
        self.config = config
        self.node_id = config.node_id
        self.log = log
        self.members = members
        self.entropy = entropy
        self.hard_state = hard_state
        self.is_hard_state_due = False
        self.role = Role.FOLLOWER
        self.leader = 0
        self.commit_index = log.first_index - 1
        self.is_installing = False
        """Whether the embedder installs a snapshot."""
        self.outbox: list[Envelope] = []
        self.snapshot_reads: list[SnapshotRead] = []
        self.snapshot_chunks: list[SnapshotChunk] = []
        self.confirmed_reads: list[ConfirmedRead] = []

    @property
    def term(self) -> int:
        """The current term."""
        return self.hard_state.term

    @property
    def may_lead(self) -> bool:
        """Whether this replica may stand for election: it has a vote, as far as it knows, and all
        that it ever had.
        """
        return (
            not self.is_installing
            and not self.hard_state.is_recovering
            and self.node_id in all_voters(self.members.current)
        )

    @property
    def is_changing_members(self) -> bool:
        """Whether the last change of members is not complete, as far as this replica knows."""
        members = self.members
        return bool(members.current.old_voters) or members.index > self.commit_index

    @property
    def has_news(self) -> bool:
        """Whether there is something for the next `Ready`, besides entries and commits."""
        return bool(
            self.outbox
            or self.is_hard_state_due
            or self.members.is_due
            or self.snapshot_reads
            or self.snapshot_chunks
            or self.confirmed_reads
        )

    def forget_news(self) -> None:
        """What there was is given out; the hard state is due until it is durable."""
        if self.outbox:
            self.outbox = []
        if self.snapshot_reads or self.snapshot_chunks or self.confirmed_reads:
            self.snapshot_reads, self.snapshot_chunks, self.confirmed_reads = [], [], []

    def send(self, receiver: int, message: RaftMessage) -> None:
        """Puts a message into the next `Ready`."""
        assert receiver != self.node_id, "a replica never writes to itself"
        self.outbox.append(Envelope(receiver, message))

    def become(self, role: Role) -> None:
        """Changes the role."""
        check_role(self.role, role)
        self.role = role

    def keep(self, hard_state: HardState) -> None:
        """Changes the hard state; the next `Ready` has it."""
        before = self.hard_state
        assert hard_state.term >= before.term, "a term never falls"
        if hard_state.term == before.term:
            assert before.vote in (0, hard_state.vote), "one vote in a term"
        self.hard_state = hard_state
        self.is_hard_state_due = True

    def enter_term(self, term: int, vote: int = 0) -> None:
        """Begins a newer term, with or without a vote."""
        assert term > self.term, "a newer term"
        self.keep(HardState(term, vote, self.hard_state.is_recovering))

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Entries that continue the log, and the members that they name."""
        self.log.append(entries)
        self.members.appended(entries)

    def truncate(self, after: int) -> None:
        """Removes entries after `after`, which cannot be committed."""
        assert after >= self.commit_index, (
            f"entries after {after} are to go, but {self.commit_index} is committed"
        )
        self.log.truncate(after)
        self.members.truncated(after)

    def commit_to(self, index: int) -> None:
        """The log is committed up to `index`, or further already."""
        if index > self.commit_index:
            assert index <= self.log.last_index, "what is committed is in the log"
            self.commit_index = index
