"""The time of a partition's log: it never goes back, whatever the machine's does."""

from __future__ import annotations

from grevy.ports import Clock


class LogTime:
    """Epoch milliseconds for what is written. Also after a start, and after another leader, whose
    clock may be ahead. Behind it, it goes on at half speed, by the stopwatch, so that what is due
    does not wait until the clock has caught up.
    """

    def __init__(self, clock: Clock, last_ms: int) -> None:
        self._clock = clock
        self._last_ms = last_ms
        self._last_ns = clock.monotonic_ns()

    def begin_after(self, last_ms: int) -> None:
        """The log has this time, which another leader may have written."""
        self._last_ms = max(self._last_ms, last_ms)
        self._last_ns = self._clock.monotonic_ns()

    def now_ms(self) -> int:
        """The time of what is written now."""
        wall_ms, stopwatch_ns = self._clock.now_ms(), self._clock.monotonic_ns()
        if wall_ms >= self._last_ms:
            self._last_ms, self._last_ns = wall_ms, stopwatch_ns
        elif stopwatch_ns - self._last_ns >= 2_000_000:
            self._last_ms += (stopwatch_ns - self._last_ns) // 2_000_000
            self._last_ns = stopwatch_ns
        return self._last_ms
