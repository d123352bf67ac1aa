"""When cron expressions tick. The first table is what Zeebe's own engine answered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from grevy.bpmn import parse_cron

# A Tuesday.
NOW = "2026-11-24T04:44:15"


def ms(text: str) -> int:
    """Epoch milliseconds of an ISO text in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 * * * *", "2026-11-24T05:00:00"),
        ("*/10 * * * * *", "2026-11-24T04:44:20"),
        ("0/15 * * * * *", "2026-11-24T04:44:30"),
        ("5-10/2 * * * * *", "2026-11-24T04:45:05"),
        ("*/7 * * * * *", "2026-11-24T04:44:21"),
        ("0-5,50-55 * * * * *", "2026-11-24T04:44:50"),
        ("0 */25 * * * *", "2026-11-24T04:50:00"),
        ("0 30 4 24 11 *", "2027-11-24T04:30:00"),
        ("0 50 4 24 11 *", "2026-11-24T04:50:00"),
        ("0 0 9-17 * * MON-FRI", "2026-11-24T09:00:00"),
        ("0 0 6,19 * * *", "2026-11-24T06:00:00"),
        ("0 0/30 8-10 * * *", "2026-11-24T08:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59"),
        ("@hourly", "2026-11-24T05:00:00"),
        ("@daily", "2026-11-25T00:00:00"),
        ("@midnight", "2026-11-25T00:00:00"),
        ("@weekly", "2026-11-29T00:00:00"),
        ("@monthly", "2026-12-01T00:00:00"),
        ("@yearly", "2027-01-01T00:00:00"),
        ("@annually", "2027-01-01T00:00:00"),
        ("0 0 0 L * *", "2026-11-30T00:00:00"),
        ("0 0 0 l * *", "2026-11-30T00:00:00"),
        ("0 0 0 L-3 * *", "2026-11-27T00:00:00"),
        ("0 0 0 L-30 * *", "2026-12-01T00:00:00"),
        ("0 0 0 LW * *", "2026-11-30T00:00:00"),
        ("0 0 0 LW 1 *", "2027-01-29T00:00:00"),
        ("0 0 0 1W 8 *", "2027-08-02T00:00:00"),
        ("0 0 0 15W * *", "2026-12-15T00:00:00"),
        ("0 0 0 28W * *", "2026-11-27T00:00:00"),
        ("0 0 0 15W,1 * *", "2026-12-01T00:00:00"),
        ("0 0 0 L 2 ?", "2027-02-28T00:00:00"),
        ("0 0 0 29 2 ?", "2028-02-29T00:00:00"),
        ("0 0 0 29 2 SUN", "2032-02-29T00:00:00"),
        ("0 0 0 1 1 MON", "2029-01-01T00:00:00"),
        ("0 0 0 */10 * *", "2026-12-01T00:00:00"),
        ("0 0 0 5/10 * *", "2026-11-25T00:00:00"),
        ("0 0 0 10-20/5 * *", "2026-12-10T00:00:00"),
        ("0 0 0 31 * *", "2026-12-31T00:00:00"),
        ("0 0 0 ? JAN-MAR *", "2027-01-01T00:00:00"),
        ("0 0 0 * Jan *", "2027-01-01T00:00:00"),
        ("0 0 0 * 2-4/2 *", "2027-02-01T00:00:00"),
        ("0 0 0 * 3/3 *", "2026-12-01T00:00:00"),
        ("0 0 0 * */5 *", "2026-11-25T00:00:00"),
        ("0 0 0 * * 7", "2026-11-29T00:00:00"),
        ("0 0 0 * * 0", "2026-11-29T00:00:00"),
        ("0 0 0 * * L", "2026-11-29T00:00:00"),
        ("0 0 0 * * SAT-SUN", "2026-11-28T00:00:00"),
        ("0 0 0 * * FRI-MON", "2026-11-27T00:00:00"),
        ("0 0 0 * * 5-1", "2026-11-27T00:00:00"),
        ("0 0 0 * * 5-7", "2026-11-27T00:00:00"),
        ("0 0 0 * * 0-7", "2026-11-25T00:00:00"),
        ("0 0 0 * * 7-2", "2026-11-29T00:00:00"),
        ("0 0 0 * * SUN-MON", "2026-11-29T00:00:00"),
        ("0 0 0 * * 2/3", "2026-11-27T00:00:00"),
        ("0 0 0 * * SUN/2", "2026-11-26T00:00:00"),
        ("0 0 0 6 12 5/2", "2026-12-06T00:00:00"),
        ("0 0 0 * * TUE,THU", "2026-11-26T00:00:00"),
        ("0 0 0 * * 5L", "2026-11-27T00:00:00"),
        ("0 0 0 * * FRIL", "2026-11-27T00:00:00"),
        ("0 0 0 * * 0L", "2026-11-29T00:00:00"),
        ("0 0 0 * * FRI#2", "2026-12-11T00:00:00"),
        ("0 0 0 ? * 5#5", "2027-01-29T00:00:00"),
        ("0 0 0 * * 7#1", "2026-12-06T00:00:00"),
        ("0 0 0 * * FRI#2,MON", "2026-11-30T00:00:00"),
        ("0 0 0 1-7 * MON", "2026-12-07T00:00:00"),
        ("0 0 0 13 * FRI", "2027-08-13T00:00:00"),
        ("0\t0  0 * * *", "2026-11-25T00:00:00"),
        (" @daily ", "2026-11-25T00:00:00"),
    ],
)
def test_next_tick_as_in_zeebe(cron: str, expected: str) -> None:
    assert parse_cron(cron).next_after(ms(NOW)) == ms(expected)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 0 31W 10 *", "2027-10-29T00:00:00"),
        ("0 0 0 L,15 * *", "2026-11-30T00:00:00"),
        ("0 0 0 31W * *", "2026-12-31T00:00:00"),
        ("* * * * * *", "2026-11-24T04:44:16"),
    ],
)
def test_next_tick_where_zeebe_errs(cron: str, expected: str) -> None:
    """Its library misses a working day over a month's end and the earlier of `L` and a value."""
    assert parse_cron(cron).next_after(ms(NOW)) == ms(expected)


