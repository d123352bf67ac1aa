"""Cron expressions in the dialect of Spring 5.3: what a `timeCycle` may hold beside an interval.

    second minute hour day-of-month month day-of-week        0 0 9 * * MON-FRI

A field is `*`, a value, a range `a-b`, any of them with a step `/n` (from a value: up to the end),
or a list of these with commas. Months and weekdays have English names of three letters; 0 and 7 are
both Sunday, and a range of weekdays may run over the weekend. The day fields also take `?` (any):

    day of month   L      the last day; L-3: three days before it
                   LW     the last working day (Monday to Friday)
                   15W    the working day nearest to the 15th, in the same month
    day of week    L      Sunday
                   5L     the last Friday of the month
                   5#2    the second Friday of the month

A day has to match both day fields. Times are UTC.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, TypeAlias

from grevy.xml import quote

YEARS_AHEAD_MAX: Final = 50
"""How far the next tick is sought. The rarest, 29 February on a given weekday, comes every 28
years, 40 around a century that has no leap year."""

_DAY_S: Final = 24 * 60 * 60
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_CHARS_MAX: Final = 500
_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY: Final = 0
_SATURDAY: Final = 6
_MACROS: Final = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


class _Field(NamedTuple):
    """What one field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """Names of the values, from `low` on."""


_SECOND: Final = _Field("seconds", 0, 59)
_MINUTE: Final = _Field("minutes", 0, 59)
_HOUR: Final = _Field("hours", 0, 23)
_DAY: Final = _Field("day of month", 1, 31)
_MONTH: Final = _Field("month", 1, 12, _MONTHS)
_WEEKDAY: Final = _Field("day of week", 0, 7, _WEEKDAYS)


class _Month(NamedTuple):
    """A month of a year: its number of days, and the weekday of its first (0 Sunday)."""

    days: int
    first_weekday: int

    def weekday(self, day: int) -> int:
        """The weekday of the `day`-th of the month."""
        return (self.first_weekday + day - 1) % 7


@dataclass(frozen=True, slots=True)
class _LastDay:
    """`L` and `L-n`: `before` days before the last one of the month."""

    before: int

    def days(self, month: _Month) -> set[int]:
        return {month.days - self.before}


@dataclass(frozen=True, slots=True)
class _WorkingDay:
    """`nW` and `LW`: the working day nearest to the `near`-th (0: the last) in the same month."""

    near: int

    def days(self, month: _Month) -> set[int]:
        day = self.near or month.days
        if day > month.days:
            return set()
        if month.weekday(day) == _SATURDAY:
            return {day - 1 if day > 1 else day + 2}
        if month.weekday(day) == _SUNDAY:
            return {day + 1 if day < month.days else day - 2}
        return {day}


