"""An asyncio loop on virtual time, and threads that are none: what a broker's shell runs on.

Each broker has a loop of its own, so that with its death all that it was about to do is gone. A
turn runs what was ready when it began, as a real loop does; a job of a thread has its effect
somewhere between its beginning and its end, and the loop hears of it at the end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextvars import Context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from tests.sim.world import World

P = ParamSpec("P")
T = TypeVar("T")

TURN_US: Final = 20
"""The shortest turn."""


class BrokenTurn(Exception):
    """Something was raised in a loop that nobody has caught."""


class SimLoop(asyncio.AbstractEventLoop):
    """The part of a loop that brokers use. `turn_us` is how long a turn takes, `job_us` draws how
    long a job of a thread of some name takes.
    """

    def __init__(
        self, world: World, *, name: str, job_us: Callable[[str], int], turn_us: int = TURN_US
    ) -> None:
        self.world = world
        self.name = name
        self.job_us = job_us
        self.turns = 0
        self._turn_us = turn_us
        self._ready: deque[asyncio.Handle] = deque()
        self._is_dead = False
        self._is_waking = False
        self._paused_until_us = 0
        self.thread_at_work = ""
        self._heard_us: dict[str, int] = {}
        self._broken: BaseException | None = None

    @property
    def is_dead(self) -> bool:
        """Whether its process is gone."""
        return self._is_dead

    def die(self) -> None:
        """The process is gone, with all that it was about to do."""
        self._is_dead = True
        self._ready.clear()

    @property
    def is_paused(self) -> bool:
        """Whether its process stands still."""
        return self._paused_until_us > self.world.clock.elapsed_us

    def pause(self, pause_us: int) -> None:
        """The process stands still for a while."""
        self._paused_until_us = self.world.clock.elapsed_us + pause_us

    def go_on(self) -> None:
        """The process stands still no longer."""
        if self.is_paused:
            self._paused_until_us = 0
            self.world.after(0, self._turn)

    def thread(self, name: str) -> Executor:
        """What the broker takes for a thread."""
        return SimThread(self, name)

    # ── asyncio ───────────────────────────────────────────────────────────────────────────────────

    def time(self) -> float:
        """Seconds since the world began."""
        return self.world.clock.elapsed_us / 1e6

    def is_running(self) -> bool:
        """As long as its process lives."""
        return not self._is_dead

    def is_closed(self) -> bool:
        """When its process is gone."""
        return self._is_dead

    def get_debug(self) -> bool:
        """Never."""
        return False

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """In the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self._is_dead:
            self._ready.append(handle)
            self._wake(self._turn_us)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """From a thread: its job ends now, or a little later."""
        handle = asyncio.Handle(callback, args, self, context)
        now_us, name = self.world.clock.elapsed_us, self.thread_at_work
        heard_us = max(self._heard_us.get(name, 0), now_us + self.job_us(name) // 2)
        self._heard_us[name] = heard_us
        self.world.after(heard_us - now_us, partial(self._due, handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """After some seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """At a time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        delay_us = max(0, round((when - self.time()) * 1e6))
        self.world.after(delay_us, partial(self._due, handle))
        return handle

    def create_future(self) -> asyncio.Future[T]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # none of ours is a generator
        self, coro: Coroutine[object, object, T], *, name: str | None = None
    ) -> asyncio.Task[T]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, name=name)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        """In a thread of this broker."""
        assert executor is not None, "there is no thread but a broker's own"
        future: asyncio.Future[T] = self.create_future()

        def job() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the future's
                self.call_soon_threadsafe(future.set_exception, error)
            else:
                self.call_soon_threadsafe(future.set_result, result)

        executor.submit(job)
        return future

    def call_exception_handler(self, context: dict[str, object]) -> None:
        """What nobody has caught ends the run."""
        error = context.get("exception")
        if not self._is_dead:
            self._broken = error if isinstance(error, BaseException) else BrokenTurn(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Asyncio tells; the world finds it cancelled when it is due."""

    # ── turns ─────────────────────────────────────────────────────────────────────────────────────

    def _due(self, handle: asyncio.Handle) -> None:
        if not self._is_dead and not handle.cancelled():
            self._ready.append(handle)
            self._wake(0)

    def _wake(self, delay_us: int) -> None:
        if not self._is_waking:
            self._is_waking = True
            paused_us = self._paused_until_us - self.world.clock.elapsed_us
            self.world.after(max(delay_us, paused_us), self._turn)

    def _turn(self) -> None:
        self._is_waking = False
        if self._is_dead or not self._ready:
            return
        if self._paused_until_us > self.world.clock.elapsed_us:
            self._wake(0)
            return
        self.turns += 1
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
                if self._is_dead:
                    break
        finally:
            asyncio._set_running_loop(None)
        if self._broken is not None:
            if not isinstance(self._broken, Exception):
                raise self._broken
            raise BrokenTurn(f"in {self.name}: {self._broken!r}") from self._broken
        if self._ready:
            self._wake(self._turn_us)


class SimThread(Executor):
    """A thread that does one job after another, each at a virtual moment."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._free_us = 0
        self._is_shut = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A job, after those before it."""
        assert not self._is_shut, f"{self._name} is shut down"
        loop, future = self._loop, Future[T]()

        def run() -> None:
            if loop.is_dead:
                return
            loop.thread_at_work = self._name
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - as executors do
                future.set_exception(error)

        now_us = loop.world.clock.elapsed_us
        self._free_us = max(self._free_us, now_us) + max(1, loop.job_us(self._name) // 2)
        loop.world.after(self._free_us - now_us, run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more jobs."""
        del wait, cancel_futures
        self._is_shut = True
