"""The members that a log names: they change when an entry is appended, and change back when it is
removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import GroupMembers
from grevy.raft.membership import MAGIC, members_of
from grevy.raft.ready import LogStart, Membership

KEPT: Final = 4
"""Two are enough for a removal: every leader waits for the commit of one change before it appends
another, so that only the last of a log can go. The others are for snapshots that are a bit old."""


class MembersOfLog:
    """The last memberships, oldest first."""

    def __init__(self, began: GroupMembers, kept: Sequence[Membership]) -> None:
        self._history = list(kept) or [Membership(0, 0, began)]
        self.current = self._history[-1].members
        """Who is in the group."""
        self.is_due = False
        """Whether there are others than those that were given out last."""

    @property
    def index(self) -> int:
        """Index of the entry that named them."""
        return self._history[-1].index

    def at(self, index: int) -> GroupMembers:
        """Who was in the group at an index, or as far back as is known."""
        known = [item.members for item in self._history if item.index <= index]
        return known[-1] if known else self._history[0].members

    def appended(self, entries: Iterable[JournalEntry]) -> None:
        """Takes note of those entries that name members."""
        for entry in entries:
            if entry.payload.startswith(MAGIC):
                self._take(Membership(entry.index, entry.term, members_of(entry.payload)))

    def truncated(self, after: int) -> None:
        """The entries after `after` are gone."""
        if self.index > after:
            assert len(self._history) > 1, "one change at a time can be undone"
            self._history.pop()
            assert self.index <= after, "one change at a time can be undone"
            self._changed()

    def reset(self, start: LogStart, members: GroupMembers) -> None:
        """The log begins after a snapshot with these members."""
        while self._history and self._history[-1].index >= start.index:
            self._history.pop()
        self._take(Membership(start.index, start.term, members))

    def take(self) -> tuple[Membership, ...] | None:
        """What is to be made durable, if anything has changed."""
        if not self.is_due:
            return None
        self.is_due = False
        return tuple(self._history)

    def _take(self, membership: Membership) -> None:
        self._history = [*self._history, membership][-KEPT:]
        self._changed()

    def _changed(self) -> None:
        self.current = self._history[-1].members
        self.is_due = True
