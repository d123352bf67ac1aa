"""What timers need of time: durations and date-times as a model or a worker writes them (ISO 8601,
as Java reads it).

All times here are milliseconds since the epoch, UTC; months and days are those of UTC's calendar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from grevy.feel import civil
from grevy.feel.errors import FeelFormatError, quote
from grevy.feel.iso8601 import parse_date_and_time, seconds_of
from grevy.feel.moments import DAY, SECOND, Duration, Period

__all__ = [
    "Duration",
    "FeelFormatError",
    "Interval",
    "Period",
    "add",
    "parse_date_time",
    "parse_duration",
]

_MILLI: Final = 1_000_000
_DAY_MS: Final = DAY // _MILLI
_COUNT: Final = "([-+]?[0-9]{1,18})"
_INTERVAL: Final = re.compile(
    f"([-+]?)P(?=.)(?:{_COUNT}Y)?(?:{_COUNT}M)?(?:{_COUNT}W)?(?:{_COUNT}D)?"
    rf"(?:T(?=.)(?:{_COUNT}H)?(?:{_COUNT}M)?(?:{_COUNT}(?:[.,]([0-9]{{0,9}}))?S)?)?"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A duration of months and of time, as `P1Y2M3DT4H`; FEEL itself has no such value."""

    period: Period
    duration: Duration


def parse_duration(text: str) -> Duration | Period | Interval:
    """Reads `PT15M`, `P1Y`, `P1Y2M3DT4H`, `P2W`, `-PT5S`; raises `FeelFormatError` (a
    `ValueError`) for anything else.

    Gives an `Interval` only when there are both months and time in it.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise FeelFormatError(f"'{quote(text)}' is no ISO 8601 duration, such as PT15M or P1DT2H")
    sign = -1 if match[1] == "-" else 1
    years, months, weeks, days, hours, minutes = (int(match[n] or 0) for n in range(2, 8))
    nanos = (weeks * 7 + days) * DAY + (hours * 3600 + minutes * 60) * SECOND + seconds_of(match, 8)
    period, duration = Period(sign * (years * 12 + months)), Duration(sign * nanos)
    has_period = match[2] is not None or match[3] is not None
    if not has_period:
        return duration
    return Interval(period, duration) if nanos else period


def add(ms: int, duration: Duration | Period | Interval) -> int:
    """The instant that is `duration` after `ms`. Months keep the day of the month, or take the
    last one of a shorter month.
    """
    if isinstance(duration, Interval):
        return add(add(ms, duration.period), duration.duration)
    if isinstance(duration, Duration):
        return ms + duration.nanos // _MILLI
    day, rest = divmod(ms, _DAY_MS)
    return civil.day_plus_months(day, duration.months) * _DAY_MS + rest


def parse_date_time(text: str) -> int:
    """Reads `2026-01-01T00:00:00Z`, `…+01:00`, `…+01:00[Europe/Berlin]`, `…@Europe/Berlin` into
    milliseconds since the epoch.

    Raises `FeelFormatError` (a `ValueError`) for anything else, and for a date-time that says
    nothing about its place. With both an offset and a zone the offset decides.
    """
    moment = parse_date_and_time(text)
    if moment.offset is None:
        raise FeelFormatError(f"'{quote(text)}' has no offset from UTC, such as Z or +01:00")
    return moment.utc // _MILLI