def test_ticks_follow_each_other() -> None:
    cron = parse_cron("0 0 0 L * *")
    tick, ticks = ms("2027-12-30T12:00:00"), []
    for _ in range(3):
        following = cron.next_after(tick)
        assert following is not None
        tick = following
        ticks.append(tick)
    assert ticks == [ms(f"{day}T00:00:00") for day in ("2027-12-31", "2028-01-31", "2028-02-29")]


def test_a_tick_is_later_than_now() -> None:
    cron = parse_cron("0 0 * * * *")
    at = ms("2026-11-24T05:00:00")
    assert cron.next_after(at - 1) == at
    assert cron.next_after(at) == ms("2026-11-24T06:00:00")
    assert cron.next_after(at + 999) == ms("2026-11-24T06:00:00")


@pytest.mark.parametrize("cron", ["0 0 0 30 2 *", "0 0 0 31 4,6 *"])
def test_a_day_that_no_month_has_never_comes(cron: str) -> None:
    assert parse_cron(cron).next_after(ms(NOW)) is None


def test_the_end_of_the_calendar() -> None:
    assert parse_cron("@daily").next_after(ms("9999-12-31T12:00:00")) is None
    assert parse_cron("@daily").next_after(10**18) is None


@pytest.mark.parametrize(
    "cron",
    [
        "", "x", "0 0 * * *", "0 0 0 * * * 2030", "@DAILY", "@reboot", "@ daily",
        "60 * * * * *", "0 60 0 * * *", "0 0 24 * * *", "0 0 0 0 * *", "0 0 0 32 * *",
        "0 0 0 * 13 *", "0 0 0 * 0 *", "0 0 0 * * 8", "0 0 22-2 * * *", "1-2-3 * * * * *",
        "*/0 * * * * *", "*/-1 * * * * *", "*/100 * * * * *", "0 0 0 */32 * *", "0 0 0 1/ * *",
        "0 0 0 1//5 * *", "*-5 * * * * *", "*/5-10 * * * * *", "1,, * * * * *", "0 0 0 , * *",
        "0 0 0 ,5 * *", "? * * * * *", "L * * * * *", "0 0 0 * L *", "0 0 0 MON * *",
        "0 0 0 * * MONDAY", "0 0 0 * * MON-", "0 0 0 -5 * *", "0 0 0 W * *", "0 0 0 0W * *",
        "0 0 0 32W * *", "0 0 0 LW-1 * *", "0 0 0 15W-2 * *", "0 0 0 L-0 * *", "0 0 0 L-31 * *",
        "0 0 0 L--1 * *", "0 0 0 L/2 * *", "0 0 0 1#2 * *", "0 0 0 * * MON#0", "0 0 0 * * 5#6",
        "0 0 0 * * 8#1", "0 0 0 * * LW", "0 0 0 ?/2 * *", "99999999999 * * * * *", "1e1 * * * * *",
        "\u0663 * * * * *", "*," * 5000 + "* * * * * *",
    ],
)  # fmt: skip
def test_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="cron expression") as refused:
        parse_cron(cron)
    assert len(str(refused.value)) < 600
