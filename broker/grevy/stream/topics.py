"""Job topics: who waits for jobs of which type, with how much credit. Known to the leader only.

Credit is taken when a step hands out a job, in turn among the subscriptions of a type, and comes
back if the step is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from grevy.engine import JobTaker


class JobSubscription:
    """A worker's subscription to a job type; `owner` is whoever it is pushed to."""

    __slots__ = (
        "credit",
        "fetch_variables",
        "is_open",
        "is_ready",
        "job_type",
        "number",
        "owner",
        "timeout",
        "worker",
    )

    def __init__(
        self,
        owner: Hashable,
        number: int,
        job_type: str,
        *,
        worker: str,
        timeout: int,
        fetch_variables: tuple[str, ...],
    ) -> None:
        self.owner = owner
        self.number = number
        self.job_type = job_type
        self.worker = worker
        self.timeout = timeout
        self.fetch_variables = fetch_variables
        self.credit = 0
        self.is_open = True
        self.is_ready = False  # whether it stands in the queue of its type


class Topics:
    """All job subscriptions of a partition's leader."""

    def __init__(self) -> None:
        self._ready: dict[str, deque[JobSubscription]] = {}
        self._subscriptions: dict[tuple[Hashable, int], JobSubscription] = {}

    def open(self, subscription: JobSubscription) -> None:
        """Adds a subscription; one of the same owner and number is replaced."""
        self.close(subscription.owner, subscription.number)
        self._subscriptions[subscription.owner, subscription.number] = subscription

    def find(self, owner: Hashable, number: int) -> JobSubscription | None:
        """An owner's subscription."""
        return self._subscriptions.get((owner, number))

    def close(self, owner: Hashable, number: int) -> JobSubscription | None:
        """Ends a subscription; it gets no more jobs."""
        found = self._subscriptions.pop((owner, number), None)
        if found is not None:
            found.is_open = False
            found.credit = 0
        return found

    def close_all(self) -> list[JobSubscription]:
        """Ends all subscriptions, as a leader does that leads no longer."""
        ended = list(self._subscriptions)
        return [found for key in ended if (found := self.close(*key)) is not None]

    def owned_by(self, owner: Hashable) -> list[JobSubscription]:
        """All subscriptions of an owner."""
        return [s for (who, _), s in self._subscriptions.items() if who == owner]

    def add_credit(self, subscription: JobSubscription, credit: int) -> None:
        """So many more jobs may be pushed."""
        assert credit > 0, credit
        if not subscription.is_ready and subscription.is_open:
            self._ready.setdefault(subscription.job_type, deque()).append(subscription)
            subscription.is_ready = True
        subscription.credit += credit

    def take(self, job_type: str) -> JobTaker | None:
        """Takes one credit of the next subscription in turn; None if nobody has any."""
        ready = self._ready.get(job_type)
        while ready:
            subscription = ready.popleft()
            if subscription.credit == 0:
                subscription.is_ready = False
                continue
            subscription.credit -= 1
            ready.append(subscription)
            return subscription
        return None

    def give_back(self, taker: JobTaker) -> None:
        """The job was not handed out after all."""
        assert isinstance(taker, JobSubscription), taker
        if taker.is_open:
            self.add_credit(taker, 1)

    def use(self, taker: JobTaker, count: int) -> None:
        """A subscription gets jobs that were there before its credit."""
        assert isinstance(taker, JobSubscription), taker
        assert taker.credit >= count, f"{count} jobs for a credit of {taker.credit}"
        taker.credit -= count

    def statistics(self) -> dict[str, int]:
        """Open subscriptions and the credit that they have, by job type."""
        credit: dict[str, int] = {}
        for subscription in self._subscriptions.values():
            credit[subscription.job_type] = (
                credit.get(subscription.job_type, 0) + subscription.credit
            )
        return credit
