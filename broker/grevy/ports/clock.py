"""Time, asked for by name: what the wall says, and what a stopwatch says."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks that must not be confused: one can be set, the other only grows."""

    def now_ms(self) -> int:
        """Wall time, in milliseconds since 1970-01-01 UTC; it may jump in both directions."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary moment; never falls, says nothing about the date."""
        ...
