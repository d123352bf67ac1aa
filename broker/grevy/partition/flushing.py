"""When the log is flushed, and by which thread.

At most one flush is under way; what is appended meanwhile is flushed next, all of it together. A
flush is one sync, and the promise of it (`journal/promise.py`) is settled when the log has a rest.

Flushes have a thread of their own, so that a slow disk holds up nothing else: the other partitions,
heartbeats, clients. But to wake that thread and to be woken by it takes as long as a quick disk
does. So an entry that is alone is synced by the loop itself, once all that the turn has to say is
said, as long as the disk is quick: after one slow sync the thread has the next ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from grevy.journal import FlushHandle, Journal
from grevy.ports import Clock

SETTLED_TICKS_MAX: Final = 10
"""How long the promise may wait to be settled where the log has no rest."""

SLOW_NS: Final = 10_000_000
"""A sync that took longer could, the next time, take long enough to be missed by others."""

WARY_FLUSHES_MIN: Final = 4
WARY_FLUSHES_MAX: Final = 256
"""So many are left to the thread after the start, and after a slow one: twice as many as after the
one before, and one fewer for each quick one.
"""


class Flusher:
    """Flushes one journal. `on_flushed` is called in the loop for each flush that has come back,
    `on_failed` once, if the disk fails.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        journal: Journal,
        *,
        on_flushed: Callable[[FlushHandle], None],
        on_failed: Callable[[Exception], None],
        thread: Executor,
        clock: Clock,
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._on_flushed = on_flushed
        self._on_failed = on_failed
        self._thread = thread
        self._clock = clock
        self._idle = asyncio.Event()
        self._idle.set()
        self._wary = self._caution = WARY_FLUSHES_MIN
        self._soon: asyncio.Handle | None = None
        self._has_flushed = False
        self._unsettled_ticks = 0
        self._is_over = False
        self.is_busy = False
        """Whether a flush is under way: the end of the log must not move."""

    def flush(self) -> None:
        """Flushes what was appended, as soon as the disk is free."""
        if self.is_busy or self._is_over or not self._unflushed():
            return
        self._has_flushed = True
        if self._wary or self._unflushed() > 1:
            self._begin()
        elif self._soon is None:
            self._soon = self._loop.call_soon(self._flush_here)

    def tick(self) -> None:
        """Where nothing was flushed since the last tick, the promise is settled; where much is, the
        next flush will do it before long.
        """
        is_settled = self._journal.is_settled
        self._unsettled_ticks = 0 if is_settled else self._unsettled_ticks + 1
        is_resting, self._has_flushed = not self._has_flushed, False
        if is_resting and not (is_settled or self.is_busy or self._is_over):
            self._begin(settles=True)

    async def stop(self) -> None:
        """Waits until everything that was appended is flushed and promised, or the disk has failed;
        nothing is flushed afterwards.
        """
        while not self._is_over and (self._unflushed() or not self._journal.is_settled):
            if not self.is_busy:
                self._begin(settles=True)
            await self._idle.wait()
        self._is_over = True
        self._thread.shutdown(wait=True)

    def give_up(self) -> None:
        """Nothing is flushed any more."""
        self._is_over = True
        self._idle.set()

    def _unflushed(self) -> int:
        return self._journal.last_index - self._journal.last_flushed_index

    def _flush_here(self) -> None:
        """Unless more has come meanwhile, the loop waits for the disk."""
        self._soon = None
        if self.is_busy or self._is_over or not self._unflushed():
            return
        if self._wary or self._unflushed() > 1:
            self._begin()
            return
        handle, failure = self._take(settles=False), None
        try:
            self._sync(handle)
        except Exception as error:  # noqa: BLE001 - told by `_flushed`
            failure = error
        self._flushed(handle, failure)

    def _begin(self, *, settles: bool = False) -> None:
        self._thread.submit(self._sync_beside, self._take(settles=settles))

    def _take(self, *, settles: bool) -> FlushHandle:
        handle = self._journal.flush_handle(
            settles=settles or self._unsettled_ticks >= SETTLED_TICKS_MAX
        )
        self._idle.clear()
        self.is_busy = True
        return handle

    def _sync_beside(self, handle: FlushHandle) -> None:
        """In the thread: it tells the loop itself, which two futures on the way would do later."""
        failure: Exception | None = None
        try:
            self._sync(handle)
        except Exception as error:  # noqa: BLE001 - told by `_flushed`
            failure = error
        self._loop.call_soon_threadsafe(self._flushed, handle, failure)

    def _sync(self, handle: FlushHandle) -> None:
        begin_ns = self._clock.monotonic_ns()
        handle.sync()
        if self._clock.monotonic_ns() - begin_ns > SLOW_NS:
            self._caution = min(2 * self._caution, WARY_FLUSHES_MAX)
            self._wary = self._caution
        else:
            self._caution = max(self._caution - 1, WARY_FLUSHES_MIN)
            self._wary = max(self._wary - 1, 0)

    def _flushed(self, handle: FlushHandle, failure: Exception | None) -> None:
        self.is_busy = False
        try:
            if failure is not None:
                raise failure
            self._journal.flushed(handle)
            self._on_flushed(handle)
        except Exception as error:  # noqa: BLE001 - disk, state or a broken invariant: it is the end
            self.give_up()
            self._on_failed(error)
            return
        if not self.is_busy:
            self._idle.set()
