"""The log as the core sees it: what is written, behind a port, and what is not, in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Protocol

from grevy.protocol.journal_entry import JournalEntry
from grevy.raft.ready import LogStart


class LogReader(Protocol):
    """The written part of a log. `RaftStorage` is one, over a journal."""

    @property
    def first_index(self) -> int:
        """Index of the oldest entry; of the next one when the log is empty."""
        ...

    @property
    def last_index(self) -> int:
        """Index of the newest entry; `first_index - 1` when the log is empty."""
        ...

    def term_at(self, index: int) -> int:
        """Term of an entry from `first_index - 1` (0 before the first of all) to `last_index`."""
        ...

    def read(self, from_index: int, max_bytes: int) -> list[JournalEntry]:
        """Entries from `from_index` on with at most `max_bytes` of payload, but at least one; empty
        beyond the end.
        """
        ...


class RaftLog:
    """The written log, what comes after it, and what of the written is void.

    Entries go through `append` → `unwritten` → `wrote` → `persisted`. The newest ones stay in
    memory, for followers. Terms are known as runs, from the newest entry backwards as far as
    somebody asked: a log has few terms, and asking the disk for each entry would be slow.
    """

    def __init__(self, written: LogReader) -> None:
        self._written = written
        self.last_index = written.last_index
        """Of the newest entry, written or not."""
        self.written_index = self.last_index
        """Of the newest entry that the written log has and that is not void."""
        self.persisted_index = self.last_index
        """Of the newest entry that is on the disk, as far as the embedder has said."""
        self.truncate_after: int | None = None
        """What was written after this is void, and still to be removed."""
        self.reset_to: LogStart | None = None
        """All that was written is void, and still to be forgotten."""
        self._run_starts: list[int] = []
        self._run_terms: list[int] = []
        self.last_term = written.term_at(self.last_index)
        """Term of the newest entry, even of one that was compacted."""
        self._learn_run(self.last_index, self.last_term)
        self._tail: list[JournalEntry] = []
        self._tail_bytes = 0

    @property
    def first_index(self) -> int:
        """Index of the oldest entry; the embedder compacts when it likes."""
        if self.reset_to is not None:
            return self.reset_to.index + 1
        return self._written.first_index

    @property
    def is_moved(self) -> bool:
        """Whether something that was written is void, and still there."""
        return self.truncate_after is not None or self.reset_to is not None

    def term_at(self, index: int) -> int:
        """Term of an entry, or of the one before the first."""
        if self._run_starts[-1] <= index <= self.last_index:
            return self.last_term
        assert self.first_index - 1 <= index < self.last_index, (index, self.last_index)
        while index < self._run_starts[0]:
            before = self._run_starts[0] - 1
            self._learn_run(before, self._written.term_at(before))
        return self._run_terms[bisect_right(self._run_starts, index) - 1]

    def has(self, index: int, term: int) -> bool:
        """Whether there is such an entry, or there was one just before the first."""
        if index == self.last_index:
            return self.last_term == term
        return self.first_index - 1 <= index < self.last_index and self.term_at(index) == term

    def can_send_from(self, index: int) -> bool:
        """Whether the entries from this one on are there, and the term of the one before it: in
        memory, wherever the written log begins, or in that.
        """
        is_at_hand = self.last_index - len(self._tail) < index and self._run_starts[-1] < index
        return is_at_hand or index >= self.first_index

    def newest_not_after(self, index: int, term: int) -> int:
        """Index of the newest entry at or before `index` whose term is at most `term`: where two
        logs may agree. `first_index - 1` when there is none.
        """
        index = min(index, self.last_index)
        while index >= self.first_index and self.term_at(index) > term:
            index = max(self._start_of_run(index) - 1, self.first_index - 1)
        return index

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Entries that continue the log."""
        for entry in entries:
            self.last_index += 1
            assert entry.index == self.last_index, f"{entry.index} is not {self.last_index}"
            if entry.term != self.last_term:
                assert entry.term > self.last_term, "a term never falls"
                self.last_term = entry.term
                self._run_starts.append(entry.index)
                self._run_terms.append(entry.term)
            self._tail_bytes += len(entry.payload)
        self._tail += entries

    def append_own(self, term: int, payload: bytes) -> JournalEntry:
        """A leader's next entry; what `append` does, for one."""
        self.last_index += 1
        if term != self.last_term:
            assert term > self.last_term, "a term never falls"
            self.last_term = term
            self._run_starts.append(self.last_index)
            self._run_terms.append(term)
        entry = JournalEntry(self.last_index, term, payload)
        self._tail_bytes += len(payload)
        self._tail.append(entry)
        return entry

    def truncate(self, after: int) -> None:
        """Removes the entries after `after`."""
        assert self.first_index - 1 <= after < self.last_index
        self.last_term = self.term_at(after)
        self.last_index = after
        while self._run_starts[-1] > after:
            self._run_starts.pop()
            self._run_terms.pop()
        while self._tail and self._tail[-1].index > after:
            self._tail_bytes -= len(self._tail.pop().payload)
        if after < self.written_index:
            self.written_index = self.truncate_after = after
            self.persisted_index = min(self.persisted_index, after)

    def reset(self, start: LogStart) -> None:
        """Forgets all entries; the next one comes after `start`."""
        self.reset_to, self.truncate_after = start, None
        self.last_index = self.written_index = self.persisted_index = start.index
        self.last_term = start.term
        self._run_starts, self._run_terms = [start.index], [start.term]
        self._tail, self._tail_bytes = [], 0

    def unwritten(self) -> tuple[JournalEntry, ...]:
        """Entries that are to be appended."""
        count = self.last_index - self.written_index
        if count == len(self._tail):
            return tuple(self._tail)
        return tuple(self._tail[-count:]) if count else ()

    def wrote(self, keep_bytes: int) -> None:
        """What was void is gone, what was unwritten is appended. At least `keep_bytes` of payload
        stay in memory, if there are so many, and at most twice that.
        """
        self.truncate_after = self.reset_to = None
        self.written_index = self.last_index
        if self._tail_bytes > 2 * keep_bytes or not keep_bytes:
            self._trim(keep_bytes)

    def persisted(self, index: int, term: int) -> None:
        """A flush is back. What it says of entries that are void by now is void too."""
        if self.reset_to is not None:
            return
        if self.truncate_after is not None and index > self.truncate_after:
            index = self.truncate_after
        else:
            assert self.persisted_index <= index <= self.written_index, (index, self.written_index)
            assert self.term_at(index) == term, "an entry is on the disk that is not in the log"
        self.persisted_index = max(index, self.persisted_index)

    def read(self, from_index: int, max_bytes: int) -> tuple[JournalEntry, ...]:
        """Entries from `from_index` on with at most `max_bytes` of payload, but at least one; empty
        beyond the end.
        """
        first_in_tail = self.last_index - len(self._tail) + 1
        if from_index < first_in_tail:
            found = self._written.read(from_index, max_bytes)
            return tuple(entry for entry in found if entry.index <= self.written_index)
        start = end = from_index - first_in_tail
        left = max_bytes
        while end < len(self._tail):
            left -= len(self._tail[end].payload)
            if left < 0 and end > start:
                break
            end += 1
        return tuple(self._tail[start:end])

    def _trim(self, keep_bytes: int) -> None:
        if not keep_bytes:
            self._tail, self._tail_bytes = [], 0
            return
        count = 0
        while self._tail_bytes > keep_bytes:
            self._tail_bytes -= len(self._tail[count].payload)
            count += 1
        del self._tail[:count]

    def _start_of_run(self, index: int) -> int:
        """Index of the oldest known entry of the term that `index` has."""
        self.term_at(index)
        if index < self._run_starts[0]:
            before = self._run_starts[0] - 1
            self._learn_run(before, self._written.term_at(before))
        return self._run_starts[bisect_right(self._run_starts, index) - 1]

    def _learn_run(self, index: int, term: int) -> None:
        """Find where the run begins that ends at `index`."""
        indexes = range(self._written.first_index - 1, index + 1)
        start = bisect_left(indexes, term, key=self._written.term_at)
        self._run_starts.insert(0, indexes[start])
        self._run_terms.insert(0, term)
