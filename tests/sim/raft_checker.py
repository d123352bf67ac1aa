"""What must hold of a group of replicas at any moment, whatever has happened to it.

R1  a term has at most one leader
R2  entries with the same index and term are the same, and so is all before them
R3  a leader has all that was committed in terms before its own, since nobody commits by counting
    entries of older terms, which a majority may have and lose again (Raft, figure 8)
R4  what is committed is never lost or changed
R5  a replica's term never falls, and it has one vote in a term, over restarts too
R6  what becomes committed is on the devices of a majority at that moment
R7  a replica's commit index never falls
R8  a snapshot and what follows it give what the whole log gives
C1  what a client was told stays
C2  a read sees all that any client was told before it began

The checker sees what replicas write, say and tell, and believes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from grevy.journal import JournalEntry
from grevy.protocol.raft_messages import (
    AppendResponse,
    RaftMessage,
    VoteRequest,
    VoteResponse,
)


class InvariantBroken(Exception):
    """`rule` was broken."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule


class Written(NamedTuple):
    """What an index and a term stand for, wherever they are found."""

    previous_term: int
    payload_hash: int


class Committed(NamedTuple):
    """An entry of the one log that all replicas must have."""

    term: int
    payload_hash: int
    seen_in_term: int
    """The term of the replica that was the first to call it committed."""
    state: int
    """What a state machine has become with it: a hash over all payloads up to here."""


@dataclass(slots=True)
class Memory:
    """What one replica has said, which it must remember through all crashes."""

    term: int = 0
    votes: dict[int, int] = field(default_factory=dict)
    acknowledged_index: int = 0
    """It has said that its log is durable up to here."""
    acknowledged_term: int = 0
    commit_index: int = 0
    """In its present life."""


