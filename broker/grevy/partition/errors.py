"""What can go wrong with a partition: its folder, its state."""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class StorageFailed(GrevyError):
    """The folder cannot be started from; the text says what is missing or damaged."""


class StateDiverged(GrevyError):
    """Replicas of a partition have applied the same log and have not the same state."""
