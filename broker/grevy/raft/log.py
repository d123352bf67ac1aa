"""The log as the core sees it: what is written, behind a port, and what is not, in memory."""

from __future__ import annotations

from typing import Protocol

from grevy.protocol.journal_entry import JournalEntry


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
