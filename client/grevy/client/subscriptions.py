"""What brokers push: job subscriptions for workers, record subscriptions for whoever reads the log.

A subscription outlives connections and leaders. Each time that it is opened it gets a new number,
so that what was pushed under an old one is known for stale: the broker has taken it back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final

from grevy.client.connection import Connection
from grevy.client.errors import ClientClosed, ClientError, RecordsMissing
from grevy.protocol.codec import decode_entry
from grevy.protocol.keys import Position
from grevy.protocol.messages import (
    AcknowledgeRecords,
    ActivatedJob,
    OpenJobSubscription,
    OpenRecordSubscription,
    RecordPush,
    SubscriptionOpened,
)
from grevy.protocol.record import Entry


class Subscription(ABC):
    """One subscription to one partition, opened again wherever the leader is."""

    def __init__(self, partition_id: int) -> None:
        self.partition_id: Final = partition_id
        self.connection: Connection | None = None
        """Where it is open; None while it is not."""
        self.number = 0
        """Of its latest opening."""
        self.attempts = 0
        self.retry_at_s = 0.0

    @abstractmethod
    def opening(self) -> OpenJobSubscription | OpenRecordSubscription:
        """The request that opens it from where it stands, under its number."""

    @abstractmethod
    def fail(self, error: ClientError) -> None:
        """It will not be opened again."""

    def add_credit(self, credit: int) -> None:
        """So many more may be pushed; while it is closed, `opening` will say it."""
        if self.connection is not None and self.connection.is_up:
            self.connection.add_credit(self.number, credit)


class JobSubscription(Subscription):
    """Jobs of a type, at most `max_jobs` in hand at a time."""

    def __init__(
        self,
        partition_id: int,
        terms: OpenJobSubscription,
        take: Callable[[JobSubscription, tuple[ActivatedJob, ...]], None],
    ) -> None:
        super().__init__(partition_id)
        self._terms = terms
        self._take = take
        self.in_hand = 0

    def opening(self) -> OpenJobSubscription:
        """See `Subscription.opening`."""
        terms = self._terms
        return OpenJobSubscription(
            self.number,
            self.partition_id,
            terms.type,
            terms.worker,
            terms.timeout,
            terms.fetch_variables,
            max(terms.credit - self.in_hand, 0),
        )

    def fail(self, error: ClientError) -> None:
        """See `Subscription.fail`; the worker's own end is no news to it."""

    def take(self, jobs: tuple[ActivatedJob, ...]) -> None:
        """The broker pushed jobs."""
        self.in_hand += len(jobs)
        self._take(self, jobs)

    def done(self) -> None:
        """One job is out of hand: the broker may push another."""
        self.in_hand -= 1
        self.add_credit(1)


class RecordBatch:
    """Some entries of the log, oldest first, and the position up to which nothing is left out."""

    __slots__ = ("_entries", "frames", "partition_id", "up_to")

    def __init__(self, partition_id: int, frames: tuple[bytes, ...], up_to: int) -> None:
        self.partition_id = partition_id
        self.frames = frames
        """The entries as they lie in the log."""
        self.up_to = Position(up_to)
        """The last position that was looked at: acknowledge this one."""
        self._entries: list[Entry] | None = None

    @property
    def entries(self) -> list[Entry]:
        """The entries, read; each is whole, also if few of its records are of the value types."""
        if self._entries is None:
            self._entries = [decode_entry(frame) for frame in self.frames]
        return self._entries


class RecordSubscription(Subscription):
    """The committed log of a partition, as an async iterator of batches without gaps or repeats.

    Close it with `close`, by `async with`, or with its client. An exporter's subscription does not
    know where it begins before `wait_opened`.
    """

    def __init__(
        self,
        terms: OpenRecordSubscription,
        forget: Callable[[Subscription], None],
    ) -> None:
        super().__init__(terms.partition_id)
        self._terms = terms
        self._forget = forget
        self._next_position = terms.from_position
        self._batches: deque[RecordBatch | ClientError] = deque()
        self._in_hand = 0
        self._opened: asyncio.Future[SubscriptionOpened] = (
            asyncio.get_running_loop().create_future()
        )
        self._arrived = asyncio.Event()
        self._error: ClientError | None = None

    def opening(self) -> OpenRecordSubscription:
        """See `Subscription.opening`."""
        terms = self._terms
        return OpenRecordSubscription(
            self.number,
            self.partition_id,
            self._next_position,
            terms.value_types,
            max(terms.credit - self._in_hand, 1),
            terms.exporter_id,
        )

    async def wait_opened(self) -> tuple[Position, bytes]:
        """The position after which it began, and the metadata that the exporter last left."""
        opened = await asyncio.shield(self._opened)
        return Position(opened.position), opened.metadata

    def acknowledge(self, position: int, metadata: bytes = b"") -> None:
        """All records up to here are done with: the log may be compacted so far.

        It is sent, not confirmed; after a change of leaders an earlier position may be known, and
        what came after it is pushed to the exporter's next subscription again.
        """
        if self.connection is not None and self.connection.is_up:
            request = AcknowledgeRecords(self.number, position, metadata)
            self.connection.send(request, len(metadata))

    def close(self) -> None:
        """No more records; the iteration ends."""
        self._forget(self)
        self.fail(ClientClosed("the subscription was closed"))

    def fail(self, error: ClientError) -> None:
        """See `Subscription.fail`: the iteration gives what is there, and ends."""
        if self._error is None:
            self._error = error
            self._arrived.set()
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # nobody has to wait for it

    def opened(self, item: SubscriptionOpened) -> None:
        """The broker has opened it."""
        expected, found = self._next_position, item.position + 1
        if expected > 0 and found > expected:
            self._put(RecordsMissing(expected, found))
        if expected < 0:
            self._next_position = found
        if not self._opened.done():
            self._opened.set_result(item)

    def take(self, push: RecordPush) -> None:
        """The broker pushed entries."""
        self._next_position = push.up_to + 1
        self._in_hand += len(push.entries)
        self._put(RecordBatch(self.partition_id, push.entries, push.up_to))

    def _put(self, batch: RecordBatch | ClientError) -> None:
        self._batches.append(batch)
        self._arrived.set()

    def __aiter__(self) -> RecordSubscription:
        return self

    async def __anext__(self) -> RecordBatch:
        while not self._batches:
            if isinstance(self._error, ClientClosed):
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            self._arrived.clear()
            await self._arrived.wait()
        batch = self._batches.popleft()
        if isinstance(batch, ClientError):
            raise batch
        if batch.frames:
            self._in_hand -= len(batch.frames)
            self.add_credit(len(batch.frames))
        return batch

    async def __aenter__(self) -> RecordSubscription:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()
