"""The simulated world: one seed, one clock, one queue of what happens next.

All chance comes from `rng`, all time from `clock`, and both are in the hands of the seed: the same
seed gives the same run, which `trace_hash` proves. A test draws its faults from the world and
schedules its actors with `after`.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

EPOCH_MS: Final = 1_700_000_000_000
"""The date on which every world begins."""

RECENT_MAX: Final = 2_000
"""Events that a world remembers, to be shown when something is wrong."""


class SimClock:
    """Virtual time (port `Clock`); it moves when the world says so."""

    def __init__(self) -> None:
        self.elapsed_us = 0
        self.skew_ms = 0
        """How far the wall clock is off; tests set it."""

    def now_ms(self) -> int:
        """Wall time in epoch milliseconds."""
        return EPOCH_MS + self.elapsed_us // 1_000 + self.skew_ms

    def monotonic_ns(self) -> int:
        """Time since the world began."""
        return self.elapsed_us * 1_000


class SimEntropy:
    """Randomness from the seed (port `Entropy`)."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def random_bytes(self, count: int) -> bytes:
        """`count` bytes."""
        return self._rng.randbytes(count)

    def random_u64(self) -> int:
        """A number of 64 bits."""
        return self._rng.getrandbits(64)


class World:
    """Runs what was scheduled, in the order of time; ties go in the order of scheduling."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.clock = SimClock()
        self.entropy = SimEntropy(Random(self.rng.getrandbits(64)))
        self.events = 0
        """Actions that have happened."""
        self.recent: deque[tuple[int, str, bytes]] = deque(maxlen=RECENT_MAX)
        """The newest events that were noted: when, what, and the bytes they were about."""
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._trace = hashlib.blake2b(digest_size=16)

    @property
    def trace_hash(self) -> str:
        """What has happened so far, as a hash."""
        return self._trace.hexdigest()

    def after(self, delay_us: int, action: Callable[[], None]) -> None:
        """Let `action` happen `delay_us` microseconds from now."""
        assert delay_us >= 0
        self._scheduled += 1
        heapq.heappush(self._queue, (self.clock.elapsed_us + delay_us, self._scheduled, action))

    def note(self, event: str, data: bytes = b"") -> None:
        """Write an event into the trace, with bytes that it is about."""
        now_us = self.clock.elapsed_us
        self._trace.update(b"%d %s %s\n" % (now_us, event.encode(), data))
        self.recent.append((now_us, event, data))

    def run(self, until_us: int) -> None:
        """Let everything happen that is due until then."""
        while self._queue and self._queue[0][0] <= until_us:
            at_us, _, action = heapq.heappop(self._queue)
            assert at_us >= self.clock.elapsed_us, "time never goes back"
            self.clock.elapsed_us = at_us
            self.events += 1
            action()
        self.clock.elapsed_us = until_us
