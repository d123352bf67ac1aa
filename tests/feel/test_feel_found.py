"""What comparing random expressions with Zeebe's engine found (`compare.py`), told by expressions
of our own; and what the closures for the common cases must not change.
"""

from __future__ import annotations

import json

import pytest
from tests.feel.conftest import Evaluate

from grevy.feel import to_json

CUSTOMER = {"name": "Ada", "age": 36, "since": "2025-12-01", "vip": False, "city": "London"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # One duration goes a whole number of times into another.
        ('duration("PT3H") / duration("PT2H")', 1),
        ('duration("PT1S") / duration("PT2H")', 0),
        ('duration("-PT3H") / duration("PT2H")', -1),
        ('duration("PT1.9S") / duration("PT1S")', 1),
        ('@"P3M" / @"P2M"', 1),
        ('@"-P3M" / @"P2M"', -1),
        ('(@"2026-01-31" - @"2026-01-01") / @"P7D"', 4),
        ('duration("PT3H") / duration("PT0S")', None),
        ('@"P3M" / @"P0M"', None),
        # Durations are divided in milliseconds.
        ('duration("PT1.0019S") / duration("PT0.0019S")', 1001),
        ('duration("-PT0.0025S") / duration("PT0.001S")', -2),
        ('duration("PT0.005S") / 2 = duration("PT0.002S")', True),
        ('duration("-PT0.0025S") / 1 = duration("-PT0.002S")', True),
        # What is left of a second is dropped downwards.
        ('string(duration("-PT1.5S"))', "-PT2S"),
        ('duration("-PT0.5S")', "-PT1S"),
        ('duration("-PT1.5S").seconds', -2),
        ('duration("-PT61.5S").minutes', -1),
        ('duration("PT61.5S").seconds', 1),
        # Powers of zero keep their decimal places.
        ("string((0 * 1.10) ** 2)", "0.0000"),
        ("string(0.0 ** 7)", "0E-7"),
        ("0.00 ** 9999999 + 1", 1),
        # Functions are no entries of a context.
        ("get entries({f: function(p) p, a: 1}).key", ["a"]),
        # A context of more than four entries is written in the order of a made one.
        ("string(customer)", '{city:"London", name:"Ada", vip:false, age:36, since:"2025-12-01"}'),
        # A hyphen in a class is a range only between two characters.
        ('matches("-", "[1--]")', None),
        ('matches("-", "[a-z--9]")', True),
        ('matches("5", "[a-z--9]")', True),
        ('matches("-", "[--a]")', True),
        ('matches("A", "[--a]")', True),
        ('matches("-", "[\\\\d-z]")', True),
        ('matches("m", "[\\\\d-z]")', False),
        ('matches("~", "[a~~b]")', True),
    ],
)
def test_found_by_comparing(evaluate: Evaluate, text: str, expected: object) -> None:
    assert json.loads(to_json(evaluate(text, customer=CUSTOMER).value)) == expected


@pytest.mark.parametrize(
    "text",
    [
        'duration("PT1H") / duration("PT0.0009S")',
        'duration("PT0.0005S") / duration("-PT0.0005S")',
        'get or else(@"PT1H" / duration("PT0.0005S"), 1)',
    ],
)
def test_a_duration_in_one_of_less_than_a_millisecond_is_a_failure(
    evaluate: Evaluate, text: str
) -> None:
    failure = evaluate(text).failure
    assert failure is not None
    assert "less than a millisecond" in failure


