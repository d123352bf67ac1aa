"""The distribution of commands to other partitions, as processors see it."""

from __future__ import annotations

from typing import Final

from grevy.engine.partition_tables import (
    DISTRIBUTION_QUEUES,
    DISTRIBUTIONS,
    QueuedDistribution,
    StoredDistribution,
)
from grevy.engine.tables import COUNTERS
from grevy.state import State

RECEIVED: Final = "distribution received"


class DistributionsView:
    """Commands that partition 1 distributes, and how far the others have come."""

    def __init__(self, state: State) -> None:
        self._distributions = state.table(DISTRIBUTIONS)
        self._queues = state.table(DISTRIBUTION_QUEUES)
        self._counters = state.table(COUNTERS)

    def get(self, key: int) -> StoredDistribution | None:
        """The distribution of a key, until all partitions have acknowledged it."""
        return self._distributions.get(key) if key > 0 else None

    def queued(self, partition_id: int, key: int) -> QueuedDistribution | None:
        """A distribution that a partition has not acknowledged yet."""
        return self._queues.get((partition_id, key)) if key > 0 else None

    def next_for(self, partition_id: int) -> QueuedDistribution | None:
        """The oldest distribution that a partition has not acknowledged."""
        return self._queues.first(partition_id)

    def is_received(self, key: int) -> bool:
        """Whether this partition has followed a distributed command; they come in the order of
        their keys.
        """
        return key <= (self._counters.get(RECEIVED) or 0)
