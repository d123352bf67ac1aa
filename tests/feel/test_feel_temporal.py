"""Durations and date-times: as timers read them, and as FEEL calculates with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grevy.feel import Duration, Evaluation, FeelFormatError, Period, civil, to_json
from grevy.feel.temporal import Interval, add, parse_date_time, parse_duration

Evaluate = Callable[..., Evaluation]
SECOND = 10**9


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PT15M", Duration(900 * SECOND)),
        ("P1DT2H3M4.5S", Duration(93_784 * SECOND + SECOND // 2)),
        ("P2W", Duration(14 * 86_400 * SECOND)),
        ("-PT5S", Duration(-5 * SECOND)),
        ("PT-5S", Duration(-5 * SECOND)),
        ("PT-0.5S", Duration(-SECOND // 2)),
        ("PT1H-30M", Duration(1_800 * SECOND)),
        ("PT0S", Duration(0)),
        ("P1Y2M", Period(14)),
        ("-P1M", Period(-1)),
        ("P0M", Period(0)),
        ("P1Y2M3DT4H", Interval(Period(14), Duration((3 * 24 + 4) * 3_600 * SECOND))),
        ("-P1MT1S", Interval(Period(-1), Duration(-SECOND))),
    ],
)
def test_durations_are_read(text: str, value: object) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1", "1H", "P1H", "PT1D", "P1DT", "PT1M1H", "P1.5D", "pt1h", "PT1H ", "P١D"],
)
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(FeelFormatError) as caught:
        parse_duration(text)
    assert isinstance(caught.value, ValueError)
    assert repr(text)[1:-1] in str(caught.value)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-01-31T10:00:00+00:00", "P1M", "2026-02-28T10:00:00+00:00"),
        ("2024-01-31T10:00:00+00:00", "P1M", "2024-02-29T10:00:00+00:00"),
        ("2026-03-31T10:00:00+00:00", "-P1M", "2026-02-28T10:00:00+00:00"),
        ("2024-02-29T00:00:00+00:00", "P1Y", "2025-02-28T00:00:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "PT1S", "2027-01-01T00:00:00+00:00"),
        ("2026-01-31T10:00:00+00:00", "P1M1DT1H", "2026-03-01T11:00:00+00:00"),
        ("1969-12-31T23:00:00+00:00", "P1M", "1970-01-31T23:00:00+00:00"),
    ],
)
def test_adding_knows_the_calendar(start: str, duration: str, end: str) -> None:
    assert add(ms(start), parse_duration(duration)) == ms(end)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00.250+01:00", "2025-12-31T23:00:00.250+00:00"),
        ("2026-01-01T00:00:00+01:00[Europe/Berlin]", "2025-12-31T23:00:00+00:00"),
        ("2026-07-01T00:00:00@Europe/Berlin", "2026-06-30T22:00:00+00:00"),
        ("1960-01-01T00:00:00Z", "1960-01-01T00:00:00+00:00"),
    ],
)
def test_date_times_are_read(text: str, iso: str) -> None:
    assert parse_date_time(text) == ms(iso)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00+19:00",
        "2026-01-01T00:00:00+01:00[Nowhere/Land]",
        "2026-01-01T00:00:00@../../../etc/passwd",
        "2026-01-01 00:00:00Z",
    ],
)
def test_what_is_no_date_time_is_an_error(text: str) -> None:
    with pytest.raises(FeelFormatError):
        parse_date_time(text)


@given(st.integers(-700_000, 2_000_000))
def test_days_are_those_of_the_calendar(day: int) -> None:
    year, month, day_of_month = civil.date_of(day)
    assert civil.day_of(year, month, day_of_month) == day
    assert civil.checked_day_of(year, month, day_of_month) == day
    date = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    assert (date.year, date.month, date.day) == (year, month, day_of_month)
    assert date.isoweekday() == civil.weekday_of(day)


@pytest.mark.parametrize("day", [-(10**11), -(10**9), 10**9, 10**11])
def test_days_beyond_pythons_calendar_go_there_and_back(day: int) -> None:
    assert civil.day_of(*civil.date_of(day)) == day


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ('@"2026-01-31" + @"P1M"', '"2026-02-28"'),
        ('@"2026-01-31" + @"PT25H"', '"2026-02-01"'),
        ('@"2026-03-29T01:30:00@Europe/Berlin" + @"PT1H"',
         '"2026-03-29T03:30:00+02:00[Europe/Berlin]"'),
        ('@"2026-03-28T02:30:00@Europe/Berlin" + @"P1M"',
         '"2026-04-28T02:30:00+02:00[Europe/Berlin]"'),
        ('@"2026-10-25T02:30:00@Europe/Berlin" + @"PT1H"',
         '"2026-10-25T02:30:00+01:00[Europe/Berlin]"'),
        ('@"2026-03-29T02:30:00@Europe/Berlin"', '"2026-03-29T03:30:00+02:00[Europe/Berlin]"'),
        ('@"23:30:00" + @"PT1H"', '"00:30"'),
        ('@"10:00:00" - @"11:30:00"', '"-PT1H30M"'),
        ('@"2026-01-02T00:00:00Z" - @"2026-01-01T00:00:00+01:00"', '"P1DT1H"'),
        ('@"PT1H" * 1.5', '"PT1H30M"'),
        ('@"P1Y" / @"P6M"', "2"),
        ('@"P90D" / 2', '"P45D"'),
        ('-@"P14M"', '"-P1Y2M"'),
        ('@"10:00:00.5"', '"10:00:00.500"'),
        ('@"10:00:00+01:00"', '"10:00:00+01:00"'),
        ('@"2026-01-01T24:00:00"', '"2026-01-02T00:00:00"'),
        ('@"99999-01-01"', '"+99999-01-01"'),
        ('@"-0044-03-15" < @"0001-01-01"', "true"),
        ('@"2026-01-01T10:00:00@Europe/Berlin".time offset', '"PT1H"'),
        ('@"2026-01-01".weekday', "4"),
        ('@"-PT90M".minutes', "-30"),
        ('@"2026-02-30"', "null"),
        ('@"2026-01-01T00:00:00@Nowhere/Land"', "null"),
        ('@"999999999-12-31" + @"P1D"', "null"),
    ],
)  # fmt: skip
def test_feel_calculates_with_time(evaluate: Evaluate, text: str, json: str) -> None:
    assert to_json(evaluate(text).value).decode() == json
