"""Built-ins on dates and the clock, and Zeebe's `cycle` for timers that repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grevy.feel import civil, decimals
from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.moments import Duration, FeelDate, FeelDateTime, Period
from grevy.feel.operators import NUMBER_TYPES, is_number
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import Value

LIBRARY: Final = Library()

_WEEKDAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MILLI: Final = 1_000_000


@LIBRARY.define("now")
def _now(run: Run) -> Value:
    return FeelDateTime(run.now_ms * _MILLI, 0)


@LIBRARY.define("today")
def _today(run: Run) -> Value:
    return FeelDateTime(run.now_ms * _MILLI).date


def _define_by_day(name: str, calculate: Callable[[int], Value]) -> None:
    def by_day(_run: Run, date: FeelDate | FeelDateTime) -> Value:
        return calculate((date if isinstance(date, FeelDate) else date.date).day)

    LIBRARY.define(name, "date: date|date and time")(by_day)


def _day_of_year(day: int) -> Value:
    return day - civil.day_of(civil.date_of(day)[0], 1, 1) + 1


def _week_of_year(day: int) -> Value:
    """ISO 8601: a week belongs to the year of its Thursday."""
    thursday = day - civil.weekday_of(day) + 4
    return (thursday - civil.day_of(civil.date_of(thursday)[0], 1, 1)) // 7 + 1


def _last_day_of_month(day: int) -> Value:
    year, month, day_of_month = civil.date_of(day)
    return FeelDate(day - day_of_month + civil.days_in_month(year, month))


_define_by_day("day of year", _day_of_year)
_define_by_day("day of week", lambda day: _WEEKDAYS[civil.weekday_of(day) - 1])
_define_by_day("month of year", lambda day: _MONTHS[civil.date_of(day)[1] - 1])
_define_by_day("week of year", _week_of_year)
_define_by_day("last day of month", _last_day_of_month)


@LIBRARY.define("cycle", "interval")
def _cycle(_run: Run, interval: Value) -> Value:
    if not isinstance(interval, Duration | Period):
        raise CallFailed(
            "cycle function expected an interval (duration) parameter, "
            f"but found '{shown(interval)}'"
        )
    return f"R/{interval}"


@LIBRARY.define("cycle", "repetitions", "interval")
def _cycle_of(_run: Run, repetitions: Value, interval: Value) -> Value:
    is_count = repetitions is None or is_number(repetitions)
    if not (is_count and isinstance(interval, Duration | Period)):
        raise CallFailed(
            "cycle function expected a repetitions (number) and an interval (duration) "
            f"parameter, but found '{shown([repetitions, interval])}'"
        )
    count = decimals.to_index(repetitions) if isinstance(repetitions, NUMBER_TYPES) else ""
    return f"R{count}/{interval}"
