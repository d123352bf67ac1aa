"""A written log in memory, for tests that need no disk."""

from __future__ import annotations

from grevy.protocol.journal_entry import JournalEntry
from grevy.raft import LogStart, Ready


class MemoryLog:
    """Entries after a start (`LogReader`); `write` does what `RaftStorage.write` does to the
    log.
    """

    def __init__(self, *terms: int, start: LogStart | None = None) -> None:
        self.start = start = start or LogStart(0, 0)
        self.entries = [
            JournalEntry(start.index + number, term, b"old")
            for number, term in enumerate(terms, start=1)
        ]

    @property
    def first_index(self) -> int:
        """See `LogReader`."""
        return self.start.index + 1

    @property
    def last_index(self) -> int:
        """See `LogReader`."""
        return self.start.index + len(self.entries)

    def term_at(self, index: int) -> int:
        """See `LogReader`."""
        if index == self.start.index:
            return self.start.term
        assert self.first_index <= index <= self.last_index, index
        return self.entries[index - self.first_index].term

    def read(self, from_index: int, max_bytes: int) -> list[JournalEntry]:
        """See `LogReader`."""
        assert from_index >= self.first_index, from_index
        found: list[JournalEntry] = []
        size = 0
        for entry in self.entries[from_index - self.first_index :]:
            size += len(entry.payload)
            if found and size > max_bytes:
                break
            found.append(entry)
        return found

    def write(self, ready: Ready) -> None:
        """Put the log right and append."""
        if ready.reset is not None:
            self.start, self.entries = ready.reset, []
        if ready.truncate_after is not None:
            self.cut(ready.truncate_after)
        for entry in ready.entries:
            assert entry.index == self.last_index + 1
            self.entries.append(entry)

    def cut(self, index: int) -> None:
        """Forget the entries after `index`."""
        del self.entries[max(0, index - self.start.index) :]

    def compact(self, up_to_index: int) -> None:
        """Forget the entries up to `up_to_index`."""
        term = self.term_at(up_to_index)
        del self.entries[: up_to_index - self.start.index]
        self.start = LogStart(up_to_index, term)
