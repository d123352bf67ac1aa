"""What raft keeps: the log in the journal; term, vote and members in a slot file of their own.

    vote: two slots (see `grevy.journal.slots`), each with
    ┌──────┬──────┬───────────┬───────┬──────────────────────────────────────────────┐
    │ term │ vote │ is        │ count │ memberships: index, term, members (see       │
    │ u64  │ u64  │ recovering│ u8    │ `membership`), oldest first                  │
    │      │      │ u8        │       │ u64, u64, …                                  │
    └──────┴──────┴───────────┴───────┴──────────────────────────────────────────────┘

All numbers are little-endian. A value that ends after the vote is from before there were members.
"""

from __future__ import annotations

import struct
from typing import Final

from grevy.journal import Journal, SlotFile, SlotOwner, SlotsCorrupted
from grevy.ports import Disk, Entropy
from grevy.protocol.journal_entry import JournalEntry
from grevy.raft.config import RaftConfig
from grevy.raft.membership import decode_members, encode_members
from grevy.raft.node import RawNode
from grevy.raft.ready import HardState, LogStart, Membership, Ready

DIRECTORY: Final = "raft"
_FILE: Final = "vote"
_KIND: Final = 2
_VOTE: Final = struct.Struct("<QQ")
_FLAGS: Final = struct.Struct("<BB")
_PLACE: Final = struct.Struct("<QQ")


class RaftStorage:
    """The durable side of one replica, and the log as its core reads it (`LogReader`)."""

    def __init__(self, journal: Journal, slots: SlotFile) -> None:
        self.journal = journal
        self._slots = slots
        self._hard_state, found = _decode(slots.value)
        self._memberships = tuple(item for item in found if self._is_of_log(item))
        if self._memberships != found:
            self._write_slots()

    @classmethod
    def open(
        cls, disk: Disk, journal: Journal, partition_id: int, *, has_lost_data: bool = False
    ) -> RaftStorage:
        """Reads term, vote and members; raises `SlotsCorrupted` where they are damaged or gone, and
        never begins anew over a log.

        `has_lost_data` says that something that was durable here is gone. The replica then gives no
        vote until a leader has repaired it, over restarts too. A log that is damaged is to be put
        away before, so that `journal` is empty; where the vote file is gone, the log goes too, and
        then one promise is weaker: a vote that this replica gave in an election which is still
        undecided is forgotten.
        """
        disk.mkdir(DIRECTORY)
        owner = SlotOwner(0, partition_id, _KIND)
        path = f"{DIRECTORY}/{_FILE}"
        if disk.exists(path):
            storage = cls(journal, SlotFile.open(disk, path, owner))
            term = storage.hard_state.term
            if term < journal.last_term:
                storage.close()
                raise SlotsCorrupted(
                    f"{path} is of term {term}, but the log is of term {journal.last_term}"
                )
        else:
            if journal.last_term > 0:
                raise SlotsCorrupted(f"{path} is missing, but there is a log")
            value = _encode(HardState(), ())
            storage = cls(journal, SlotFile.create(disk, DIRECTORY, _FILE, owner, value))
        if has_lost_data and not storage.hard_state.is_recovering:
            state = storage.hard_state
            storage._hard_state = HardState(state.term, state.vote, is_recovering=True)
            storage._write_slots()
        return storage

    @property
    def hard_state(self) -> HardState:
        """Term and vote, as they are on disk."""
        return self._hard_state

    @property
    def memberships(self) -> tuple[Membership, ...]:
        """The last memberships of the log or of what was before it, oldest first."""
        return self._memberships

    @property
    def first_index(self) -> int:
        """See `LogReader`."""
        return self.journal.first_index

    @property
    def last_index(self) -> int:
        """See `LogReader`."""
        return self.journal.last_index

    def term_at(self, index: int) -> int:
        """See `LogReader`. Raises as `Journal.read` does."""
        return self.journal.term_at(index)

    def read(self, from_index: int, max_bytes: int) -> list[JournalEntry]:
        """See `LogReader`. Raises as `Journal.read` does."""
        return self.journal.read(from_index, max_bytes)

    def make_node(
        self, config: RaftConfig, entropy: Entropy, *, committed_index: int = 0
    ) -> RawNode:
        """The core of this replica, as it was left. Everything that the journal holds must be
        durable, which it is when it has just been opened. `committed_index` is how far the log is
        known to be committed, by a checkpoint of what was applied.
        """
        return RawNode(
            *(config, self._hard_state, self),
            entropy=entropy,
            memberships=self._memberships,
            committed_index=committed_index,
        )

    def write(self, ready: Ready) -> None:
        """Makes hard state and members durable, puts the log right, and appends the entries, which
        are durable after the next flush.

        Raises `JournalBusy`, having written nothing to the log, if `RawNode.needs_quiet_log` was
        not heeded.
        """
        if ready.hard_state is not None or ready.memberships is not None:
            self._keep(ready)
        if ready.reset is not None:
            self.journal.reset(ready.reset.index + 1, previous_term=ready.reset.term)
        if ready.truncate_after is not None:
            self.journal.truncate_after(ready.truncate_after)
        if ready.entries:
            self.journal.append(ready.entries)

    def begin_after(self, start: LogStart, membership: Membership) -> None:
        """Lets the log begin after a snapshot, at a start which finds that the snapshot was
        installed and the log not yet reset. To be called before `make_node`.
        """
        assert membership.index <= start.index, "members of the snapshot"
        term = max(self._hard_state.term, start.term)
        vote = self._hard_state.vote if term == self._hard_state.term else 0
        self._hard_state = HardState(term, vote, self._hard_state.is_recovering)
        self._memberships = (*self._memberships[-1:], membership)
        self._write_slots()
        self.journal.reset(start.index + 1, previous_term=start.term)

    def close(self) -> None:
        """Closes the slot file; the journal is its owner's."""
        self._slots.close()

    def _keep(self, ready: Ready) -> None:
        if ready.hard_state is not None:
            assert ready.hard_state.term >= self._hard_state.term, "a term never goes back"
            self._hard_state = ready.hard_state
        if ready.memberships is not None:
            self._memberships = ready.memberships
        self._write_slots()

    def _write_slots(self) -> None:
        self._slots.write_both(_encode(self._hard_state, self._memberships))

    def _is_of_log(self, membership: Membership) -> bool:
        """Whether the log has the entry, or had it before it was compacted: the slots are written
        before the log, and a crash comes between.
        """
        journal = self.journal
        if membership.index < journal.first_index:
            return True
        if membership.index > journal.last_index:
            return False
        return journal.term_at(membership.index) == membership.term


def _encode(state: HardState, memberships: tuple[Membership, ...]) -> bytes:
    parts = [
        _VOTE.pack(state.term, state.vote),
        _FLAGS.pack(state.is_recovering, len(memberships)),
    ]
    for item in memberships:
        parts += [_PLACE.pack(item.index, item.term), encode_members(item.members)]
    return b"".join(parts)


def _decode(value: bytes) -> tuple[HardState, tuple[Membership, ...]]:
    term, vote = _VOTE.unpack_from(value)
    if len(value) == _VOTE.size:
        return HardState(term, vote), ()
    is_recovering, count = _FLAGS.unpack_from(value, _VOTE.size)
    memberships = []
    offset = _VOTE.size + _FLAGS.size
    for _ in range(count):
        index, term_of_entry = _PLACE.unpack_from(value, offset)
        members, offset = decode_members(value, offset + _PLACE.size)
        memberships.append(Membership(index, term_of_entry, members))
    return HardState(term, vote, bool(is_recovering)), tuple(memberships)
