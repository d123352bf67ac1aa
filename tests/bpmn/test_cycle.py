"""What a `timeCycle` says, and when its ticks are due."""

from __future__ import annotations

import pytest

from grevy.bpmn import FOREVER, parse_cycle

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_893_542_400_000
"""2030-01-02T00:00:00Z"""


@pytest.mark.parametrize(
    ("text", "repetitions"),
    [
        ("R/PT1H", FOREVER),
        ("R3/PT1H", 3),
        ("R0/PT1H", 0),
        ("R-1/PT1H", FOREVER),
        ("R//PT1H", FOREVER),
        ("R-5/PT1H", FOREVER),
        ("R+3/PT1H", 3),
        ("@daily", FOREVER),
        ("0 0 0 * * *", FOREVER),
    ],
)
def test_repetitions(text: str, repetitions: int) -> None:
    assert parse_cycle(text).repetitions == repetitions


def test_without_a_start_the_first_tick_is_an_interval_away() -> None:
    assert parse_cycle("R/PT1H").first_due(5) == 5 + HOUR


@pytest.mark.parametrize("zone", ["Z", "+00:00", "Z[Europe/Berlin]"])
def test_a_start_is_the_first_tick(zone: str) -> None:
    cycle = parse_cycle(f"R3/2030-01-02T00:00:00{zone}/PT1H")
    assert cycle.first_due(0) == START
    assert cycle.due_after(START, START + 7) == START + HOUR


def test_a_start_that_has_passed_is_due_at_once() -> None:
    assert parse_cycle("R3/2030-01-02T00:00:00Z/PT1H").first_due(START + 7) == START + 7


def test_missed_ticks_of_an_interval_are_caught_up() -> None:
    assert parse_cycle("R/PT1H").due_after(0, 100 * HOUR) == HOUR


def test_missed_ticks_of_cron_are_not() -> None:
    assert parse_cycle("@daily").due_after(0, 100 * DAY) == 101 * DAY


def test_months_are_those_of_the_calendar() -> None:
    assert parse_cycle("R/P1M").first_due(30 * DAY) == (31 + 27) * DAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "R",
        "R/",
        "R3",
        "PT1H",
        "r/PT1H",
        "R3/PT1H/",
        "R3/PT1H/2030-01-02T00:00:00Z",
        "R 3/PT1H",
        "R999999999999/PT1H",
        "R/2030-01-02T00:00:00/PT1H",
        "Rx/PT1H",
        "R/tomorrow",
        "R/PT0S",
        "R/-PT1H",
        "R/PT0.0001S",
        "R" + "9" * 9999 + "/PT1H",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the texts differ
        parse_cycle(text)
    assert 0 < len(str(refused.value)) < 600


def test_a_few_ticks_without_time_between_are_no_loop() -> None:
    assert parse_cycle("R3/PT0S").first_due(7) == 7
