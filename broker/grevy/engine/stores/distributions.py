"""The distribution of commands to other partitions, as appliers change it."""

from __future__ import annotations

from grevy.engine.partition_tables import (
    QueuedDistribution,
    StoredDistribution,
    Unanswered,
    UnansweredKind,
)
from grevy.engine.stores.unanswered import UnansweredStore
from grevy.engine.views.distributions import RECEIVED, DistributionsView
from grevy.protocol.values import CommandDistributionValue
from grevy.state import State


class DistributionStore(DistributionsView):
    """Writes distributions."""

    def __init__(self, state: State, unanswered: UnansweredStore) -> None:
        super().__init__(state)
        self._unanswered = unanswered

    def start(self, key: int, value: CommandDistributionValue) -> None:
        """A command is to reach the other partitions."""
        self._distributions.put(key, StoredDistribution(key, value))

    def finish(self, key: int) -> None:
        """All partitions have it."""
        self._distributions.delete(key)

    def enqueue(self, key: int, value: CommandDistributionValue) -> None:
        """A partition is to get it, after what it is to get before."""
        self._queues.put((value.partition_id, key), QueuedDistribution(key, value))

    def send(self, key: int, value: CommandDistributionValue, now: int) -> None:
        """A partition is sent it, and has to answer."""
        partition_id = value.partition_id
        self._queues.put((partition_id, key), QueuedDistribution(key, value, now))
        self._unanswered.expect(Unanswered(now, key, UnansweredKind.DISTRIBUTION, partition_id))

    def acknowledge(self, key: int, partition_id: int) -> None:
        """A partition has it."""
        queued = self.queued(partition_id, key)
        assert queued is not None, f"partition {partition_id} has {key} already"
        self._queues.delete((partition_id, key))
        self._unanswered.settle(queued.sent_at, key, partition_id)

    def receive(self, key: int) -> None:
        """This partition has followed a distributed command."""
        assert not self.is_received(key), f"the distributed command {key} comes twice"
        self._counters.put(RECEIVED, key)
