"""What raft keeps: the log in the journal, and term and vote in a slot file of their own.

vote: two slots (see `grevy.journal.slots`), each with term u64 and vote u64, little-endian
"""

from __future__ import annotations

import struct
from typing import Final

from grevy.journal import Journal, SlotFile, SlotOwner, SlotsCorrupted
from grevy.ports import Disk
from grevy.raft.node import HardState, Ready

DIRECTORY: Final = "raft"
_FILE: Final = "vote"
_KIND: Final = 2
_VALUE: Final = struct.Struct("<QQ")


class RaftStorage:
    """The durable side of one replica."""

    def __init__(self, journal: Journal, slots: SlotFile) -> None:
        self.journal = journal
        self._slots = slots

    @classmethod
    def open(cls, disk: Disk, journal: Journal, partition_id: int) -> RaftStorage:
        """Reads term and vote; raises `SlotsCorrupted` where they are damaged or gone, and never
        begins anew over a log.
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
            return storage
        if journal.last_term > 0:
            raise SlotsCorrupted(f"{path} is missing, but there is a log")
        value = _VALUE.pack(0, 0)
        return cls(journal, SlotFile.create(disk, DIRECTORY, _FILE, owner, value))

    @property
    def hard_state(self) -> HardState:
        """Term and vote, as they are on disk."""
        return HardState(*_VALUE.unpack(self._slots.value))

    def write(self, ready: Ready) -> None:
        """Makes the hard state durable and appends the entries, which are durable after the next
        flush.
        """
        if ready.hard_state is not None:
            assert ready.hard_state.term >= self.hard_state.term, "a term never goes back"
            self._slots.write_both(_VALUE.pack(ready.hard_state.term, ready.hard_state.vote))
        if ready.entries:
            self.journal.append(ready.entries)

    def close(self) -> None:
        """Closes the slot file; the journal is its owner's."""
        self._slots.close()
