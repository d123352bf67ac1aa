"""Which subscriptions a client has, and where each is open; opened again whenever that ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from grevy.client.connection import Connection
from grevy.client.errors import ClientError
from grevy.client.options import ClientOptions
from grevy.client.subscriptions import JobSubscription, RecordSubscription, Subscription
from grevy.protocol.messages import (
    CloseSubscription,
    JobPush,
    RecordPush,
    SubscriptionClosed,
    SubscriptionOpened,
)

_log = logging.getLogger(__name__)

_Kind = TypeVar("_Kind", bound=Subscription)


class Openings:
    """Subscriptions by the number of their latest opening.

    `route` gives the connection to a partition's leader if it is up, `number` a number never used.
    """

    def __init__(
        self,
        options: ClientOptions,
        route: Callable[[int], Connection | None],
        number: Callable[[], int],
    ) -> None:
        self._options = options
        self._route = route
        self._number = number
        self._all: list[Subscription] = []
        self._open: dict[int, Subscription] = {}

    def add(self, subscription: Subscription, now_s: float) -> None:
        """Open a subscription, and keep it open."""
        self._all.append(subscription)
        self._try(subscription, now_s)

    def remove(self, subscription: Subscription) -> None:
        """Close a subscription for good."""
        if subscription in self._all:
            self._all.remove(subscription)
            self._close(subscription)

    def fail_all(self, error: ClientError) -> None:
        """The client closes: none of them will be open again."""
        for subscription in self._all:
            subscription.connection = None
            subscription.fail(error)
        self._all.clear()
        self._open.clear()

    def upkeep(self, now_s: float) -> bool:
        """Open what should be open and is not; gives whether something still is not."""
        for subscription in self._all:
            if now_s >= subscription.retry_at_s:
                self._try(subscription, now_s)
        return any(subscription.connection is None for subscription in self._all)

    def lose(self, connection: Connection) -> None:
        """What was open on a connection is closed now."""
        for subscription in self._all:
            if subscription.connection is connection:
                self._open.pop(subscription.number, None)
                subscription.connection = None

    def pushed_jobs(self, item: JobPush) -> None:
        """Jobs; those for a subscription that was closed are dropped: the broker has them back."""
        subscription = self._find(item.subscription, JobSubscription)
        if subscription is not None:
            subscription.take(item.jobs)

    def pushed_records(self, item: RecordPush) -> None:
        """Entries of the log; dropped like jobs, and pushed again."""
        subscription = self._find(item.subscription, RecordSubscription)
        if subscription is not None:
            subscription.take(item)

    def opened(self, item: SubscriptionOpened) -> None:
        """A record subscription knows where it begins."""
        subscription = self._find(item.subscription, RecordSubscription)
        if subscription is not None:
            subscription.opened(item)

    def ended(self, item: SubscriptionClosed, error: ClientError | None, now_s: float) -> None:
        """The broker closed it: for good, with an error, or to be opened again."""
        subscription = self._open.pop(item.subscription, None)
        if subscription is None:
            return
        subscription.connection = None
        if error is not None:
            _log.error("subscription to partition %d: %s", subscription.partition_id, error)
            self._all.remove(subscription)
            subscription.fail(error)
            return
        subscription.attempts += 1
        subscription.retry_at_s = now_s + self._options.backoff_s(subscription.attempts)

    def _find(self, number: int, kind: type[_Kind]) -> _Kind | None:
        subscription = self._open.get(number)
        if not isinstance(subscription, kind):
            return None
        subscription.attempts = 0
        return subscription

    def _try(self, subscription: Subscription, now_s: float) -> None:
        """Open a subscription where its leader is, unless it is open there."""
        connection = self._route(subscription.partition_id)
        if connection is None or subscription.connection is connection:
            return
        self._close(subscription)
        subscription.number = self._number()
        subscription.connection = connection
        subscription.retry_at_s = now_s
        self._open[subscription.number] = subscription
        connection.send(subscription.opening())

    def _close(self, subscription: Subscription) -> None:
        """Take a subscription from the broker that has it."""
        connection, subscription.connection = subscription.connection, None
        if self._open.pop(subscription.number, None) is None or connection is None:
            return
        if connection.is_up:
            connection.send(CloseSubscription(subscription.number))
