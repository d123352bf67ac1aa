"""Jobs that were pushed and are not finished, by the subscription that has them.

When a worker vanishes its jobs go back at once. The activation says which lease is meant, so that a
job that was taken back and handed to another worker meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from grevy.engine import Command
from grevy.protocol.intents import JobIntent
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.values import JobValue
from grevy.stream.topics import JobSubscription


class Leases:
    """Who has which job. Known to the leader only; after a change of leaders, jobs come back by
    their time-out.
    """

    def __init__(self) -> None:
        self._by_subscription: dict[JobSubscription, dict[int, int]] = {}
        self._holders: dict[int, JobSubscription] = {}

    def grant(self, subscription: JobSubscription, jobs: Iterable[ActivatedJob]) -> None:
        """A subscription has been given jobs."""
        held = self._by_subscription.setdefault(subscription, {})
        for job in jobs:
            self.release(job.key)
            held[job.key] = job.activation
            self._holders[job.key] = subscription

    def release(self, job_key: int) -> None:
        """A job is finished, or handed to somebody else."""
        holder = self._holders.pop(job_key, None)
        if holder is not None:
            self._by_subscription[holder].pop(job_key, None)

    def take_back(self, subscription: JobSubscription) -> list[Command]:
        """The subscription is gone: commands that make its jobs activatable again."""
        held = self._by_subscription.pop(subscription, {})
        for key in held:
            self._holders.pop(key, None)
        return [
            Command(JobIntent.YIELD, key, JobValue(activation=activation))
            for key, activation in held.items()
        ]

    @property
    def count(self) -> int:
        """Jobs that workers have at the moment."""
        return len(self._holders)
