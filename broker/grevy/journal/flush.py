"""Making the log durable, in a thread of the caller's if it likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grevy.journal.errors import JournalFailed
from grevy.journal.promise import Promise
from grevy.journal.slots import SlotFile

Sync = Callable[[], None]
"""Makes one file, or the names in a directory, durable; raises `OSError`."""


class Health:
    """Whether the disk has ever refused a write or a sync; once it has, for ever."""

    __slots__ = ("_failure",)

    def __init__(self) -> None:
        self._failure = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing has failed."""
        return not self._failure

    def check(self) -> None:
        """Raise `JournalFailed` if something failed before."""
        if self._failure:
            raise JournalFailed(self._failure)

    def fail(self, doing: str, error: OSError) -> JournalFailed:
        """Remember that the disk refused; returns the error to raise."""
        self._failure = self._failure or f"disk failed to {doing}: {error}"
        return JournalFailed(self._failure)


class FlushHandle:
    """One flush: everything that was appended when `Journal.flush_handle` made it.

    `sync` is the only method of this room that another thread may call; meanwhile the owner of the
    journal may append and read. When it has returned, the owner calls `Journal.flushed`.
    """

    __slots__ = ("_health", "_settles", "_slots", "_syncs", "is_synced", "promise")

    def __init__(
        self,
        health: Health,
        promise: Promise,
        syncs: Sequence[Sync],
        slots: SlotFile,
        *,
        settles: bool,
    ) -> None:
        self._health = health
        self._syncs = syncs
        self._slots = slots
        self._settles = settles
        self.promise = promise
        """What is promised after it."""
        self.is_synced = False
        """Whether `sync` has done its work."""

    @property
    def index(self) -> int:
        """Index of the last entry that is durable after this flush."""
        return self.promise.flushed.index

    @property
    def term(self) -> int:
        """Term of that entry."""
        return self.promise.flushed.term

    def sync(self) -> None:
        """Wait until the frames are on the device, and note the promise, which is on the device too
        if the flush settles it. Raises `JournalFailed`, and then for ever.
        """
        self._health.check()
        try:
            for sync in self._syncs:
                sync()
            self._slots.note(self.promise.encode())
            if self._settles:
                self._slots.sync()
        except OSError as error:
            raise self._health.fail("flush", error) from error
        self.is_synced = True
