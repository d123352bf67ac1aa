"""Days and zones: the Gregorian calendar over all integers, and the offsets of zones as the
`tzdata` package has them.

Python's `datetime` ends at the year 9999, FEEL's dates at 999,999,999; so days are counted here,
and `datetime` is asked for zone offsets only, with years beyond its reach taken for the same year
of another 400-year cycle. Units: `day` counts from 1970-01-01, seconds are local or UTC as their
names say, offsets are seconds east of UTC.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from grevy.feel.errors import FeelFormatError

DAY_SECONDS: Final = 86_400
YEAR_MAX: Final = 999_999_999
OFFSET_MAX: Final = 18 * 3600
"""Java's limit; real offsets stay within 14 hours."""

_DAYS_0000_TO_1970: Final = 719_468
_DAYS_PER_ERA: Final = 146_097
_ORDINAL_OF_1970: Final = date(1970, 1, 1).toordinal()
_FIRST_DAY: Final = date.min.toordinal() - _ORDINAL_OF_1970
_LAST_DAY: Final = date.max.toordinal() - _ORDINAL_OF_1970
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ZONE_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


def day_of(year: int, month: int, day_of_month: int) -> int:
    """The day of a date that exists; the year begins in March here, so that the leap day comes
    last.
    """
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day_of_month - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _DAYS_PER_ERA + day_of_era - _DAYS_0000_TO_1970


def date_of(day: int) -> tuple[int, int, int]:
    """The year, month and day of month of a day: the inverse of `day_of`."""
    if _FIRST_DAY <= day <= _LAST_DAY:  # which takes a quarter of the time
        found = date.fromordinal(day + _ORDINAL_OF_1970)
        return found.year, found.month, found.day
    day += _DAYS_0000_TO_1970
    era = day // _DAYS_PER_ERA
    day_of_era = day - era * _DAYS_PER_ERA
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + (3 if shifted_month < 10 else -9)
    return year_of_era + era * 400 + (month <= 2), month, day_of_month


def days_in_month(year: int, month: int) -> int:
    """28 to 31."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and is_leap else _MONTH_DAYS[month - 1]


def checked_day_of(year: int, month: int, day_of_month: int) -> int:
    """The day of a date; raises `FeelFormatError` when there is no such date."""
    if MINYEAR <= year <= MAXYEAR:
        try:
            return date(year, month, day_of_month).toordinal() - _ORDINAL_OF_1970
        except (ValueError, OverflowError):
            pass  # what is wrong is said below
    if not (abs(year) <= YEAR_MAX and 1 <= month <= 12):
        raise FeelFormatError(f"there is no month {month} of the year {year}")
    if not 1 <= day_of_month <= days_in_month(year, month):
        raise FeelFormatError(f"there is no day {day_of_month} in {year}-{month:02}")
    return day_of(year, month, day_of_month)


def day_plus_months(day: int, months: int) -> int:
    """The same day of another month, or the last of it if it is shorter."""
    year, month, day_of_month = date_of(day)
    year, month0 = divmod(year * 12 + month - 1 + months, 12)
    return checked_day_of(year, month0 + 1, min(day_of_month, days_in_month(year, month0 + 1)))


def weekday_of(day: int) -> int:
    """1 for Monday to 7 for Sunday."""
    return (day + 3) % 7 + 1


def offset_of_text(text: str) -> int | None:
    """The seconds of `Z`, `+01:00` or `+01:00:30`; None when it is something else or too large."""
    if text == "Z":
        return 0
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4] or 0)
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > OFFSET_MAX:
        return None
    return -total if match[1] == "-" else total


def text_of_offset(offset: int) -> str:
    """`Z`, `+01:00` or `+01:00:30`."""
    if offset == 0:
        return "Z"
    minutes, seconds = divmod(abs(offset), 60)
    text = f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text


@lru_cache(maxsize=1_000)
def _rules(zone: str) -> ZoneInfo:
    """Read from the package, not from the machine, so that every broker has the same rules."""
    if _ZONE_ID.fullmatch(zone) is None:
        raise FeelFormatError(f"unknown time zone '{zone}'")
    try:
        with resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=zone)
    except (OSError, ValueError):
        raise FeelFormatError(f"unknown time zone '{zone}'") from None


def check_zone(zone: str) -> str:
    """Gives the zone id back, or raises `FeelFormatError` when there is no such zone."""
    _rules(zone)
    return zone


def _datetime_of(seconds: int) -> datetime:
    day, second = divmod(seconds, DAY_SECONDS)
    year, month, day_of_month = date_of(day)
    if not 2 <= year <= 9998:
        year = (2000 if year > 9998 else 1200) + year % 400
    hour, minute = second // 3600, second // 60 % 60
    return datetime(year, month, day_of_month, hour, minute, second % 60, tzinfo=UTC)


def offset_at_local(zone: str, local_seconds: int) -> int:
    """The offset in a zone at a time on its clocks; the earlier one where they are put back."""
    moment = _datetime_of(local_seconds).replace(tzinfo=_rules(zone))
    delta = moment.utcoffset()
    return 0 if delta is None else delta.days * DAY_SECONDS + delta.seconds


def offset_at_utc(zone: str, utc_seconds: int) -> int:
    """The offset in a zone at an instant."""
    delta = _datetime_of(utc_seconds).astimezone(_rules(zone)).utcoffset()
    return 0 if delta is None else delta.days * DAY_SECONDS + delta.seconds


@lru_cache(maxsize=1_000)
def standard_offset(zone: str) -> int:
    """The offset of a zone without its summer time, for times of day that have no date."""
    moment = datetime(2024, 1, 1, tzinfo=_rules(zone))
    delta, summer = moment.utcoffset(), moment.dst()
    if delta is None:
        return 0
    standard = delta - summer if summer else delta
    return standard.days * DAY_SECONDS + standard.seconds
