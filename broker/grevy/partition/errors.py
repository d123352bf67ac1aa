"""What can go wrong with a partition's folder."""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class StorageFailed(GrevyError):
    """The folder cannot be started from; the text says what is missing or damaged."""
