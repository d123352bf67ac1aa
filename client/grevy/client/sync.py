"""The client for code without a loop: the same methods, which wait. An own thread runs the loop."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from grevy.client.client import Client
from grevy.client.loop import new_loop
from grevy.client.options import ClientOptions
from grevy.client.subscriptions import RecordBatch, RecordSubscription
from grevy.protocol.intents import ValueType

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _waiting(
    method: Callable[Concatenate[Client, _P], Coroutine[object, object, _T]],
) -> Callable[Concatenate[SyncClient, _P], _T]:
    """A method of `Client` as one that waits."""

    def wait(self: SyncClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._loop.wait(method(self._client, *args, **kwargs))

    functools.update_wrapper(wait, method)
    return wait


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = new_loop()()
        self._thread = threading.Thread(target=self._run, name="grevy-client", daemon=True)
        self._thread.start()

    def wait(self, coroutine: Coroutine[object, object, _T]) -> _T:
        """Run a coroutine there, and wait for what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function there."""

        async def run() -> _T:
            return function()

        return self.wait(run())

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())


class SyncRecordSubscription:
    """A `RecordSubscription` as a plain iterator of batches."""

    def __init__(self, loop: _LoopThread, subscription: RecordSubscription) -> None:
        self._loop = loop
        self._subscription = subscription

    def __iter__(self) -> Iterator[RecordBatch]:
        return self

    def __next__(self) -> RecordBatch:
        async def following() -> RecordBatch | None:
            async for batch in self._subscription:
                return batch
            return None

        batch = self._loop.wait(following())
        if batch is None:
            raise StopIteration
        return batch

    def acknowledge(self, position: int, metadata: bytes = b"") -> None:
        """See `RecordSubscription.acknowledge`."""
        self._loop.call(functools.partial(self._subscription.acknowledge, position, metadata))

    def close(self) -> None:
        """No more records; the iteration ends."""
        self._loop.call(self._subscription.close)


class SyncClient:
    """A `Client` whose methods wait; it may be shared by threads.

    with SyncClient.connect("127.0.0.1:26600") as client:
        client.create_instance("order", variables={"orderId": 42})
    """

    def __init__(self, loop: _LoopThread, client: Client) -> None:
        self._loop = loop
        self._client = client

    @classmethod
    def connect(cls, *contact_points: str, options: ClientOptions | None = None) -> SyncClient:
        """See `Client.connect`."""
        loop = _LoopThread()
        try:
            client = loop.wait(Client.connect(*contact_points, options=options))
        except BaseException:
            loop.close()
            raise
        return cls(loop, client)

    def close(self) -> None:
        """See `Client.close`."""
        self._loop.call(self._client.close)
        self._loop.close()

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    deploy = _waiting(Client.deploy)
    delete_resource = _waiting(Client.delete_resource)
    evaluate_decision = _waiting(Client.evaluate_decision)
    create_instance = _waiting(Client.create_instance)
    create_instance_with_result = _waiting(Client.create_instance_with_result)
    cancel_instance = _waiting(Client.cancel_instance)
    set_variables = _waiting(Client.set_variables)
    publish_message = _waiting(Client.publish_message)
    broadcast_signal = _waiting(Client.broadcast_signal)
    resolve_incident = _waiting(Client.resolve_incident)
    activate_jobs = _waiting(Client.activate_jobs)
    complete_job = _waiting(Client.complete_job)
    fail_job = _waiting(Client.fail_job)
    throw_error = _waiting(Client.throw_error)
    update_job_retries = _waiting(Client.update_job_retries)
    update_job_timeout = _waiting(Client.update_job_timeout)
    topology = _waiting(Client.topology)
    status = _waiting(Client.status)

    def subscribe_records(
        self,
        partition_id: int = 1,
        from_position: int = 0,
        *,
        value_types: Sequence[ValueType] = (),
        exporter_id: str = "",
        credit: int = 1_000,
    ) -> SyncRecordSubscription:
        """See `Client.subscribe_records`."""
        subscribe = functools.partial(
            self._client.subscribe_records,
            partition_id,
            from_position,
            value_types=value_types,
            exporter_id=exporter_id,
            credit=credit,
        )
        return SyncRecordSubscription(self._loop, self._loop.call(subscribe))
