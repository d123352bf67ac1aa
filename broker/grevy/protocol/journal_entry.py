"""What journals hold, replicas exchange and nobody below the engine reads."""

from __future__ import annotations

import msgspec


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log: its Raft index, the term of the leader that made it, and bytes the
    journal doesn't read.
    """

    index: int
    term: int
    payload: bytes