@dataclass(frozen=True, slots=True)
class _NthWeekday:
    """`d#n` and `dL`: the `n`-th (0: the last) of a weekday in the month."""

    weekday: int
    n: int

    def days(self, month: _Month) -> set[int]:
        first = 1 + (self.weekday - month.first_weekday) % 7
        if self.n == 0:
            return {first + (month.days - first) // 7 * 7}
        return {first + (self.n - 1) * 7}


_DayRule: TypeAlias = "_LastDay | _WorkingDay | _NthWeekday"


@dataclass(frozen=True, slots=True)
class _Days:
    """One of the two day fields: plain values, and rules that depend on the month."""

    values: frozenset[int]
    rules: tuple[_DayRule, ...]

    def by_rule(self, month: _Month) -> set[int]:
        """The days of the month that the rules name."""
        return {day for rule in self.rules for day in rule.days(month)}


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron expression. Two of the same text are equal."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: _Days
    weekdays: _Days

    def next_after(self, epoch_ms: int) -> int | None:
        """The first tick later than `epoch_ms`; None if none is in `YEARS_AHEAD_MAX` years."""
        day, second = divmod(epoch_ms // 1000 + 1, _DAY_S)
        first_day = _EPOCH_DAY + day
        if not date.min.toordinal() <= first_day <= date.max.toordinal():
            return None
        for candidate in self._days_from(date.fromordinal(first_day)):
            at = self._second_of_day(second if candidate == first_day else 0)
            if at is not None:
                return ((candidate - _EPOCH_DAY) * _DAY_S + at) * 1000
        return None

    def _days_from(self, start: date) -> Iterator[int]:
        """Ordinals of the days that match, in order."""
        for year in range(start.year, min(start.year + YEARS_AHEAD_MAX, date.max.year) + 1):
            for number in range(start.month if year == start.year else 1, 13):
                if number not in self.months:
                    continue
                first = date(year, number, 1)
                floor = start.day if (year, number) == (start.year, start.month) else 1
                yield from (
                    first.toordinal() + day - 1
                    for day in self._days_of(_month_of(first))
                    if day >= floor
                )

    def _days_of(self, month: _Month) -> list[int]:
        of_month, of_week = self.days.by_rule(month), self.weekdays.by_rule(month)
        return [
            day
            for day in range(1, month.days + 1)
            if (day in self.days.values or day in of_month)
            and (month.weekday(day) in self.weekdays.values or day in of_week)
        ]

    def _second_of_day(self, at_least: int) -> int | None:
        """The first matching second of a day that is not before `at_least`."""
        hour, rest = divmod(at_least, 3600)
        minute, second = divmod(rest, 60)
        for h in self.hours[bisect_left(self.hours, hour) :]:
            if h > hour:
                return h * 3600 + self.minutes[0] * 60 + self.seconds[0]
            for m in self.minutes[bisect_left(self.minutes, minute) :]:
                seconds = self.seconds[bisect_left(self.seconds, second) :]
                if m > minute:
                    return h * 3600 + m * 60 + self.seconds[0]
                if seconds:
                    return h * 3600 + m * 60 + seconds[0]
        return None


def parse_cron(text: str) -> Cron:
    """Reads six fields or a macro such as `@daily`; raises ValueError that says what is wrong."""
    if len(text) > _CHARS_MAX:
        raise ValueError(f"a cron expression has at most {_CHARS_MAX} characters")
    stripped = text.strip()
    fields = _MACROS.get(stripped, stripped).split()
    if len(fields) != 6:
        raise ValueError(
            f"'{quote(stripped)}' is no cron expression: expected second, minute, hour, "
            f"day of month, month and day of week, or one of {', '.join(_MACROS)}"
        )
    second, minute, hour, day, month, weekday = fields
    return Cron(
        text=stripped,
        seconds=tuple(sorted(_values(second, _SECOND))),
        minutes=tuple(sorted(_values(minute, _MINUTE))),
        hours=tuple(sorted(_values(hour, _HOUR))),
        months=frozenset(_values(month, _MONTH)),
        days=_days(day, _DAY),
        weekdays=_days(weekday, _WEEKDAY),
    )


def _month_of(first: date) -> _Month:
    monday_based, days = monthrange(first.year, first.month)
    return _Month(days, (monday_based + 1) % 7)


def _values(text: str, field: _Field) -> set[int]:
    """The values of a field without special characters."""
    return {value for item in text.upper().split(",") for value in _item(item, field)}


def _days(text: str, field: _Field) -> _Days:
    if text == "?":
        text = "*"
    values: set[int] = set()
    rules: list[_DayRule] = []
    for item in text.upper().split(","):
        rule = _month_day_rule(item) if field is _DAY else _weekday_rule(item)
        if rule is not None:
            rules.append(rule)
        else:
            values.update(_item(item, field))
    if field is _WEEKDAY:
        values = {value % 7 for value in values}
    return _Days(frozenset(values), tuple(rules))


def _month_day_rule(item: str) -> _DayRule | None:
    if item == "L":
        return _LastDay(0)
    if item == "LW":
        return _WorkingDay(0)
    if match := re.fullmatch(r"L-([0-9]{1,9})", item):
        before = int(match[1])
        if not 1 <= before <= 30:
            raise _fault(item, _DAY, "expected 1 to 30 days before the last one")
        return _LastDay(before)
    if match := re.fullmatch(r"([0-9]{1,9})W", item):
        return _WorkingDay(_value(match[1], _DAY))
    return None


def _weekday_rule(item: str) -> _DayRule | None:
    if item == "L":
        return None  # the last day of the week is a plain Sunday
    if match := re.fullmatch(r"(\w+)L", item, re.ASCII):
        return _NthWeekday(_value(match[1], _WEEKDAY) % 7, 0)
    if match := re.fullmatch(r"(\w+)#([0-9]{1,9})", item, re.ASCII):
        if not 1 <= int(match[2]) <= 5:
            raise _fault(item, _WEEKDAY, "a month has 1 to 5 of a weekday")
        return _NthWeekday(_value(match[1], _WEEKDAY) % 7, int(match[2]))
    return None


def _item(item: str, field: _Field) -> range | list[int]:
    """The values of one item of a list: `*`, `a`, `a-b`, `*/n`, `a/n`, `a-b/n`."""
    if item == "L" and field is _WEEKDAY:
        item = "SUN"
    base, slash, step_text = item.partition("/")
    low_text, dash, high_text = base.partition("-")
    step = 1
    if slash:
        if not re.fullmatch(r"[0-9]{1,9}", step_text) or not 1 <= int(step_text) <= field.high:
            raise _fault(item, field, f"expected a step of 1 to {field.high} after '/'")
        step = int(step_text)
    if base == "*":
        return range(field.low, field.high + 1, step)
    low = _value(low_text, field)
    high = _value(high_text, field) if dash else field.high if slash else low
    if field is _WEEKDAY and low > high:
        # Sunday is before Monday and after Saturday; such a range runs over the weekend.
        return [day % 7 for day in range(low, high + 8, step)]
    if low > high:
        raise _fault(item, field, "the range ends before it begins")
    return range(low, high + 1, step)


def _value(text: str, field: _Field) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _fault(text, field, "expected a number" + (" or a name" if field.names else ""))
    value = int(text)
    if not field.low <= value <= field.high:
        raise _fault(text, field, f"expected {field.low} to {field.high}")
    return value


def _fault(item: str, field: _Field, expected: str) -> ValueError:
    return ValueError(f"'{quote(item)}' is no {field.name} of a cron expression: {expected}")
