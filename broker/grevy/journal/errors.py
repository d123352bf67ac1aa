"""What can go wrong with a journal.

GrevyError
└── JournalError
    ├── JournalCorrupted   what was flushed is not there; never repaired in silence
    │   └── JournalDamaged     the same, with file and byte (`inspection`)
    ├── JournalFailed      a write or a sync failed; this journal does nothing any more
    ├── JournalBusy        the end of the log cannot move while a flush is under way
    ├── JournalCompacted   the index was dropped from the front of the log
    └── SlotsCorrupted     a two-slot file has no readable slot, or is another's
"""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class JournalError(GrevyError):
    """Base of the errors of this room."""


class JournalCorrupted(JournalError):
    """Entries from `index` on were flushed and cannot be read; `why` says what is wrong with the
    bytes.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(f"journal is corrupted at index {index}: {why}")
        self.index = index
        self.why = why


class JournalFailed(JournalError):
    """The disk refused a write or a sync. A second try may succeed and lie, so there is none."""


class JournalBusy(JournalError):
    """A flush is under way; hand it back with `Journal.flushed` first."""


class JournalCompacted(JournalError):
    """The log begins after the index that was asked for."""

    def __init__(self, index: int, first_index: int) -> None:
        super().__init__(f"index {index} was compacted, the journal begins at {first_index}")
        self.index = index
        self.first_index = first_index


class SlotsCorrupted(JournalError):
    """A small durable value cannot be read; starting without it would forget a promise."""
