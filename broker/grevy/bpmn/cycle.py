"""What a `timeCycle` says: a repeating interval of ISO 8601, or a cron expression.

R3/PT10S      R/2026-01-01T00:00:00Z/P1D      0 0 9 * * MON-FRI      @daily
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from grevy.bpmn.cron import Cron, parse_cron
from grevy.feel.temporal import Duration, Interval, Period, add, parse_date_time, parse_duration
from grevy.xml import quote

FOREVER: Final = -1
"""Repetitions of a cycle that does not end."""

_REPETITIONS_MAX: Final = 2**31 - 1
_COUNT: Final = re.compile(r"[-+]?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Cycle:
    """How often (or `FOREVER`), from when (epoch ms; None: from now), and what lies between."""

    repetitions: int
    start: int | None
    interval: Duration | Period | Interval | Cron

    def first_due(self, now_ms: int) -> int | None:
        """When the first tick is due: at `start` (past: at once), or after an interval from now.

        None if a cron expression has no further tick.
        """
        if self.start is not None:
            return max(self.start, now_ms)
        return self.due_after(now_ms, now_ms)

    def due_after(self, due_ms: int, now_ms: int) -> int | None:
        """When the tick after the one that was due at `due_ms` is due.

        An interval counts from that tick, so that missed ones are caught up; cron counts from now.
        """
        if isinstance(self.interval, Cron):
            return self.interval.next_after(now_ms)
        return add(due_ms, self.interval)


def parse_cycle(text: str) -> Cycle:
    """Reads an interval with repetitions or a cron expression; raises ValueError for others."""
    if not text.startswith("R"):
        return Cycle(FOREVER, None, parse_cron(text))
    count, slash, rest = text[1:].partition("/")
    if not slash:
        raise ValueError(
            f"'{quote(text)}' is no repeating interval: expected R[n]/[start/]duration"
        )
    start, _, interval = rest.rpartition("/")  # a start has slashes if it names a zone
    repetitions = _repetitions(count)
    duration = parse_duration(interval)
    if repetitions == FOREVER and add(0, duration) <= 0:
        raise ValueError(f"'{quote(text)}' would repeat for ever without any time between")
    return Cycle(repetitions, parse_date_time(start) if start else None, duration)


def _repetitions(text: str) -> int:
    if not text:
        return FOREVER
    if not _COUNT.fullmatch(text) or abs(int(text)) > _REPETITIONS_MAX:
        raise ValueError(
            f"'R{quote(text)}' is no number of repetitions: expected R or R with a number"
        )
    return max(int(text), FOREVER)
