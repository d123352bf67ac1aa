"""Texts of FEEL's temporal values into values. Every function raises `FeelFormatError` for a text
that is none.

The dialect is that of Zeebe: years of up to nine digits, seconds that may be left out of a date
and time, a zone after `@`, `T` before a time, a sign before each number of a duration. Digits are
ASCII.
"""

from __future__ import annotations

import re
from typing import Final

from grevy.feel import civil
from grevy.feel.errors import FeelFormatError, quote
from grevy.feel.moments import (
    DAY,
    SECOND,
    Duration,
    FeelDate,
    FeelDateTime,
    FeelTime,
    Period,
)

_DATE: Final = r"(-?(?:[1-9][0-9]{0,4})?[0-9]{4})-([0-9]{2})-([0-9]{2})"
_CLOCK: Final = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
_PLACE: Final = r"(Z|[+-][0-9:]{5,8}|@[^\[]+)?"
_DATE_TEXT: Final = re.compile(_DATE)
_TIME_TEXT: Final = re.compile(f"T?{_CLOCK}{_PLACE}")
_DATE_TIME_TEXT: Final = re.compile(rf"{_DATE}T{_CLOCK}{_PLACE}(?:\[(.+)\])?")
_COUNT: Final = "([-+]?[0-9]{1,18})"
_PERIOD_TEXT: Final = re.compile(f"(-?)P(?=.)(?:{_COUNT}Y)?(?:{_COUNT}M)?")
_DURATION_TEXT: Final = re.compile(
    f"([-+]?)P(?=.)(?:{_COUNT}D)?"
    rf"(?:T(?=.)(?:{_COUNT}H)?(?:{_COUNT}M)?(?:{_COUNT}(?:[.,]([0-9]{{0,9}}))?S)?)?",
    re.IGNORECASE | re.ASCII,
)

Place = tuple[int | None, str | None]
"""An offset and a zone id; a local time has neither."""


def parse_date(text: str) -> FeelDate:
    """`2026-01-31`, `-0044-03-15`, `99999-12-31`."""
    match = _DATE_TEXT.fullmatch(text)
    if match is None:
        raise FeelFormatError(f"'{quote(text)}' is no date")
    return FeelDate(_day(match))


def parse_time(text: str) -> FeelTime:
    """`10:30`, `T10:30:00.5`, `10:30:00+01:00`, `10:30:00Z`, `10:30:00@Europe/Berlin`."""
    match = _TIME_TEXT.fullmatch(text)
    if match is None or (match[5] is not None and match[3] is None):
        raise FeelFormatError(f"'{quote(text)}' is no time")
    nanos = _nanos_of_day(match, 1) % DAY
    offset, zone = _place(match[5])
    return FeelTime(nanos, offset) if zone is None else FeelTime.in_zone(nanos, zone)


def parse_date_and_time(text: str) -> FeelDateTime:
    """A date, `T`, a time; or a date alone, which means its midnight.

    After an offset there may be a zone in brackets, as Java writes it: the offset decides what
    instant is meant.
    """
    match = _DATE_TIME_TEXT.fullmatch(text)
    if match is None:
        if _DATE_TEXT.fullmatch(text) is not None:
            return parse_date(text).at(0)
        raise FeelFormatError(f"'{quote(text)}' is no date and time")
    local = _day(match) * DAY + _nanos_of_day(match, 4)
    offset, zone = _place(match[8])
    if match[9] is not None:
        if offset is None:
            raise FeelFormatError(f"'{quote(text)}' has a zone but no offset from UTC")
        return FeelDateTime.of_instant(local - offset * SECOND, civil.check_zone(match[9]))
    return FeelDateTime(local, offset) if zone is None else FeelDateTime.in_zone(local, zone)


def parse_period(text: str) -> Period:
    """`P1Y2M`, `-P3M`."""
    match = _PERIOD_TEXT.fullmatch(text)
    if match is None:
        raise FeelFormatError(f"'{quote(text)}' is no years and months duration")
    months = int(match[2] or 0) * 12 + int(match[3] or 0)
    return Period(-months if match[1] else months)


def parse_duration(text: str) -> Duration:
    """`P1DT2H`, `PT0.5S`, `-PT1H`."""
    match = _DURATION_TEXT.fullmatch(text)
    if match is None:
        raise FeelFormatError(f"'{quote(text)}' is no days and time duration")
    days, hours, minutes = (int(match[group] or 0) for group in (2, 3, 4))
    nanos = days * DAY + hours * 3600 * SECOND + minutes * 60 * SECOND + seconds_of(match, 5)
    return Duration(-nanos if match[1] == "-" else nanos)


def parse_any_duration(text: str) -> Period | Duration:
    """Either kind of duration; `P0M` is a period, `P0D` is not."""
    return parse_period(text) if _PERIOD_TEXT.fullmatch(text) else parse_duration(text)


def parse_any(text: str) -> FeelDate | FeelTime | FeelDateTime | Period | Duration:
    """What `@"…"` means."""
    if "P" in text[:2]:
        return parse_any_duration(text)
    if _DATE_TEXT.fullmatch(text) is not None:
        return parse_date(text)
    return parse_time(text) if _TIME_TEXT.fullmatch(text) else parse_date_and_time(text)


def parse_zone(text: str) -> Place:
    """A zone of `date and time(x, zone)` or after `@`: an id of the zone database, `Z`, or an
    offset.
    """
    offset = civil.offset_of_text(text)
    if offset is not None:
        return offset, None
    return None, civil.check_zone(text)


def seconds_of(match: re.Match[str], group: int) -> int:
    """Nanoseconds of a group of whole seconds and the group of their fraction after it; one sign
    for both.
    """
    whole, fraction = match[group] or "0", match[group + 1] or ""
    nanos = abs(int(whole)) * SECOND + int(f"{fraction:0<9}")
    return -nanos if whole.startswith("-") else nanos


def _day(match: re.Match[str]) -> int:
    return civil.checked_day_of(int(match[1]), int(match[2]), int(match[3]))


def _nanos_of_day(match: re.Match[str], group: int) -> int:
    """24:00:00 is the end of the day: for a date the next midnight, alone the same as 00:00:00."""
    hours, minutes, seconds, fraction = match.group(group, group + 1, group + 2, group + 3)
    hour, minute, second = int(hours), int(minutes), int(seconds) if seconds else 0
    nanos = int(f"{fraction:0<9}") if fraction else 0
    if hour == 24 and not (minute or second or nanos):
        return DAY
    if hour > 23 or minute > 59 or second > 59:
        raise FeelFormatError(f"there is no time {hour:02}:{minute:02}:{second:02}")
    return (hour * 3600 + minute * 60 + second) * SECOND + nanos


def _place(text: str | None) -> Place:
    if text is None:
        return None, None
    if text.startswith("@"):
        return parse_zone(text[1:])
    offset = civil.offset_of_text(text)
    if offset is None:
        raise FeelFormatError(f"'{text}' is no offset from UTC")
    return offset, None
