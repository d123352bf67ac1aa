"""FEEL's temporal values: date, time, date and time, and the two kinds of duration. Frozen; exact
to the nanosecond.

`str()` of each is what FEEL's `string()` gives; `json_text()` is what Zeebe exports where that
differs. Python's `==` is by fields; FEEL's equality and order are in `values`. Arithmetic beyond
the year 999,999,999 raises `FeelFormatError`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from grevy.feel import civil
from grevy.feel.errors import FeelFormatError

SECOND: Final = 1_000_000_000
"""Nanoseconds in a second."""
DAY: Final = civil.DAY_SECONDS * SECOND
"""Nanoseconds in a day."""

_DAY_MAX: Final = civil.day_of(civil.YEAR_MAX, 12, 31)
_MONTHS_MAX: Final = 12 * 2**31
_NANOS_MAX: Final = 2**63 * SECOND


def _fraction(nanos: int) -> str:
    return f".{nanos:09}".rstrip("0") if nanos else ""


def _clock_text(nanos: int) -> str:
    seconds, rest = divmod(nanos, SECOND)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(rest)}"


def _date_text(day: int, plus: str) -> str:
    year, month, day_of_month = civil.date_of(day)
    sign = "-" if year < 0 else plus if year > 9999 else ""
    return f"{sign}{abs(year):04}-{month:02}-{day_of_month:02}"


class Period(Struct, frozen=True):
    """A years and months duration."""

    months: int

    def __post_init__(self) -> None:
        if abs(self.months) >= _MONTHS_MAX:
            raise FeelFormatError("the duration is too long")

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        text = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return f"{'-' if self.months < 0 else ''}P{text or '0Y'}"


class Duration(Struct, frozen=True):
    """A days and time duration. Its text and its parts have whole seconds only, the next below, as
    Zeebe's have; the arithmetic keeps the rest.
    """

    nanos: int

    def __post_init__(self) -> None:
        if abs(self.nanos) >= _NANOS_MAX:
            raise FeelFormatError("the duration is too long")

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Days, hours, minutes, seconds; all have the sign of the whole. What is left of a second
        is dropped downwards.
        """
        sign = -1 if self.nanos < 0 else 1
        seconds = abs(self.nanos // SECOND)
        days, second = divmod(seconds, civil.DAY_SECONDS)
        return (
            sign * days,
            sign * (second // 3600),
            sign * (second // 60 % 60),
            sign * (second % 60),
        )

    def __str__(self) -> str:
        days, hours, minutes, seconds = (abs(part) for part in self.parts)
        clock = "".join(
            f"{count}{unit}"
            for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S"))
            if count
        )
        text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
        if not text:
            return "P0D"
        return f"{'-' if self.nanos < 0 else ''}P{text}"


class FeelDate(Struct, frozen=True):
    """A date; `day` counts from 1970-01-01."""

    day: int

    def __post_init__(self) -> None:
        if abs(self.day) > _DAY_MAX:
            raise FeelFormatError("the date is out of range")

    def __str__(self) -> str:
        return _date_text(self.day, "+")

    def at(self, nanos: int) -> FeelDateTime:
        """This date with a time of day."""
        return FeelDateTime(self.day * DAY + nanos)

    def plus(self, amount: Period | Duration, sign: int = 1) -> FeelDate:
        """Later (or earlier, for `sign` -1) from the day's start; what is left of a day is
        dropped.
        """
        if isinstance(amount, Period):
            return FeelDate(civil.day_plus_months(self.day, sign * amount.months))
        return FeelDate((self.day * DAY + sign * amount.nanos) // DAY)


class FeelTime(Struct, frozen=True):
    """A time of day; `nanos` from midnight. A local one has no offset; one with a zone has its
    standard offset.
    """

    nanos: int
    offset: int | None = None
    zone: str | None = None

    @classmethod
    def in_zone(cls, nanos: int, zone: str) -> FeelTime:
        """A time on the clocks of a zone; raises `FeelFormatError` for an unknown one."""
        return cls(nanos, civil.standard_offset(zone), zone)

    @property
    def utc_nanos(self) -> int:
        """Where it is on UTC's clock; before or after that day for some. Local ones as if they
        were UTC.
        """
        return self.nanos - (self.offset or 0) * SECOND

    def __str__(self) -> str:
        if self.zone is not None:
            return f"{_clock_text(self.nanos)}@{self.zone}"
        offset = "" if self.offset is None else civil.text_of_offset(self.offset)
        return _clock_text(self.nanos) + offset

    def json_text(self) -> str:
        """As exported: a local time leaves out zero seconds and writes its fraction in groups of
        three.
        """
        if self.offset is not None:
            return str(self)
        seconds, rest = divmod(self.nanos, SECOND)
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
        if not (seconds % 60 or rest):
            return text
        digits = f"{rest:09}"
        while rest and digits.endswith("000"):
            digits = digits[:-3]
        return f"{text}:{seconds % 60:02}{'.' + digits if rest else ''}"

    def plus(self, amount: Duration, sign: int = 1) -> FeelTime:
        """Later round the clock."""
        return FeelTime((self.nanos + sign * amount.nanos) % DAY, self.offset, self.zone)


class FeelDateTime(Struct, frozen=True):
    """A date and time; `local` is nanoseconds from 1970-01-01T00:00 on the clock of its place. A
    local one has no offset.
    """

    local: int
    offset: int | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if abs(self.local) > _DAY_MAX * DAY:
            raise FeelFormatError("the date and time is out of range")

    @classmethod
    def in_zone(cls, local: int, zone: str) -> FeelDateTime:
        """What the clocks of a zone show; a time that they skip moves on by what they skip."""
        offset = civil.offset_at_local(zone, local // SECOND)
        return cls.of_instant(local - offset * SECOND, zone)

    @classmethod
    def of_instant(cls, utc: int, zone: str) -> FeelDateTime:
        """An instant (nanoseconds from 1970-01-01T00:00Z) on the clocks of a zone."""
        offset = civil.offset_at_utc(zone, utc // SECOND)
        return cls(utc + offset * SECOND, offset, zone)

    @property
    def utc(self) -> int:
        """Nanoseconds from 1970-01-01T00:00Z; local ones as if they were UTC."""
        return self.local - (self.offset or 0) * SECOND

    @property
    def date(self) -> FeelDate:
        """Its date."""
        return FeelDate(self.local // DAY)

    @property
    def time(self) -> FeelTime:
        """Its time of day, with its offset and zone."""
        return FeelTime(self.local % DAY, self.offset, self.zone)

    def __str__(self) -> str:
        text = f"{_date_text(self.local // DAY, '')}T{_clock_text(self.local % DAY)}"
        if self.zone is not None:
            return f"{text}@{self.zone}"
        return text if self.offset is None else text + civil.text_of_offset(self.offset)

    def json_text(self) -> str:
        """As exported: the ISO form with the zone in brackets."""
        text = f"{_date_text(self.local // DAY, '+')}T{_clock_text(self.local % DAY)}"
        if self.offset is None:
            return text
        text += civil.text_of_offset(self.offset)
        return text if self.zone is None else f"{text}[{self.zone}]"

    def plus(self, amount: Period | Duration, sign: int = 1) -> FeelDateTime:
        """Months move what the clocks show, nanoseconds move the instant."""
        if isinstance(amount, Period):
            day = civil.day_plus_months(self.local // DAY, sign * amount.months)
            local = day * DAY + self.local % DAY
            if self.zone is not None:
                return FeelDateTime.in_zone(local, self.zone)
            return FeelDateTime(local, self.offset)
        if self.zone is not None:
            return FeelDateTime.of_instant(self.utc + sign * amount.nanos, self.zone)
        return FeelDateTime(self.local + sign * amount.nanos, self.offset)
