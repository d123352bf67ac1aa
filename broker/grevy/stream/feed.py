"""The record feed: committed entries for subscribers and exporters, from any position, as fast as
each of them takes them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from msgspec import Struct

from grevy.logstream import LogStream
from grevy.protocol.codec import entry_mask
from grevy.protocol.intents import ValueType

READ_BYTES: Final = 1024 * 1024
"""Log read for one subscriber in one turn, so that one that catches up does not hold up the others.
"""


class RecordSubscription:
    """Where a subscriber is. `mask` has a bit for each value type that it wants; 0 is all of
    them.
    """

    __slots__ = ("credit", "exporter_id", "mask", "next_index", "number", "owner", "seen")

    def __init__(
        self, owner: Hashable, number: int, next_index: int, mask: int, exporter_id: str
    ) -> None:
        self.owner = owner
        self.number = number
        self.next_index = next_index
        self.mask = mask
        self.exporter_id = exporter_id
        self.credit = 0
        self.seen = 0


class Fed(Struct, frozen=True, gc=False):
    """Entries for a subscription, and the last position that was looked at."""

    subscription: RecordSubscription
    entries: tuple[bytes, ...]
    up_to: int


def mask_of(value_types: tuple[ValueType, ...]) -> int:
    """The bit mask of some value types."""
    mask = 0
    for value_type in value_types:
        mask |= 1 << value_type
    return mask


class RecordFeed:
    """All record subscriptions of a partition."""

    def __init__(self, log: LogStream) -> None:
        self._log = log
        self._subscriptions: dict[tuple[Hashable, int], RecordSubscription] = {}

    def open(
        self,
        owner: Hashable,
        number: int,
        from_position: int,
        value_types: tuple[ValueType, ...],
        exporter_id: str,
    ) -> RecordSubscription:
        """Adds a subscription that begins with the entry that holds a position.

        Its `seen` is where it really begins: further on, if the log no longer has the position.
        """
        index = self._log.index_of(from_position)
        mask = mask_of(value_types)
        subscription = RecordSubscription(owner, number, index, mask, exporter_id)
        first = self._log.first_position_from(index)
        subscription.seen = max(from_position, 1 if first is None else first, 1) - 1
        self._subscriptions[owner, number] = subscription
        return subscription

    def find(self, owner: Hashable, number: int) -> RecordSubscription | None:
        """An owner's subscription."""
        return self._subscriptions.get((owner, number))

    def close(self, owner: Hashable, number: int) -> RecordSubscription | None:
        """Ends a subscription."""
        return self._subscriptions.pop((owner, number), None)

    def close_all(self, owner: Hashable) -> None:
        """Ends all subscriptions of an owner."""
        for key in [key for key in self._subscriptions if key[0] == owner]:
            del self._subscriptions[key]

    def end_all(self) -> list[RecordSubscription]:
        """Ends and returns all subscriptions."""
        ended = list(self._subscriptions.values())
        self._subscriptions.clear()
        return ended

    @property
    def is_empty(self) -> bool:
        """Whether nobody listens."""
        return not self._subscriptions

    def drop_overtaken(self) -> list[RecordSubscription]:
        """Ends and returns the subscriptions whose next entries were compacted before they took
        them.
        """
        first = self._log.first_index
        lost = [s for s in self._subscriptions.values() if s.next_index < first]
        for subscription in lost:
            self.close(subscription.owner, subscription.number)
        return lost

    def pump(self, commit_index: int) -> list[Fed]:
        """What can be given out now; call again while this gives something."""
        fed = []
        for subscription in self._subscriptions.values():
            if subscription.credit > 0 and subscription.next_index <= commit_index:
                fed.append(self._feed(subscription, commit_index))
        return fed

    def _feed(self, subscription: RecordSubscription, commit_index: int) -> Fed:
        wanted: list[bytes] = []
        for index, payload in self._log.read(subscription.next_index, READ_BYTES):
            if index > commit_index or len(wanted) >= subscription.credit:
                break
            subscription.next_index = index + 1
            if not payload:
                continue
            subscription.seen = self._log.last_position(payload)
            if subscription.mask == 0 or entry_mask(payload) & subscription.mask:
                wanted.append(payload)
        subscription.credit -= len(wanted)
        return Fed(subscription, tuple(wanted), subscription.seen)
