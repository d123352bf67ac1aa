"""Built-ins beyond what the conformance cases say of them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from grevy.feel import Evaluation, Value, parse_expression

NO_VARIABLES: dict[str, bytes] = {}

Evaluate = Callable[..., Evaluation]


class Dice:
    """Entropy that always rolls the same."""

    def random_bytes(self, count: int) -> bytes:
        return b"\xab" * count

    def random_u64(self) -> int:
        return 2**63


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('cycle(@"PT1H")', "R/PT1H"),
        ('cycle(3, @"P14M")', "R3/P1Y2M"),
        ('cycle(null, @"P1D")', "R/P1D"),
        ('cycle(repetitions: 2, interval: @"PT90S")', "R2/PT1M30S"),
        ("fromAi(toolCall.x, \"what it is\", \"string\")", 5),
        ('from base64(to base64("größe"))', "größe"),
        ('to json(from json("{\\"a\\": [1.5, null, \\"é\\"]}"))', '{"a":[1.5,null,"é"]}'),
        ('replace("2026-01-02", "(\\d+)-(\\d+)-(\\d+)", "$3.$2.$1")', "02.01.2026"),
        ('replace("abc", "b", "\\\\$")', "a$c"),
        ('split("a;b;;c", ";")', ["a", "b", "", "c"]),
        ('split("abc", "")', ["a", "b", "c", ""]),
        ('extract("ab12cd34", "[0-9]+")', ["12", "34"]),
        ("list replace([1, 2, 3], 2, 9)", [1, 9, 3]),
        ("list replace([1, 5], function(item, newItem) item < newItem, 4)", [4, 5]),
        ("context put({a: {b: 1}}, [\"a\", \"c\"], 2)", {"a": {"b": 1, "c": 2}}),
        ("string([1, \"a\", {b: null}])", '[1, "a", {b:null}]'),
        ("decimal(2.5, 0)", 2),
        ("round half up(2.5, 0)", 3),
        ("modulo(-12, 5)", 3),
        ("before(range: (1..3), point: 2)", False),
        ("before(range: (1..3), point: 4)", True),
        ("max(1, 2.5, 2)", Decimal("2.5")),
        ("week of year(@\"2021-01-03\")", 53),
        ('string(last day of month(@"2024-02-10"))', "2024-02-29"),
        ('string(now())', "2026-01-01T12:00:00Z"),
        ('string(today())', "2026-01-01"),
        ("range(\"[1..3)\").end", 3),
        ("string length(\"🐎ab\")", 3),
        ("{max: function(a) 99, r: max(1)}.r", 99),
    ],
)  # fmt: skip
def test_a_builtin_gives_its_value(evaluate: Evaluate, text: str, value: Value) -> None:
    assert evaluate(text, toolCall={"x": 5}) == Evaluation(value, (), None)


def test_chance_comes_from_the_port() -> None:
    expression = parse_expression("[uuid(), random number()]")
    assert expression.evaluate(NO_VARIABLES.get, 0, entropy=Dice()).value == [
        "abababab-abab-4bab-abab-abababababab",
        Decimal("0.5"),
    ]


def test_without_the_port_there_is_no_chance(evaluate: Evaluate) -> None:
    evaluation = evaluate("uuid()")
    assert evaluation.value is None
    assert evaluation.warnings[0].message == (
        "Failed to invoke function 'uuid': there is no source of randomness here"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('matches("a", "[")', "Invalid pattern '['"),
        ('replace("a", "a", "$1")', "Invalid pattern 'a'"),
        ("sublist([1], 0)", "start position must be a non-zero number"),
        ("partition([1], 0)", "'size' should be greater than zero but was '0'"),
        ('number("x")', "Can't parse 'x' as a number"),
        ("date(2026, 2, 30)", "Failed to parse date from: year=2026, month=2, day=30"),
        ('date("2026" + "-02-30")', "Failed to parse date from '2026-02-30'"),
        ("sum(1, null)", "expected number but found 'null'"),
        ('min(1, "a")', '[1, "a"] is not comparable'),
        ("sqrt(-1)", "'-1' is out of range"),
        ('cycle("a")',
         "cycle function expected an interval (duration) parameter, but found '\"a\"'"),
    ],
)  # fmt: skip
def test_a_builtin_that_cannot_says_why(evaluate: Evaluate, text: str, problem: str) -> None:
    evaluation = evaluate(text)
    name = text.partition("(")[0]
    assert evaluation.value is None
    assert [(warning.kind, warning.message) for warning in evaluation.warnings] == [
        ("FUNCTION_INVOCATION_FAILURE", f"Failed to invoke function '{name}': {problem}")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("modulo(1, 0)", "1 has no remainder for 0"),
        ("modulo(0.5, 0.0)", "0.5 has no remainder for 0.0"),
        ("log(0)", "log(0) is no number"),
        ("log(-1)", "log(-1) is no number"),
        ("exp(1000)", "exp(1000) is no number"),
        ("stddev([1])", "a single number has no standard deviation"),
        ('substring("abc", 5)', '"abc" has no such part'),
        ('substring("abc", -4, 2)', '"abc" has no such part'),
        ('substring("abc", 2, -1)', '"abc" has no such part'),
    ],
)
def test_what_fails_in_zeebe_is_a_failure(evaluate: Evaluate, text: str, problem: str) -> None:
    evaluation = evaluate(text)
    assert evaluation.value is None
    assert problem in (evaluation.failure or "")


def test_a_replacement_matters_only_where_something_matches(evaluate: Evaluate) -> None:
    assert evaluate('replace("abc", "z", "$1")').value == "abc"
    assert evaluate('replace("abc", "b", "$1")').value is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('date and time(@"2026-01-01T00:00:00", "../etc")', "'../etc' is no time zone"),
        ("{a: 1, r: x.f(1)}", "Expected context but found 'null'"),
        ("{c: {a: 1}, r: c.a(1)}", "No function found with name 'a' and 1 parameters"),
        ("{c: {f: function(x) x}, r: c.f()}", "No function found with name 'f' and 0 parameters"),
        ("0 ** -1", "0 ** -1 is no number"),
    ],
)
def test_some_calls_fail_instead_of_being_null(evaluate: Evaluate, text: str, problem: str) -> None:
    assert evaluate(text).failure == f"failed to evaluate expression '{text}': {problem}"
