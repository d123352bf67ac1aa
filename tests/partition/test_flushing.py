"""Which thread flushes, and when the promise is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import FlushHandle, Journal, JournalEntry, JournalOptions
from grevy.partition.flushing import SETTLED_TICKS_MAX, SLOW_NS, WARY_FLUSHES_MIN, Flusher

T = TypeVar("T")


class Beside(Executor):
    """A thread that works when it is told to, in the thread of the test."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], object]] = []

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        """Keep it."""
        self.jobs.append(lambda: fn(*args, **kwargs))
        return Future()

    def work(self) -> None:
        """Do what was submitted."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class SlowClock:
    """A stopwatch that goes on by `step_ns` whenever it is looked at."""

    def __init__(self) -> None:
        self.step_ns = 1_000
        self._now_ns = 0

    def now_ms(self) -> int:
        """Not asked."""
        raise AssertionError

    def monotonic_ns(self) -> int:
        """One step later."""
        self._now_ns += self.step_ns
        return self._now_ns


class Rig:
    """A journal and its flusher."""

    def __init__(self) -> None:
        self.thread = Beside()
        self.clock = SlowClock()
        self.journal = Journal.open(SimDisk(), 1, JournalOptions())
        self.flushed: list[int] = []
        self.failures: list[Exception] = []
        self.flusher = Flusher(
            *(asyncio.get_running_loop(), self.journal),
            on_flushed=self._on_flushed,
            on_failed=self.failures.append,
            thread=self.thread,
            clock=self.clock,
        )

    def _on_flushed(self, handle: FlushHandle) -> None:
        self.flushed.append(handle.index)

    async def append(self, count: int = 1) -> None:
        """Append, and let the loop do what it does about it; the thread does nothing yet."""
        first = self.journal.last_index + 1
        self.journal.append([JournalEntry(first + each, 1, b"x") for each in range(count)])
        self.flusher.flush()
        await turn()

    async def work(self) -> None:
        """Let the thread work."""
        self.thread.work()
        await turn()

    async def trust(self, flushes: int = WARY_FLUSHES_MIN) -> None:
        """The disk has been quick for long enough."""
        for _ in range(flushes):
            await self.append()
            assert self.flusher.is_busy, "at first nothing is known of the disk"
            await self.work()


async def turn() -> None:
    """The loop has done what was due, and what that has made due."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_lone_entry_is_synced_by_the_loop_once_the_disk_is_known_to_be_quick() -> None:
    async def story() -> None:
        rig = Rig()
        await rig.trust()
        await rig.append()
        assert (rig.thread.jobs, rig.flushed[-1]) == ([], WARY_FLUSHES_MIN + 1)
        await rig.append(2)
        assert rig.flusher.is_busy, "two are the thread's"
        await rig.append()
        await rig.work()
        assert rig.flushed[-1] == WARY_FLUSHES_MIN + 3, "what came meanwhile is not promised"

    asyncio.run(story())


def test_what_comes_in_the_same_turn_goes_to_the_thread_together() -> None:
    async def story() -> None:
        rig = Rig()
        await rig.trust()
        for _ in range(2):
            rig.journal.append([JournalEntry(rig.journal.last_index + 1, 1, b"x")])
            rig.flusher.flush()
        await turn()
        assert len(rig.thread.jobs) == 1
        await rig.work()
        assert rig.flushed[-1] == WARY_FLUSHES_MIN + 2

    asyncio.run(story())


@pytest.mark.parametrize("slow_ones", [1, 2, 3])
def test_after_slow_syncs_the_thread_has_the_next_ones(slow_ones: int) -> None:
    async def story() -> None:
        rig = Rig()
        await rig.trust()
        rig.clock.step_ns = SLOW_NS + 1
        await rig.append()
        for _ in range(slow_ones - 1):
            await rig.append()
            await rig.work()
        rig.clock.step_ns = 1_000
        await rig.trust(WARY_FLUSHES_MIN * 2**slow_ones)
        await rig.append()
        assert not rig.flusher.is_busy, "trusted again"

    asyncio.run(story())


@pytest.mark.parametrize("is_trusted", [False, True])
def test_the_promise_is_settled_when_nothing_was_flushed_between_two_ticks(
    is_trusted: bool,
) -> None:
    async def story() -> None:
        rig = Rig()
        if is_trusted:
            await rig.trust()
        await rig.append()
        await rig.work()
        assert not rig.journal.is_settled
        rig.flusher.tick()
        assert rig.thread.jobs == []
        rig.flusher.tick()
        await rig.work()
        assert rig.journal.is_settled
        rig.flusher.tick()
        assert rig.thread.jobs == []

    asyncio.run(story())


def test_where_the_log_has_no_rest_a_flush_settles_the_promise_before_long() -> None:
    async def story() -> None:
        rig = Rig()
        settled = 0
        for _ in range(3 * SETTLED_TICKS_MAX):
            await rig.append()
            await rig.work()
            settled += rig.journal.is_settled
            rig.flusher.tick()
        assert settled in (2, 3)

    asyncio.run(story())


def test_a_stop_settles_the_promise() -> None:
    async def story() -> None:
        rig = Rig()
        await rig.append()
        stopping = asyncio.ensure_future(rig.flusher.stop())
        for _ in range(3):
            await turn()
            await rig.work()
        await stopping
        assert rig.journal.is_settled
        assert rig.journal.last_flushed_index == 1

    asyncio.run(story())
