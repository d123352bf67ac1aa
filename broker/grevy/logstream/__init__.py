"""The log stream: positions over the journal's indexes.

Raft counts entries, users count records. Positions grow with indexes, so the entry of a position is
found by bisection.
"""

from __future__ import annotations

from collections.abc import Iterator

from grevy.journal import Journal
from grevy.protocol.codec import decode_entry, entry_positions
from grevy.raft import is_of_engine

__all__ = ["LogStream"]


class LogStream:
    """Reads a partition's journal by position."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def index_of(self, position: int) -> int:
        """The index from which reading on comes to a position first: that of the entry that holds
        it, or of the first of the entries without records right before that one.

        The oldest index for what is compacted; for what is still to come, where its entry could be
        at the earliest.
        """
        low, high = self._journal.first_index, self._journal.last_index + 1
        while low < high:
            middle = (low + high) // 2
            found, last = self._first_at_or_after(middle, high)
            if found >= high or last >= position:
                high = middle
            else:
                low = found + 1
        return low

    @property
    def first_index(self) -> int:
        """The index of the oldest entry that there is."""
        return self._journal.first_index

    def first_position_from(self, index: int) -> int | None:
        """The first position that there is from an index on; None at the end of the log."""
        end = self._journal.last_index + 1
        found, _ = self._first_at_or_after(index, end)
        if found == end:
            return None
        return entry_positions(self._journal.read(found, 1)[0].payload)[0]

    def last_timestamp(self) -> int:
        """The time of the newest entry with records, in epoch milliseconds; 0 where there is none.

        Few entries without records follow each other: there is one for each change of the leader,
        of the members, of what exporters have acknowledged.
        """
        for index in range(self._journal.last_index, self._journal.first_index - 1, -1):
            payload = self._journal.read(index, 1)[0].payload
            if is_of_engine(payload):
                return decode_entry(payload).timestamp
        return 0

    def read(self, from_index: int, max_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Entries from an index on: index and payload (empty where it has no records), at most so
        many bytes.
        """
        for entry in self._journal.read(from_index, max_bytes):
            yield entry.index, entry.payload if is_of_engine(entry.payload) else b""

    @staticmethod
    def last_position(payload: bytes) -> int:
        """The position of an entry's last record."""
        return entry_positions(payload)[1]

    def _first_at_or_after(self, index: int, end: int) -> tuple[int, int]:
        """The first entry with records from an index on, and its last position; `end` if there is
        none.
        """
        while index < end:
            (entry,) = self._journal.read(index, 1)[:1]
            if is_of_engine(entry.payload):
                return index, self.last_position(entry.payload)
            index += 1
        return end, 0