class RaftChecker:
    """See the module; raises `InvariantBroken`."""

    def __init__(self) -> None:
        self.committed = [Committed(0, 0, 0, 0)]
        """By index; the first one stands for the beginning."""
        self.told_index = 0
        """The newest entry that a client was told about."""
        self.leaders: dict[int, int] = {}
        self._written: dict[tuple[int, int], Written] = {}
        self._memories: dict[int, Memory] = {}

    @property
    def commit_index(self) -> int:
        """How far the log is committed, as far as any replica knows."""
        return len(self.committed) - 1

    def appends(self, node: int, previous_term: int, entries: Sequence[JournalEntry]) -> None:
        """A replica writes entries to its log, after one of `previous_term`."""
        self._check_written(node, previous_term, entries)

    def cuts(self, node: int, last_index: int, last_term: int) -> None:
        """A replica removes what its log has after an entry."""
        memory = self._memory(node)
        if last_index < memory.commit_index:
            raise InvariantBroken("R4", f"{node} removes {last_index + 1}, which it has committed")
        if last_index < memory.acknowledged_index:
            memory.acknowledged_index, memory.acknowledged_term = last_index, last_term

    def resets(
        self, node: int, index: int, term: int, term_at: Callable[[int], int | None]
    ) -> None:
        """A replica's log begins anew after a snapshot; `term_at` looks into the one that goes.

        What conflicts with the snapshot may go with it, acknowledged or not: its leader has never
        had it committed.
        """
        memory = self._memory(node)
        is_newer = index < memory.acknowledged_index and term_at(index) == term
        if index < memory.commit_index or is_newer:
            raise InvariantBroken(
                "R6", f"{node} has a snapshot at {index} for its log, and had more than that"
            )
        if index > self.commit_index or self.committed[index].term != term:
            raise InvariantBroken(
                "R4", f"{node} has a snapshot of what is not committed at {index}"
            )
        memory.commit_index = memory.acknowledged_index = index
        memory.acknowledged_term = term

    def _check_written(
        self, node: int, previous_term: int, entries: Sequence[JournalEntry]
    ) -> None:
        for entry in entries:
            written = Written(previous_term, xxh3_64_intdigest(entry.payload))
            known = self._written.setdefault((entry.index, entry.term), written)
            if known != written:
                raise InvariantBroken(
                    "R2", f"{node} has another entry {entry.index} of term {entry.term}"
                )
            previous_term = entry.term

    def leads(self, node: int, term: int, term_at: Callable[[int], int | None]) -> None:
        """A replica leads in a term; `term_at` looks into its log, None behind its end."""
        leader = self.leaders.setdefault(term, node)
        if leader != node:
            raise InvariantBroken("R1", f"{leader} and {node} lead in term {term}")
        index = self.commit_index
        while self.committed[index].seen_in_term >= term:
            index -= 1
        if index and term_at(index) != self.committed[index].term:
            raise InvariantBroken(
                "R3", f"{node} leads in term {term} without the committed entry {index}"
            )

    def promises(self, node: int, term: int, vote: int) -> None:
        """A replica's term and vote are durable."""
        memory = self._memory(node)
        if term < memory.term:
            raise InvariantBroken("R5", f"the term of {node} falls from {memory.term} to {term}")
        memory.term = term
        if vote:
            self._check_vote(node, memory, term, vote)

    def _check_vote(self, node: int, memory: Memory, term: int, vote: int) -> None:
        before = memory.votes.setdefault(term, vote)
        if before != vote:
            raise InvariantBroken("R5", f"{node} votes for {before} and {vote} in term {term}")

    def says(
        self, node: int, receiver: int, message: RaftMessage, term_at: Callable[[int], int]
    ) -> None:
        """A replica sends a message; `term_at` looks into its log."""
        memory = self._memory(node)
        if isinstance(message, VoteRequest | VoteResponse) and message.is_pre_vote:
            return
        if message.term > memory.term:
            raise InvariantBroken("R5", f"{node} speaks in term {message.term}, which may be lost")
        if isinstance(message, VoteRequest):
            self._check_vote(node, memory, message.term, node)
        elif isinstance(message, VoteResponse) and message.is_granted:
            self._check_vote(node, memory, message.term, receiver)
        elif isinstance(message, AppendResponse) and not message.is_rejected:
            index = message.match_index
            if index > memory.acknowledged_index:
                self.persists(node, index, term_at(index))

    def persists(self, node: int, index: int, term: int) -> None:
        """A replica says, or believes, that its log up to an entry is durable."""
        memory = self._memory(node)
        if index > memory.acknowledged_index:
            memory.acknowledged_index = index
            memory.acknowledged_term = term

    def restarts(
        self, node: int, term: int, vote: int, term_at: Callable[[int], int | None]
    ) -> None:
        """A replica has term and vote from its disk again, and its log."""
        memory = self._memory(node)
        memory.commit_index = 0
        if term < memory.term:
            raise InvariantBroken("R5", f"{node} has forgotten term {memory.term}, knows {term}")
        before = memory.votes.get(term)
        if before is not None and before != vote:
            raise InvariantBroken("R5", f"{node} has forgotten its vote for {before} in {term}")
        index = memory.acknowledged_index
        found = term_at(index) if index else 0
        if found is None or found < memory.acknowledged_term:
            raise InvariantBroken("R6", f"{node} has lost the entry {index}, which was durable")
        self.promises(node, term, vote)

    def forgets(self, node: int) -> None:
        """A replica knows that it has lost its log to damage; it still has term and vote."""
        memory = self._memory(node)
        memory.acknowledged_index = memory.acknowledged_term = 0

    def is_decided(self, node: int) -> bool:
        """Whether the election of a replica's last vote has a winner. A vote file that is lost
        before may be a second vote (`grevy.raft.storage`).
        """
        votes = self._memory(node).votes
        return not votes or max(votes) in self.leaders

    def forgets_vote(self, node: int) -> None:
        """A replica has lost its vote file too, or all that it had. It has no vote before a leader
        has repaired it, and that one has an entry which others of its term have not.
        """
        self._memories[node] = Memory()

    def finds(self, node: int, previous_term: int, entries: Sequence[JournalEntry]) -> None:
        """All entries of a log, as read from the disk."""
        self._check_written(node, previous_term, entries)

    def has_committed(self, node: int, entry: JournalEntry) -> None:
        """A replica takes an entry for committed; is it the one?"""
        if entry.index > self.commit_index:
            return
        known = self.committed[entry.index]
        if (known.term, known.payload_hash) != (entry.term, xxh3_64_intdigest(entry.payload)):
            raise InvariantBroken("R4", f"{node} has another entry {entry.index} as committed")

    def commits(
        self,
        node: int,
        term: int,
        entries: Sequence[JournalEntry],
        is_stable: Callable[[int, int], bool],
    ) -> None:
        """A replica in a term takes these entries, which follow those before, for committed.

        `is_stable` says of an index and a term whether a majority's devices have that entry.
        """
        memory = self._memory(node)
        commit_index = entries[-1].index
        if commit_index < memory.commit_index:
            raise InvariantBroken("R7", f"the commit index of {node} falls to {commit_index}")
        memory.commit_index = commit_index
        before = self.commit_index
        for entry in entries:
            self.has_committed(node, entry)
            if entry.index > self.commit_index:
                self._commit(node, term, entry)
        if commit_index <= before:
            return  # others were first
        if self.leaders.get(term) == node and entries[-1].term != term:
            raise InvariantBroken(
                "R3", f"{node} leads in term {term} and counts an entry of term {entries[-1].term}"
            )
        if not is_stable(commit_index, entries[-1].term):
            raise InvariantBroken(
                "R6", f"{node} commits {commit_index}, which no majority has on its devices"
            )

    def _commit(self, node: int, term: int, entry: JournalEntry) -> None:
        if entry.index != self.commit_index + 1:
            raise InvariantBroken("R4", f"{node} commits {entry.index} after {self.commit_index}")
        last = self.committed[-1]
        if entry.term < last.term:
            raise InvariantBroken("R4", f"{node} commits {entry.index} of an older term")
        payload_hash = xxh3_64_intdigest(entry.payload)
        state = xxh3_64_intdigest(entry.payload, last.state)
        seen_in_term = max(term, last.seen_in_term)
        self.committed.append(Committed(entry.term, payload_hash, seen_in_term, state))

    def has_state(self, node: int, index: int, state: int) -> None:
        """A replica's state machine is at an index; however it got there."""
        if index > self.commit_index:
            raise InvariantBroken("R7", f"{node} has applied {index}, which is not committed")
        if state != self.committed[index].state:
            raise InvariantBroken("R8", f"{node} has another state at {index}")

    def tells(self, node: int, index: int, payload: bytes) -> None:
        """A client is told that its proposal is committed."""
        if index > self.commit_index:
            raise InvariantBroken("C1", f"{node} tells of {index}, which is not committed")
        if self.committed[index].payload_hash != xxh3_64_intdigest(payload):
            raise InvariantBroken("C1", f"{node} tells of another entry at {index}")
        self.told_index = max(self.told_index, index)

    def reads(self, node: int, index: int, told_before: int) -> None:
        """A client reads the state at an index; when it asked, some were told of `told_before`."""
        if index < told_before:
            raise InvariantBroken("C2", f"{node} reads at {index}, clients know of {told_before}")

    def _memory(self, node: int) -> Memory:
        return self._memories.setdefault(node, Memory())
