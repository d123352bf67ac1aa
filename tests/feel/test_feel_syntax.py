"""Errors of syntax: where, and what was expected; and what is none."""

from __future__ import annotations

import pytest

from grevy.feel import FeelSyntaxError, parse_expression, parse_unary_tests

NO_VARIABLES: dict[str, bytes] = {}


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, 1, "an expression"),
        ("1 +", 1, 4, "an expression"),
        ("1 + * 2", 1, 5, "an expression"),
        ("a b", 1, 3, "an operator or the end"),
        ("x == 2", 1, 4, "an expression"),
        ("x && y", 1, 3, "an operator or the end"),
        ("1 < 2 < 3", 1, 7, "'and', 'or'"),
        ("(1", 1, 3, "')'"),
        ("[1, 2", 1, 6, "',' or ']'"),
        ("[1,)", 1, 4, "an expression"),
        ("{a 1}", 1, 5, "':' after the key"),
        ("{a: 1", 1, 6, "',' or '}'"),
        ("f(1, 2", 1, 7, "',' or ')'"),
        ("f(a: 1, 2)", 1, 9, "the name of an argument"),
        ("if a then b", 1, 12, "'else'"),
        ("for x in y", 1, 11, "'return'"),
        ("some x in y", 1, 12, "'satisfies'"),
        ("x between 1", 1, 12, "'and'"),
        ("x instance number", 1, 12, "'of'"),
        ("x in [1..", 1, 10, "an expression"),
        ("x in [1..2", 1, 11, "']', ')' or '['"),
        ('"abc', 1, 1, 'a closing " for this one'),
        ("`abc", 1, 1, "a closing ` for this one"),
        ("1 /* 2", 1, 3, "'*/' after this comment"),
        ("1 +\n\n  *", 3, 3, "an expression"),
        ("a.", 1, 3, "a key"),
        ("and", 1, 1, "an expression"),
        ("function(x) external {java: {}}", 1, 13, "a body (there are no external functions)"),
    ],
)
def test_an_error_says_where_and_what_was_expected(
    text: str, line: int, column: int, expected: str
) -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression(text)
    error = caught.value
    assert (error.line, error.column, error.expected) == (line, column, expected)
    assert f"expected {expected} at line {line}, column {column}" in str(error)


def test_the_message_is_complete_by_itself() -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression("1 + * 2")
    assert str(caught.value) == (
        "failed to parse expression '1 + * 2': expected an expression "
        "at line 1, column 5, but found '* 2'"
    )


@pytest.mark.parametrize(
    "text", ["if", "for", "some", "every", "between", "instance", "item", "not", "date", "inner"]
)
def test_words_that_are_no_keywords_there_are_names(text: str) -> None:
    assert parse_expression(text).variables == {text}
    assert parse_expression(f"{text} + {text}.x").variables == {text}


@pytest.mark.parametrize("opening", ["(", "[", "{a:", "not(", "f(", "if ", "function(x) ", "-"])
def test_deep_nesting_is_a_clean_error(opening: str) -> None:
    with pytest.raises(FeelSyntaxError):
        parse_expression(opening * (60_000 // len(opening)))


def test_a_hundred_thousand_brackets_are_a_clean_error() -> None:
    with pytest.raises(FeelSyntaxError, match="at most 65536 characters") as caught:
        parse_expression("(" * 100_000 + "1" + ")" * 100_000)
    assert len(str(caught.value)) < 500


def test_some_nesting_is_fine() -> None:
    assert parse_expression("(" * 30 + "1" + ")" * 30).evaluate(NO_VARIABLES.get, 0).value == 1
    assert parse_expression("-" * 100 + "1").evaluate(NO_VARIABLES.get, 0).value == 1


def test_long_chains_are_flat() -> None:
    assert parse_expression("1" + " + 1" * 5_000).evaluate(NO_VARIABLES.get, 0).value == 5_001
    assert (
        parse_expression("true" + " and true" * 5_000).evaluate(NO_VARIABLES.get, 0).value is True
    )
    chain = "if a = 1 then 1 else " * 1_000 + "2"
    assert parse_expression(chain).evaluate({"a": b"3"}.get, 0).value == 2


@pytest.mark.parametrize("text", ["not(", "1,", "-1 -", "> ", "not(1))"])
def test_unary_tests_have_errors_too(text: str) -> None:
    with pytest.raises(FeelSyntaxError):
        parse_unary_tests(text)


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("1 + * 2", "1 + * 2\n    ^"),
        ("1 +", "1 +\n   ^"),
        ("a +\n\tb c\n+ 1", "\tb c\n\t  ^"),
        ("", "\n^"),
        ("1 +\r\n* 2\r\n", "* 2\n^"),
    ],
)
def test_the_excerpt_shows_the_place(text: str, excerpt: str) -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression(text)
    assert caught.value.excerpt == excerpt


def test_the_excerpt_of_a_long_line_is_cut() -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression("1 + " * 1_000 + "* 2" + " + 1" * 1_000)
    line, caret = caught.value.excerpt.split("\n")
    assert len(line) < 80
    assert line[len(caret) - 1] == "*"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x == 1", "two values are compared with one '='"),
        ("=x", "the '=' that marks an expression in a model is not part of it"),
        ("a && b", "conditions are joined by 'and'"),
        ("a || b", "conditions are joined by 'or'"),
        ("!a", "the opposite is not(…)"),
        ("not a", "the opposite is not(…)"),
        ("5 % 2", "what is left of a division is modulo(…, …)"),
        ("'a'", "texts stand in double quotes"),
        ("a ? b : c", "a choice is: if … then … else …"),
        ("@2026-01-31", 'dates and times stand in quotes: @"2026-01-31"'),
        ("price * 1,19", "decimals have a point"),
        ("1..5", "a range stands in brackets: [1..5]"),
        ("${x}", "an expression stands without #{ or ${"),
        ("#{x}", "an expression stands without #{ or ${"),
        ("x = = 1", ""),
        ("x >= = 1", ""),
        ("(1 + 2", ""),
        ("order..total", ""),
    ],
)
def test_what_other_languages_write_is_told(text: str, hint: str) -> None:
    with pytest.raises(FeelSyntaxError) as caught:
        parse_expression(text)
    assert caught.value.hint == hint
    assert str(caught.value).endswith(f" ({hint})" if hint else caught.value.found)
