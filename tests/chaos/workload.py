"""The load of the chaos tests: orders that go their way while faults are at work, and in the end a
verdict on what became of them.

    workload = Workload(client, recorder, seed=1)
    await workload.begin()
    …                       # faults
    entries = await workload.finish()
    assert check(read_history(path), entries) == []

Each lane creates an order, sometimes changes a variable of it or cancels it, and publishes the
message that it waits for. Whatever was answered, or not, it goes on: an order whose creation has
an unknown outcome gets its message too, so that every order that there is comes to its end.
"""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random
from typing import Final

from tests.chaos.effects import Effects, effects_of
from tests.chaos.history import MARK, Kind, Recorder
from tests.chaos.model import ORDER

from grevy.client import Client, Instance, Job, JobSubscription
from grevy.protocol.keys import partition_of_correlation_key
from grevy.protocol.messages import ActivatedJob, OpenJobSubscription
from grevy.protocol.record import Entry

LANES: Final = 32
CANCELLED: Final = 0.1
CHANGED: Final = 0.2
"""Shares of the orders."""
JOB_TIMEOUT_MS: Final = 4_000
FINISH_TIMEOUT_S: Final = 120.0


class Unfinished(Exception):
    """Orders have not ended in time, once faults were over."""


class Workload:
    """See the module. `lanes` orders are under way at a time."""

    def __init__(
        self, client: Client, recorder: Recorder, *, seed: int, lanes: int = LANES
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._chance = Random(seed)
        self._lanes = lanes
        self._count = self._touches = 0
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._completing: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Condition()
        self.acknowledged = 0
        """Orders whose creation was acknowledged."""

    async def begin(self) -> None:
        """Deploys the process and starts to work. Raises what the client raises."""
        await self._client.deploy(("order.bpmn", ORDER))
        terms = OpenJobSubscription(
            subscription=0,
            partition_id=0,
            type="work",
            worker="chaos",
            timeout=JOB_TIMEOUT_MS,
            fetch_variables=(),
            credit=4 * self._lanes,
        )
        self._client.subscribe_jobs(terms, self._take)
        self._tasks = {asyncio.create_task(self._lane()) for _ in range(self._lanes)}

    async def wait_acknowledged(self, count: int) -> None:
        """Until so many orders are acknowledged."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.acknowledged >= count)

    async def touch(self, partition_id: int, partition_count: int) -> None:
        """Until something that was new now is written to this partition and acknowledged."""
        keys = (f"touch-{number}" for number in count())
        key = next(
            k for k in keys if partition_of_correlation_key(k, partition_count) == partition_id
        )
        is_written = False
        while not is_written:
            self._touches += 1
            name = f"touch-{self._touches}"
            publish = self._client.publish_message("touched", key, message_id=name)
            is_written = isinstance(await self._recorder.run(Kind.PUBLISH, name, publish), int)

    async def finish(self) -> list[Entry]:
        """No new orders; all entries of all partitions, once all orders have ended. Raises
        `Unfinished` if they don't.
        """
        self._is_over = True
        await asyncio.gather(*self._tasks)
        log = _Log(self._client)
        try:
            async with asyncio.timeout(FINISH_TIMEOUT_S):
                entries = await log.read_until_all_ended(self.acknowledged)
        except TimeoutError:
            raise Unfinished(f"{log.running[:20]} of {len(log.running)}") from None
        await asyncio.gather(*self._completing)
        return entries

    async def abandon(self) -> None:
        """Stops at once, where there is nothing more to be learnt."""
        self._is_over = True
        tasks = [*self._tasks, *self._completing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _lane(self) -> None:
        while not self._is_over:
            self._count += 1
            await self._order(f"order-{self._count}")

    async def _order(self, name: str) -> None:
        client, run = self._client, self._recorder.run
        variables = {MARK: name, "key": name}
        created = await run(Kind.CREATE, name, client.create_instance("order", variables=variables))
        if isinstance(created, Instance):
            self.acknowledged += 1
            async with self._progress:
                self._progress.notify_all()
            if self._chance.random() < CHANGED:
                mark = f"{name}-changed"
                await run(Kind.SET, mark, client.set_variables(created.key, {MARK: mark}))
            if self._chance.random() < CANCELLED:
                await run(Kind.CANCEL, str(created.key), client.cancel_instance(created.key))
        await run(
            Kind.PUBLISH, f"m-{name}", client.publish_message("paid", name, message_id=f"m-{name}")
        )

    def _take(self, subscription: JobSubscription, jobs: tuple[ActivatedJob, ...]) -> None:
        for job in jobs:
            task = asyncio.create_task(self._complete(subscription, Job(job)))
            self._completing.add(task)
            task.add_done_callback(self._completing.discard)

    async def _complete(self, subscription: JobSubscription, job: Job) -> None:
        completed = self._client.complete_job(job)
        await self._recorder.run(Kind.COMPLETE, str(job.key), completed)
        subscription.done()


class _Log:
    """All partitions' logs as they are read."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._entries: list[Entry] = []
        self._seen = Effects()
        self._grown = asyncio.Condition()

    @property
    def running(self) -> list[int]:
        """Keys of the instances that have not ended, as far as was read."""
        return [key for key in self._seen.instances if key not in self._seen.ended]

    async def read_until_all_ended(self, count: int) -> list[Entry]:
        """At least so many instances, and none that runs."""
        topology = await self._client.topology()
        readers = [
            asyncio.create_task(self._read(partition.id)) for partition in topology.partitions
        ]
        try:
            async with self._grown:
                await self._grown.wait_for(
                    lambda: len(self._seen.instances) >= count and not self.running
                )
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        return self._entries

    async def _read(self, partition_id: int) -> None:
        async for batch in self._client.subscribe_records(partition_id, from_position=1):
            effects = effects_of(batch.entries)
            async with self._grown:
                self._entries += batch.entries
                self._seen.instances |= effects.instances
                self._seen.ended |= effects.ended
                self._grown.notify_all()
