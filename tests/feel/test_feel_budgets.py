"""Every evaluation ends: what would take too long, too deep or too much is a failure, with its
limit named.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from grevy.feel import (
    Evaluation,
    FeelFormatError,
    FeelSyntaxError,
    from_json,
    parse_expression,
    to_json,
)
from grevy.protocol import limits

NO_VARIABLES: dict[str, bytes] = {}

Evaluate = Callable[..., Evaluation]

LAUGHS = (
    "{a: [1,1,1,1,1,1,1,1,1,1], b: [a,a,a,a,a,a,a,a,a,a], c: [b,b,b,b,b,b,b,b,b,b], "
    "d: [c,c,c,c,c,c,c,c,c,c], e: [d,d,d,d,d,d,d,d,d,d], f: [e,e,e,e,e,e,e,e,e,e], "
    "g: [f,f,f,f,f,f,f,f,f,f], h: [g,g,g,g,g,g,g,g,g,g]}"
)
DOUBLED = 'for i in 1..40 return if i = 1 then "ab" else partial[-1] + partial[-1]'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("for x in 1..1000000000 return x", "a list has more than 100000 items"),
        ("for a in 1..1000, b in 1..1000 return 1", "it takes more than 500000 steps"),
        ("some a in 1..90000, b in 1..90000 satisfies false", "it takes more than 500000 steps"),
        ("for i in 1..50000 return partial", "it takes more than 500000 steps"),
        (DOUBLED, "a string has more than 1048576 characters"),
        (LAUGHS, "its result is too large"),
        (f"string({LAUGHS})", "a string has more than 1048576 characters"),
        (f"to json({LAUGHS})", "its result is too large"),
        (f"count(flatten({LAUGHS}.h))", "it takes more than 500000 steps"),
        (f"{LAUGHS}.h = {LAUGHS}.h", "it takes more than 500000 steps"),
        ("for i in 1..300 return {x: partial[-1]}", "a value nests deeper than 200"),
        ("{f: function(g, n) g(g, n + 1), r: f(f, 0)}.r", "its calls nest deeper than 160"),
        ("{f: function(g, n) if n = 0 then 0 else g(g, n - 1) + g(g, n - 1), r: f(f, 25)}.r",
         "it takes more than 500000 steps"),
        ("sort(for i in 1..30000 return modulo(i * 7919, 10007), function(a, b) a > b)",
         "it takes more than 500000 steps"),
    ],
)  # fmt: skip
def test_what_has_no_end_is_ended(evaluate: Evaluate, text: str, reason: str) -> None:
    evaluation = evaluate(text)
    assert evaluation.value is None
    assert evaluation.failure is not None
    assert evaluation.failure.endswith(reason)


def test_failures_do_not_repeat_long_expressions(evaluate: Evaluate) -> None:
    evaluation = evaluate(f"count(flatten({LAUGHS}.h))")
    assert evaluation.failure is not None
    assert len(evaluation.failure) < 400


def test_warnings_are_limited_in_number_and_length(evaluate: Evaluate) -> None:
    evaluation = evaluate("xs[item > 1]", xs=["x" * 10_000] * 1_000)
    assert evaluation.value == []
    assert len(evaluation.warnings) == limits.FEEL_WARNINGS_MAX
    assert all(len(warning.message) < 400 for warning in evaluation.warnings)


def test_ordinary_lists_are_within_the_budget(evaluate: Evaluate) -> None:
    assert evaluate("count(for x in 1..100000 return x)").value == 100_000
    assert evaluate("count(distinct values(xs))", xs=list(range(20_000))).value == 20_000
    assert evaluate("count(xs[item <= 5000])", xs=list(range(1, 10_001))).value == 5_000


def test_json_that_nests_too_deep_is_a_failure() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    evaluation = parse_expression("x").evaluate(lambda _name: deep, 0)
    assert evaluation.value is None
    assert "the variable 'x' is the JSON nests too deep" in (evaluation.failure or "")
    with pytest.raises(FeelFormatError):
        from_json(deep)


def test_a_value_that_nests_too_deep_is_no_result() -> None:
    deep = from_json(b"[" * 300 + b"]" * 300)
    with pytest.raises(FeelFormatError, match="nests deeper than 200"):
        to_json(deep)
    document = json.dumps(deep).encode()
    for text in ("x", "x.a", "x = x", "[x]", "list contains([x], x)"):
        evaluation = parse_expression(text).evaluate(lambda _name: document, 0)
        assert "nests deeper than 200" in (evaluation.failure or ""), text


def test_the_budget_does_not_depend_on_pythons_stack() -> None:
    expression = parse_expression("{f: function(g, n) g(g, n + 1), r: f(f, 0)}.r")

    def from_depth(depth: int) -> Evaluation:
        return from_depth(depth - 1) if depth else expression.evaluate(NO_VARIABLES.get, 0)

    assert from_depth(0) == from_depth(300)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("(a+)+$", "a" * 40 + "b", False),
        ("(a|a)*$", "a" * 40 + "b", True),
        ("(a|ab)*!", "ab" * 40 + "c", False),
        ("(a?){40}a{40}", "a" * 40, True),
        ("a?" * 30 + "a" * 30, "a" * 30, True),
        (r"^(\w+\s?)*$", "a" * 40 + "!", False),
        ("a*a*a*a*a*a*b", "a" * 400, False),
        ("(x+x+)+y", "x" * 40, False),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 40, False),
        ("[a-z]*x[0-9]", "a" * 100_000, False),
    ],
)
def test_patterns_that_could_explode_do_not(
    evaluate: Evaluate, pattern: str, text: str, matches: bool
) -> None:
    evaluation = evaluate("matches(text, pattern)", text=text, pattern=pattern)
    assert evaluation.value is matches


def test_what_no_matcher_can_bound_is_refused(evaluate: Evaluate) -> None:
    evaluation = evaluate("matches(text, pattern)", text="a" * 40, pattern=r"((a+)\2?)+b")
    assert evaluation.value is None
    assert "it could take too long" in evaluation.warnings[0].message


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("^[a-z]+@[a-z]+[.][a-z]+$", "someone@example.org", True),
        ("^[a-z]+@[a-z]+[.][a-z]+$", "a" * 3_000 + "@b", False),
        ("^([a-z]+,)*$", "abc," * 1_000, True),
        (r"^\d{4}-\d{2}-\d{2}$", "2026-01-01", True),
        ("^(foo|bar)+$", "foobarfoo", True),
        (r"^\+?[0-9 ]{6,20}$", "+49 30 123456", True),
        ("a.*b.*c", "a--b--c" * 10, True),
    ],
)
def test_ordinary_patterns_are_not_refused(
    evaluate: Evaluate, pattern: str, text: str, is_match: bool
) -> None:
    assert evaluate("matches(text, pattern)", text=text, pattern=pattern).value is is_match


def test_numbers_cannot_be_made_to_take_forever(evaluate: Evaluate) -> None:
    for text in ("10 ** 999999 * 10 ** 999999", "2 ** 1000000000", '@"PT1H" * 10 ** 300'):
        assert evaluate(text).value is None
    assert to_json(evaluate("10 ** 999999").value) == b"0"
    assert evaluate('floor(number("1e999999"))').value is None
    assert evaluate('even(number("1e999999"))').value is True


@pytest.mark.parametrize("form", ["for {} return 1", "some {} satisfies true"])
def test_iterators_are_loops_in_loops(evaluate: Evaluate, form: str) -> None:
    few, many = (", ".join(f"x{n} in [1]" for n in range(count)) for count in (100, 1_000))
    assert evaluate(form.format(few)).failure is None
    with pytest.raises(FeelSyntaxError, match="operations nested"):
        parse_expression(form.format(many))


def test_numbers_have_a_longest_text(evaluate: Evaluate) -> None:
    """To calculate with a million digits, or to write them, takes minutes."""
    longest = "9" * limits.FEEL_NUMBER_CHARS_MAX
    for text in (longest, f"number(s) - {longest}", "number(s)"):
        assert evaluate(text, s=longest).value is not None
    with pytest.raises(FeelSyntaxError, match="1000 characters in a number at line 1, column 5"):
        parse_expression(f"1 + {longest}9")
    too_long = evaluate("number(s)", s=longest + "9")
    assert too_long.value is None
    assert "more than 1000 characters" in too_long.warnings[0].message
