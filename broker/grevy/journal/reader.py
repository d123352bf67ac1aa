"""Reading the log in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grevy.journal.frame import ReadLimits
from grevy.protocol.journal_entry import JournalEntry

if TYPE_CHECKING:
    from grevy.journal.journal import Journal

_NO_END = 1 << 62


class JournalReader:
    """Remembers its place, so that the next batch costs one read of the file, and at the tail
    nothing.

    Cutting, compacting and resetting the journal are noticed: the reader looks its index up again.
    """

    def __init__(self, journal: Journal, from_index: int) -> None:
        self._journal = journal
        self._generation = -1
        self._segment = journal.segments[0]
        self._place = self._segment.end
        self.next_index = from_index
        """Index of the entry that comes next."""

    def next_batch(self, bytes_max: int, to_index: int = _NO_END) -> list[JournalEntry]:
        """The entries that follow, up to `to_index`, with at most `bytes_max` of payload, but at
        least one.

        Empty at the end of the log. Raises `JournalCompacted`, `JournalCorrupted`, and `OSError` if
        the disk cannot read.
        """
        to_index = min(to_index, self._journal.last_index)
        entries: list[JournalEntry] = []
        while self.next_index <= to_index:
            self._find_place()
            limits = ReadLimits(to_index, bytes_max, not entries)
            found, self._place = self._segment.read(self._place, limits)
            if not found:
                break
            entries = entries + found if entries else found
            bytes_max -= sum(len(entry.payload) for entry in found)
            self.next_index += len(found)
        return entries

    def _find_place(self) -> None:
        """Make `_segment` and `_place` those of the next entry, which exists."""
        is_current = self._generation == self._journal.generation
        if is_current and self.next_index <= self._segment.last_index:
            return
        self._segment = self._journal.segment_of(self.next_index)
        self._place = self._segment.place_after(self.next_index - 1)
        self._generation = self._journal.generation
