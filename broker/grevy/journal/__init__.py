"""The journal: entries with consecutive indexes, durable when flushed, checked whenever read."""

from grevy.journal.errors import (
    JournalBusy,
    JournalCompacted,
    JournalCorrupted,
    JournalError,
    JournalFailed,
    SlotsCorrupted,
)
from grevy.journal.flush import FlushHandle
from grevy.journal.inspection import JournalDamaged, JournalInspection, Tail
from grevy.journal.journal import Journal, JournalOptions, JournalStatistics
from grevy.journal.reader import JournalReader
from grevy.journal.slots import SlotFile, SlotOwner
from grevy.protocol.journal_entry import JournalEntry

__all__ = [
    "FlushHandle",
    "Journal",
    "JournalBusy",
    "JournalCompacted",
    "JournalCorrupted",
    "JournalDamaged",
    "JournalEntry",
    "JournalError",
    "JournalFailed",
    "JournalInspection",
    "JournalOptions",
    "JournalReader",
    "JournalStatistics",
    "SlotFile",
    "SlotOwner",
    "SlotsCorrupted",
    "Tail",
]
