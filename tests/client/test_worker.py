"""Workers: what becomes of a job by what its handler does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from grevy.client import Client, Job, JobError, JobFailed, Worker
from grevy.protocol.intents import Intent, JobIntent
from grevy.protocol.keys import key_of
from grevy.protocol.messages import ActivatedJob, CloseSubscription, JobPush, OpenJobSubscription
from grevy.protocol.values import JobValue

KEY = key_of(1, 7)


def pushed(key: int = KEY, retries: int = 3) -> ActivatedJob:
    return ActivatedJob(
        key, "pay", "me", retries, 99, 5, b"{}", b'{"a":1}', "task", 4, "order", 1, 8, 2
    )


class Bench:
    """A scripted broker, and a worker of its client."""

    def __init__(self, broker: Any, worker: Worker) -> None:
        self.broker = broker
        self.worker = worker

    async def push(self, *jobs: ActivatedJob) -> None:
        """Gives the worker jobs."""
        (opened,) = await self.broker.wait_for(OpenJobSubscription)
        self.broker.push(opened.subscription, JobPush(opened.subscription, jobs))

    async def said(self, intent: Intent) -> JobValue:
        """What the worker says of a job."""
        found: list[JobValue] = []

        def is_there() -> bool:
            found[:] = [c.value for c in self.broker.commands if c.intent is intent]
            return bool(found)

        await self.broker.wait_until(is_there)
        return found[0]


Working = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def working(connected: Any) -> Working:
    """`async with working(handler) as bench`; the worker is running."""

    @asynccontextmanager
    async def work(handler: Any, **options: Any) -> Any:
        async with connected() as (broker, client):
            for intent in JobIntent:
                broker.answer(intent)
            worker = Worker(client, name="me", **options)
            worker.job("pay")(handler)
            running = asyncio.create_task(worker.run())
            yield Bench(broker, worker)
            worker.stop()
            await running

    return work


async def test_what_a_handler_returns_completes_its_job(working: Any) -> None:
    async def pay(job: Job) -> dict[str, object]:
        return {"b": job.variables["a"]}

    async with working(pay) as bench:
        await bench.push(pushed())
        assert await bench.said(JobIntent.COMPLETE) == JobValue(variables=b'{"b":1}', activation=5)


async def test_functions_run_in_threads(working: Any) -> None:
    def pay(_job: Job) -> dict[str, object]:
        return {"is_main": threading.current_thread() is threading.main_thread()}

    async with working(pay) as bench:
        await bench.push(pushed())
        said = await bench.said(JobIntent.COMPLETE)
        assert said.variables == b'{"is_main":false}'


async def test_a_job_error_is_thrown(working: Any) -> None:
    async def pay(_job: Job) -> None:
        raise JobError("NO_MONEY", "the card is empty", {"left": 0})

    async with working(pay) as bench:
        await bench.push(pushed())
        assert await bench.said(JobIntent.THROW_ERROR) == JobValue(
            error_code="NO_MONEY",
            error_message="the card is empty",
            variables=b'{"left":0}',
            activation=5,
        )


async def test_any_other_exception_fails_the_job_with_one_retry_less(
    working: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def pay(_job: Job) -> None:
        raise LookupError("which card?")

    async with working(pay, retry_backoff=2) as bench:
        await bench.push(pushed(retries=3))
        assert await bench.said(JobIntent.FAIL) == JobValue(
            retries=2, retry_backoff=2_000, error_message="LookupError: which card?", activation=5
        )
    assert "Traceback" in caplog.text


async def test_a_job_fails_in_the_words_of_its_handler(
    working: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def pay(_job: Job) -> None:
        raise JobFailed("the bank sleeps", retries=7, retry_backoff=60, variables={"bank": 1})

    async with working(pay) as bench:
        await bench.push(pushed())
        assert await bench.said(JobIntent.FAIL) == JobValue(
            retries=7,
            retry_backoff=60_000,
            error_message="the bank sleeps",
            variables=b'{"bank":1}',
            activation=5,
        )
    assert "Traceback" not in caplog.text


async def test_a_result_that_is_no_mapping_fails_the_job(working: Any) -> None:
    async def pay(_job: Job) -> Any:
        return [1]

    async with working(pay) as bench:
        await bench.push(pushed())
        assert (
            "expected a handler to return a mapping"
            in (await bench.said(JobIntent.FAIL)).error_message
        )


async def test_a_worker_that_stops_finishes_its_jobs_and_gives_back_the_others(
    working: Any,
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def pay(_job: Job) -> None:
        begun.set()
        await may_end.wait()

    async with working(pay) as bench:
        await bench.push(pushed())
        await begun.wait()
        bench.worker.stop()
        await bench.push(pushed(key_of(1, 8)))
        may_end.set()
        await bench.broker.wait_for(CloseSubscription)
        completed = [c.key for c in bench.broker.commands if c.intent is JobIntent.COMPLETE]
        assert completed == [KEY]


class Heard(logging.Handler):
    """Waits for what is logged."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.is_there = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self.is_there.set()


async def test_signals_end_a_worker(connected: Any) -> None:
    begun, never = asyncio.Event(), asyncio.Event()
    heard = Heard("me finishes 1 job")
    logging.getLogger("grevy.client.worker").addHandler(heard)

    async def pay(_job: Job) -> None:
        begun.set()
        await never.wait()

    async with connected() as (broker, client):
        worker = Worker(client, name="me")
        worker.job("pay")(pay)
        running = asyncio.create_task(worker.run_until_signal())
        await Bench(broker, worker).push(pushed())
        await begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await heard.is_there.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running is False
    logging.getLogger("grevy.client.worker").removeHandler(heard)


async def test_a_worker_needs_a_handler(connected: Any) -> None:
    async with connected() as (_, client):
        with pytest.raises(ValueError, match="needs a handler"):
            await Worker(client).run()


def test_every_public_name_is_there() -> None:
    import grevy.client

    for name in grevy.client.__all__:
        assert hasattr(grevy.client, name), name
    assert Client.__name__ in grevy.client.__all__
