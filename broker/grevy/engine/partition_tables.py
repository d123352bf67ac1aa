"""The tables of what goes on between partitions. With one partition they are empty."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

from grevy.protocol.values import CommandDistributionValue
from grevy.state import TEXT, U64, KeyOf, TableSpec


class UnansweredKind(IntEnum):
    """What another partition has been sent and has not answered yet."""

    PROCESS_SIDE = 1
    MESSAGE_SIDE = 2
    DISTRIBUTION = 3


class Unanswered(Struct, frozen=True, array_like=True, gc=False):
    """Something that another partition has been sent and has not answered.

    `key` is that of a subscription, named by its element instance and message, or of a
    distribution, to the partition `partition_id`. `sent_at` is the time of the entry that sent it
    first, in epoch milliseconds.
    """

    sent_at: int
    key: int
    kind: UnansweredKind
    partition_id: int = 0
    element_key: int = -1
    message_name: str = ""


class ClosedSubscription(Struct, frozen=True, array_like=True, gc=False):
    """A subscription of another partition's instance that was closed, and when."""

    element_key: int
    message_name: str
    closed_at: int


class StoredDistribution(Struct, frozen=True, array_like=True, gc=False):
    """A command that is being distributed, whole."""

    key: int
    value: CommandDistributionValue


class QueuedDistribution(Struct, frozen=True, array_like=True, gc=False):
    """A distribution that a partition has not acknowledged; `sent_at` is -1 while others are before
    it.
    """

    key: int
    value: CommandDistributionValue
    sent_at: int = -1


UNANSWERED: Final = TableSpec(
    43, "unanswered", key=KeyOf(U64, U64, U64), value=Unanswered, ordered=True
)
"""(when it was sent, subscription or distribution, partition of a distribution or 0)."""

CLOSED_SUBSCRIPTIONS: Final = TableSpec(
    44, "closed_subscriptions", key=KeyOf(U64, TEXT), value=ClosedSubscription
)
"""(element instance, message name)."""

CLOSED_BY_TIME: Final = TableSpec(
    45, "closed_by_time", key=KeyOf(U64, U64, TEXT), value=ClosedSubscription, ordered=True
)
"""(when it was closed, element instance, message name)."""

DISTRIBUTIONS: Final = TableSpec(46, "distributions", key=U64, value=StoredDistribution)
DISTRIBUTION_QUEUES: Final = TableSpec(
    47, "distribution_queues", key=KeyOf(U64, U64), value=QueuedDistribution, ordered=True
)
"""(partition, distribution): first in, first out."""

RETIRED_PROCESSES: Final = TableSpec(48, "retired_processes", key=U64, value=int)
"""Process definition → the same, where it was deleted and instances of it live here."""
