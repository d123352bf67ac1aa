"""Built-ins that make one type of another: dates, times, durations, numbers, strings, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from grevy.feel import decimals, iso8601
from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.civil import checked_day_of, date_of
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped, FeelFormatError, quote
from grevy.feel.json_codec import from_json, to_json_text
from grevy.feel.moments import (
    DAY,
    SECOND,
    Duration,
    FeelDate,
    FeelDateTime,
    FeelTime,
    Period,
)
from grevy.feel.scope import Run
from grevy.feel.text import shown, text_of
from grevy.feel.values import Value
from grevy.protocol import limits

LIBRARY: Final = Library()

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")


def _parsed(parse: Callable[[str], Value], text: str, what: str) -> Value:
    try:
        return parse(text)
    except FeelFormatError:
        raise CallFailed(f"Failed to parse {what} from '{quote(text)}'") from None


# --- dates and times ---


@LIBRARY.define("date", "from: string|date|date and time")
def _date(_run: Run, source: str | FeelDate | FeelDateTime) -> Value:
    if isinstance(source, str):
        return _parsed(iso8601.parse_date, source, "date")
    return source.date if isinstance(source, FeelDateTime) else source


@LIBRARY.define("date", "year: number", "month: number", "day: number")
def _date_of(_run: Run, year: Number, month: Number, day: Number) -> Value:
    try:
        return FeelDate(checked_day_of(*map(decimals.to_index, (year, month, day))))
    except FeelFormatError:
        raise CallFailed(
            f"Failed to parse date from: year={shown(year)}, month={shown(month)}, day={shown(day)}"
        ) from None


@LIBRARY.define("time", "from: string|date|date and time|time")
def _time(_run: Run, source: str | FeelDate | FeelDateTime | FeelTime) -> Value:
    if isinstance(source, str):
        return _parsed(iso8601.parse_time, source, "time")
    if isinstance(source, FeelDate):
        return FeelTime(0, 0)
    return source.time if isinstance(source, FeelDateTime) else source


@LIBRARY.define("time", "hour: number", "minute: number", "second: number")
@LIBRARY.define("time", "hour: number", "minute: number", "second: number", "offset: duration|null")
def _time_of(
    _run: Run, hour: Number, minute: Number, second: Number, offset: Duration | None = None
) -> Value:
    hours, minutes = decimals.to_index(hour), decimals.to_index(minute)
    nanos = decimals.to_index(decimals.multiply(second, SECOND))
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= nanos < 60 * SECOND):
        raise CallFailed(_no_time(hour, minute, second, offset))
    nanos += (hours * 3600 + minutes * 60) * SECOND
    if offset is None:
        return FeelTime(nanos)
    if abs(offset.nanos) > 18 * 3600 * SECOND:
        raise CallFailed(_no_time(hour, minute, second, offset))
    return FeelTime(nanos, offset.nanos // SECOND)


def _no_time(hour: Number, minute: Number, second: Number, offset: Duration | None) -> str:
    parts = f"hour={shown(hour)}, minute={shown(minute)}, second={shown(second)}"
    if offset is None:
        return f"Failed to parse local-time from: {parts}"
    return f"Failed to parse time from: {parts}, offset={offset}"


@LIBRARY.define("date and time", "from: string|date and time")
def _date_and_time(_run: Run, source: str | FeelDateTime) -> Value:
    if isinstance(source, str):
        return _parsed(iso8601.parse_date_and_time, source, "date-time")
    return source


@LIBRARY.define("date and time", "date: date|date and time", "time: time|string")
@LIBRARY.define("date and time", "date: date and time", "timezone: string")
def _date_with_time(_run: Run, source: FeelDate | FeelDateTime, time: FeelTime | str) -> Value:
    if isinstance(time, str):
        if isinstance(source, FeelDate):
            raise CallFailed(f"Illegal arguments: '{shown(source)}', '{shown(time)}'")
        return _in_zone(source, time)
    date = source if isinstance(source, FeelDate) else source.date
    local = date.day * DAY + time.nanos
    if time.zone is not None:
        return FeelDateTime.in_zone(local, time.zone)
    return FeelDateTime(local, time.offset)


def _in_zone(moment: FeelDateTime, text: str) -> Value:
    """What the clocks of a zone show at that moment; a local one gets the zone and keeps its
    clock.
    """
    try:
        offset, zone = iso8601.parse_zone(text)
    except FeelFormatError:
        # As in Zeebe: no null here, but a failure.
        raise EvaluationStopped(f"'{quote(text)}' is no time zone") from None
    if zone is None:
        local = moment.local if moment.offset is None else moment.utc + (offset or 0) * SECOND
        return FeelDateTime(local, offset)
    if moment.offset is None:
        return FeelDateTime.in_zone(moment.local, zone)
    return FeelDateTime.of_instant(moment.utc, zone)


@LIBRARY.define("duration", "from: string")
def _duration(_run: Run, source: str) -> Value:
    return _parsed(iso8601.parse_any_duration, source, "duration")


@LIBRARY.define("years and months duration", "from: date|date and time", "to: date|date and time")
def _months_between(
    _run: Run, start: FeelDate | FeelDateTime, end: FeelDate | FeelDateTime
) -> Value:
    first, last = (
        date_of(bound.day if isinstance(bound, FeelDate) else bound.date.day)
        for bound in (start, end)
    )
    months = (last[0] - first[0]) * 12 + last[1] - first[1]
    if months > 0 and last[2] < first[2]:
        months -= 1
    elif months < 0 and last[2] > first[2]:
        months += 1
    return Period(months)


# --- numbers ---


def _number_of(text: str) -> Value:
    if _NUMBER.fullmatch(text) is None:
        raise CallFailed(f"Can't parse '{quote(text)}' as a number")
    if len(text) > limits.FEEL_NUMBER_CHARS_MAX:
        raise CallFailed(f"a number has more than {limits.FEEL_NUMBER_CHARS_MAX} characters")
    if re.fullmatch("[+-]?[0-9]+", text):
        return int(text)
    return Decimal(text) + 0 if not Decimal(text) else Decimal(text)


@LIBRARY.define("number", "from: string")
def _number(_run: Run, source: str) -> Value:
    return _number_of(source)


@LIBRARY.define("number", "from: string", "grouping separator: string|null")
@LIBRARY.define(
    "number",
    "from: string",
    "grouping separator: string|null",
    "decimal separator: string|null",
)
def _number_with_separators(
    _run: Run, source: str, grouping: str | None, point: str | None = None
) -> Value:
    if grouping not in (None, " ", ",", ".") and point is None:
        raise CallFailed("illegal argument for grouping. Must be one of ' ', ',' or '.'")
    is_good = grouping in (None, " ", ",", ".") and point in (None, ",", ".")
    if not is_good or (grouping is not None and grouping == point):
        raise CallFailed(
            "illegal arguments for grouping or decimal. "
            "Must be one of ' ' (grouping only), ',' or '.'"
        )
    text = source if grouping is None else source.replace(grouping, "")
    return _number_of(text if point is None else text.replace(point, "."))


# --- strings and JSON ---


@LIBRARY.define("string", "from")
def _string(run: Run, source: Value) -> Value:
    if source is None or isinstance(source, str):
        return source
    return run.check_text(text_of(source))


@LIBRARY.define("to json", "value")
def _to_json(run: Run, value: Value) -> Value:
    return run.check_text(to_json_text(value))


@LIBRARY.define("from json", "value: string")
def _from_json(run: Run, value: str) -> Value:
    run.check_text(value)
    try:
        return from_json(value)
    except FeelFormatError:
        raise CallFailed(f"Failed to parse JSON from '{quote(value)}'") from None