ITEMS = [{"x": 1}, {"x": "2"}, {"x": 3.5}, {"y": 9}, 7, None, {"x": None}, {"x": 4, "item": 5}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("items[x > 2]", [{"x": 3.5}, {"x": 4, "item": 5}]),
        ("items[x = null]", [{"y": 9}, 7, None, {"x": None}]),
        ('items[x = "2"]', [{"x": "2"}]),
        ("items[y > 2]", [{"y": 9}]),
        ("items[item > 4]", [7, {"x": 4, "item": 5}]),
        ("items[limit > 2]", ITEMS),
        ("items[x > 2 and x < 4]", [{"x": 3.5}]),
        ("[1, 2, 3][item > limit]", []),
        ("[1, 2, 4][item >= limit]", [4]),
        ("[1, 2, 3][count([1, 2])]", 2),
        ("[1, 2, 3][-1]", 3),
        ("[true, false][item]", [True]),
        ("[1, 2][{f: function(v) v > 1, r: f(item)}.r]", [2]),
        ("[1, 2, 3][limit]", None),
    ],
)
def test_filters(evaluate: Evaluate, text: str, expected: object) -> None:
    evaluation = evaluate(text, items=ITEMS, limit=4)
    assert json.loads(to_json(evaluation.value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for c in (for v in [1, 2] return {f: function(w) v + w}) return c.f(10)", [11, 12]),
        ("for v in [1, 2] return for w in [v, 10] return v * w", [[1, 10], [4, 20]]),
        ("for v in [1, 2] return count([1, 2, 3][item > v])", [2, 1]),
        ("for v in [1, 2, 3] return sum(partial) + v", [None, None, None]),
        ("for v in [3] return {v: v + 1, w: v}.w", [4]),
        ("for v in 5 return v", None),
        ('for v in 1.."a" return v', None),
        ("some v in [1, null, 3] satisfies v > 2", True),
        ("some v in [1, null] satisfies v > 2", None),
        ("every v in [1, null, 0] satisfies v > 0", False),
        ("every v in [1, null] satisfies v > 0", None),
        ("some v in null satisfies true", None),
        ("every v in [] satisfies v", True),
        ("some v in [1], w in [v, 5] satisfies w > 4", True),
    ],
)
def test_loops(evaluate: Evaluate, text: str, expected: object) -> None:
    assert evaluate(text).value == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{10**34 - 1} + 1", "1.000000000000000000000000000000000E+34"),
        (f"{10**34 - 1} + 6", "1.000000000000000000000000000000000E+34"),
        (f"{10**20} * {10**20 + 1}", "1.000000000000000000010000000000000E+40"),
        (f"-{10**34 - 1} - 5", "-1.000000000000000000000000000000000E+34"),
        ("0 * -1.5", "0.0"),
        ("1.5 - 1.50", "0.00"),
        ('"a" + "b" + "c" + "d" + "e" + "f"', "abcdef"),
        ("1 + 2 * 3 - 4 + 5 - 6 + 7 - 8", "1"),
    ],
)
def test_arithmetic(evaluate: Evaluate, text: str, expected: str) -> None:
    assert str(evaluate(text).value) == expected


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('1 between 0 and "a"', ["NOT_COMPARABLE", "INVALID_TYPE"]),
        ('3 between "a" and 1', ["NOT_COMPARABLE", "INVALID_TYPE"]),
        ('"a" > 1', ["NOT_COMPARABLE"]),
        ('1 in ["a".."b"]', ["NOT_COMPARABLE"]),
        ("true > 1", ["NOT_COMPARABLE"]),
        ('1 * "a"', ["INVALID_TYPE"]),
        ("count(1)", ["FUNCTION_INVOCATION_FAILURE"]),
        ('contains("a", 1)', ["FUNCTION_INVOCATION_FAILURE"]),
        ('sum("a")', ["FUNCTION_INVOCATION_FAILURE"]),
        ('max([1, "a"])', ["FUNCTION_INVOCATION_FAILURE"]),
    ],
)
def test_what_does_not_fit_is_warned_of(evaluate: Evaluate, text: str, kinds: list[str]) -> None:
    assert [warning.kind for warning in evaluate(text).warnings] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "for v in 1..100000 return 1 + 2 + 3 + 4 + 5",
        "count((for v in 1..90000 return v)[item > 5 and item > 6 and item > 7 and item > 8])",
        "every v in (for w in 1..90000 return w) satisfies v > 0 and v > -1 and v > -2 and v > -3",
    ],
)
def test_a_loop_ends_within_its_budget(evaluate: Evaluate, text: str) -> None:
    evaluation = evaluate(text)
    assert evaluation.failure is not None
    assert "it takes more than" in evaluation.failure


def test_a_function_of_the_process_comes_before_a_built_in(evaluate: Evaluate) -> None:
    assert evaluate("{count: function(list) 42, r: count([1])}.r").value == 42
    assert evaluate("{count: function(a, b) 42, r: count([1])}.r").value == 1
    assert evaluate("count([1, 2])", count=5).value == 2
