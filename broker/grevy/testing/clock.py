"""A clock that stands still until it is moved."""

from __future__ import annotations

from typing import Final

START_MS: Final = 1_767_298_305_000
"""Where the clock begins.

2026-01-01T20:11:45Z, so that timestamps in failures are the same in every run.
"""


class VirtualClock:
    """`grevy.ports.Clock` without a machine behind it."""

    __slots__ = ("_now_ms", "_start_ms")

    def __init__(self, start_ms: int = START_MS) -> None:
        self._start_ms = start_ms
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self._now_ms

    def monotonic_ns(self) -> int:
        """Nanoseconds since the clock began."""
        return (self._now_ms - self._start_ms) * 1_000_000

    def move_to(self, now_ms: int) -> None:
        """Moves the clock forward, to epoch milliseconds."""
        assert now_ms >= self._now_ms, "a clock is never moved back"
        self._now_ms = now_ms
