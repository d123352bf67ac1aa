"""Workers: handlers for job types, fed by the brokers as fast as they finish.

pushed ─▶ a task ─▶ handler ─▶ complete, fail or throw ─▶ credit for the next job
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from grevy.client.client import Client
from grevy.client.errors import ClientError, InvalidState, JobError, JobFailed, NotFound
from grevy.client.loop import run
from grevy.client.options import ClientOptions, Duration, document_of, milliseconds
from grevy.client.results import Job
from grevy.client.subscriptions import JobSubscription
from grevy.protocol.limits import ERROR_MESSAGE_CHARS_MAX
from grevy.protocol.messages import ActivatedJob, OpenJobSubscription
from grevy.protocol.values import Document

_log = logging.getLogger(__name__)

Outcome: TypeAlias = Mapping[str, object] | None
"""The variables that a job gives to its process."""

Handler: TypeAlias = Callable[[Job], Awaitable[Outcome]] | Callable[[Job], Outcome]

_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True, slots=True)
class _Route:
    """A job type and who handles it."""

    terms: OpenJobSubscription
    handler: Handler
    is_async: bool


@dataclass(slots=True)
class WorkerStatistics:
    """What a worker did since it began; `running` is of now."""

    running: int = 0
    completed: int = 0
    failed: int = 0
    thrown: int = 0
    lost: int = 0
    """Jobs whose outcome the broker did not take: gone, taken back, or not to be reached."""


class Worker:
    """Does jobs. Handlers are coroutines, or functions that run in threads.

        worker = Worker("127.0.0.1:26600", name="payments")

        @worker.job("charge-card")
        async def charge(job: Job) -> dict[str, object]:
            return {"receipt": await bank.charge(job.variables["card"])}

        worker.run_forever()

    What a handler returns completes its job; `JobError` throws a BPMN error; `JobFailed` fails the
    job as it says, any other exception with one retry less. `max_jobs` are in hand at a time, of
    each type and from each partition; `timeout` is how long a job may take before another worker
    gets it; `retry_backoff` is how long a failed job waits.
    """

    def __init__(
        self,
        client: Client | str | Sequence[str],
        *,
        name: str = "",
        max_jobs: int = 32,
        timeout: Duration = 300.0,
        retry_backoff: Duration = 0.0,
        options: ClientOptions | None = None,
    ) -> None:
        if max_jobs < 1:
            raise ValueError("max_jobs must be at least 1")
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._client = client if isinstance(client, Client) else None
        self._contact_points = _contact_points(client)
        self._options = options
        self._max_jobs = max_jobs
        self._timeout_ms = milliseconds(timeout)
        self._retry_backoff = retry_backoff
        self._routes: dict[str, _Route] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ticket = 0
        self._threads: ThreadPoolExecutor | None = None
        self._stopping: asyncio.Event | None = None
        self._statistics = WorkerStatistics()

    def job(
        self,
        job_type: str,
        *,
        max_jobs: int | None = None,
        timeout: Duration | None = None,
        fetch_variables: Sequence[str] = (),
    ) -> Callable[[_H], _H]:
        """Decorate the handler of a job type; `fetch_variables` names what it reads, none means
        all.
        """
        if job_type in self._routes:
            raise ValueError(f"the job type {job_type!r} has a handler already")

        def register(handler: _H) -> _H:
            terms = OpenJobSubscription(
                subscription=0,
                partition_id=0,
                type=job_type,
                worker=self.name,
                timeout=self._timeout_ms if timeout is None else milliseconds(timeout),
                fetch_variables=tuple(fetch_variables),
                credit=self._max_jobs if max_jobs is None else max_jobs,
            )
            is_async = inspect.iscoroutinefunction(handler)
            self._routes[job_type] = _Route(terms, handler, is_async)
            return handler

        return register

    async def run(self) -> None:
        """Work until `stop`; then finish what is running, and give back what was not begun."""
        if not self._routes:
            raise ValueError("a worker needs a handler: decorate one with @worker.job")
        self._stopping = asyncio.Event()
        client = self._client or await Client.connect(*self._contact_points, options=self._options)
        subscriptions: list[JobSubscription] = []
        self._threads = ThreadPoolExecutor(self._threads_max(), thread_name_prefix=self.name)
        try:
            for route in self._routes.values():
                subscriptions += self._subscribe(client, route)
            await self._stopping.wait()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        finally:
            client.unsubscribe_jobs(subscriptions)
            for task in self._running.values():
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)
            if self._client is None:
                client.close()

    def stop(self) -> None:
        """Let `run` come to its end. To be called in the worker's loop."""
        if self._stopping is not None:
            self._stopping.set()

    def run_forever(self) -> None:
        """Run a loop with this worker until SIGINT or SIGTERM; a second one does not wait for
        jobs.
        """
        run(self.run_until_signal())

    async def run_until_signal(self) -> bool:
        """`run` until SIGINT or SIGTERM; whether all jobs were finished, for a second signal does
        not wait for them.
        """
        loop = asyncio.get_running_loop()
        work = asyncio.ensure_future(self.run())

        def on_signal() -> None:
            if self._stopping is None or self._stopping.is_set():
                work.cancel()
                return
            if self._running:
                _log.warning("%s, then it ends; a second signal does not wait", self._what_runs())
            self.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            await asyncio.wait({work})
            if not work.cancelled():
                work.result()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        return not work.cancelled()

    def statistics(self) -> WorkerStatistics:
        """Figures of now; the object is the worker's own and goes on counting."""
        self._statistics.running = len(self._running)
        return self._statistics

    def _threads_max(self) -> int:
        """A thread for every job that functions can have in hand, within reason."""
        wanted = sum(r.terms.credit for r in self._routes.values() if not r.is_async)
        return min(max(wanted, 1), 256)

    def _subscribe(self, client: Client, route: _Route) -> list[JobSubscription]:
        loop = asyncio.get_running_loop()

        def take(subscription: JobSubscription, jobs: tuple[ActivatedJob, ...]) -> None:
            if self._stopping is None or self._stopping.is_set():
                return  # not begun: closing the subscription gives them back
            for pushed in jobs:
                self._ticket += 1
                work = self._work(client, route, subscription, Job(pushed), self._ticket)
                self._running[self._ticket] = loop.create_task(work)

        return client.subscribe_jobs(route.terms, take)

    async def _work(
        self, client: Client, route: _Route, subscription: JobSubscription, job: Job, ticket: int
    ) -> None:
        """One job from its handler to the broker's word that its outcome is known."""
        try:
            say = await self._attempt(client, route, job)
            subscription.done()  # goes out behind what is said of the job, in the same message
            await say
        except (NotFound, InvalidState) as error:
            self._statistics.lost += 1
            _log.warning("%r is no longer ours: %s", job, error)
        except ClientError as error:
            self._statistics.lost += 1
            _log.error("the broker does not know what came of %r: %s", job, error)
        finally:
            del self._running[ticket]

    async def _attempt(
        self, client: Client, route: _Route, job: Job
    ) -> Coroutine[object, object, None]:
        """Run the handler; gives what is to be said of the job."""
        try:
            try:
                outcome = await self._handle(route, job)
                say = client.complete_job(job, _document(outcome))
                self._statistics.completed += 1
            except JobError as error:
                variables = document_of(error.variables)
                say = client.throw_error(job, error.code, error.message, variables)
                self._statistics.thrown += 1
        except JobFailed as failed:
            _log.info("%r failed: %s", job, failed)
            say = self._fail(client, job, failed)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises fails its job
            _log.exception("the handler of %r failed", job)
            say = self._fail(client, job, JobFailed(f"{type(error).__name__}: {error}"))
        return say

    def _fail(self, client: Client, job: Job, failed: JobFailed) -> Coroutine[object, object, None]:
        self._statistics.failed += 1
        backoff = failed.retry_backoff
        return client.fail_job(
            job,
            retries=max(job.retries - 1, 0) if failed.retries is None else failed.retries,
            error_message=failed.message[:ERROR_MESSAGE_CHARS_MAX],
            retry_backoff=self._retry_backoff if backoff is None else backoff,
            variables=failed.variables,
        )

    def _what_runs(self) -> str:
        count = len(self._running)
        return f"{self.name} finishes {count} {'job' if count == 1 else 'jobs'}"

    async def _handle(self, route: _Route, job: Job) -> Outcome:
        result: Outcome | Awaitable[Outcome]
        if route.is_async:
            result = route.handler(job)
        else:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, route.handler, job)
        return await result if isinstance(result, Awaitable) else result


def _document(outcome: Outcome) -> Document:
    if outcome is not None and not isinstance(outcome, Mapping):
        raise TypeError(f"expected a handler to return a mapping or None, but got {outcome!r:.100}")
    return document_of(outcome)


def _contact_points(client: Client | str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(client, Client):
        return ()
    return (client,) if isinstance(client, str) else tuple(client)
