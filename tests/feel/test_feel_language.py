"""The language: what expressions mean, what is null, and what is warned of."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from grevy.feel import (
    Duration,
    Evaluation,
    FeelDate,
    FeelWarning,
    Value,
    parse_expression,
    parse_unary_tests,
    to_json,
    type_name,
)

NO_VARIABLES: dict[str, bytes] = {}

Evaluate = Callable[..., Evaluation]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ** 3 ** 2", 64),
        ("-2 ** 2", 4),
        ("10 - 4 - 3", 3),
        ("not(1 = 2) and true", True),
        ("true or false and false", True),
        ("if 1 > 2 then 1 else if 2 > 1 then 2 else 3", 2),
        ("1 in [1..3]", True),
        ("3 in [1..3)", False),
        ("3 in (1, 2, > 2)", True),
        ("5 in ? > 1 and ? < 6", True),
        ("2 in ]1..3[", True),
        ('"b" in ["a", "b"] and 1 = 2', False),
        ("2 between 1 and 3 and true", True),
        ("{a: 1, b: a + 1}.b", 2),
        ("[{a: 1}, {a: 2}].a", [1, 2]),
        ("[1, 2, 3][-1]", 3),
        ("[1, 2, 3][item > 1]", [2, 3]),
        ("[{a: 1}, {a: 2}][a = 2]", [{"a": 2}]),
        ("for x in 1..3 return x * 2", [2, 4, 6]),
        ("for x in 3..1 return x", [3, 2, 1]),
        ("for x in [1, 2], y in [x, 10] return x + y", [2, 11, 4, 12]),
        ("for i in 0..4 return if i = 0 then 1 else i * partial[-1]", [1, 1, 2, 6, 24]),
        ("some x in [1, 2], y in [2, 3] satisfies x > y", False),
        ("every x in [] satisfies x", True),
        ("{f: function(a, b) a - b, r: f(b: 1, a: 3)}.r", 2),
        ("{twice: function(f, x) f(f(x)), r: twice(function(n) n + 1, 5)}.r", 7),
        ("(function(x) x * 2)(4)", 8),
        ("{m: {f: function(x) x * 2}, r: m.f(4)}.r", 8),
        ('string length("abc") + 1', 4),
        ('get value({"a b": 1}, "a b")', 1),
        ("{a+b: 1, `c d`: 2}.`c d`", 2),
        ("1 /* one */ + // and\n 2", 3),
        ("[1] instance of list<number>", True),
        ('{a: "x"} instance of context<a: number>', False),
        ('@"P1D" instance of days and time duration', True),
    ],
)
def test_an_expression_gives_its_value(evaluate: Evaluate, text: str, value: Value) -> None:
    assert evaluate(text) == Evaluation(value, (), None)


@pytest.mark.parametrize(
    ("text", "value", "kind", "message"),
    [
        ("x", None, "NO_VARIABLE_FOUND", "No variable found with name 'x'"),
        ("x.y.z", None, "NO_VARIABLE_FOUND", "No variable found with name 'x'"),
        ("{a: 1}.b", None, "NO_CONTEXT_ENTRY_FOUND",
         "No context entry found with key 'b'. Available keys: 'a'"),
        ("{}.b", None, "NO_CONTEXT_ENTRY_FOUND",
         "No context entry found with key 'b'. The context is empty"),
        ('@"P1Y".days', None, "NO_PROPERTY_FOUND",
         "No property found with name 'days' of value 'P1Y'. "
         "Available properties: 'years', 'months'"),
        ('1 < "a"', None, "NOT_COMPARABLE", "Can't compare '1' with '\"a\"'"),
        ('1 = "a"', None, "NOT_COMPARABLE", "Can't compare '1' with '\"a\"'"),
        ('1 + "a"', None, "INVALID_TYPE", "Can't add '\"a\"' to '1'"),
        ("1 / 0", None, "INVALID_TYPE", "Can't divide '1' by '0'"),
        ("-true", None, "INVALID_TYPE", "Expected number but found 'true'"),
        ("true and 1", None, "INVALID_TYPE", "Expected boolean but found '1'"),
        ("if null then 1 else 2", 2, "INVALID_TYPE", "Expected boolean but found 'null'"),
        ("5[1]", None, "INVALID_TYPE", "Expected list but found '5'"),
        ("for x in 5 return x", None, "INVALID_TYPE", "Expected list but found '5'"),
        ("for x in 1..null return x", None, "INVALID_TYPE", "Expected number but found 'null'"),
        ("nothing(1)", None, "NO_FUNCTION_FOUND",
         "No function found with name 'nothing' and 1 parameters"),
        ("abs(x: 1)", None, "NO_FUNCTION_FOUND",
         "No function found with name 'abs' and parameters: x"),
        ('abs("a")', None, "FUNCTION_INVOCATION_FAILURE",
         "Failed to invoke function 'abs': Illegal arguments: '\"a\"'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_null_with_a_warning(
    evaluate: Evaluate, text: str, value: Value, kind: str, message: str
) -> None:
    assert evaluate(text) == Evaluation(value, (FeelWarning(kind, message),), None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x = null", True),
        ("null or true", True),
        ("null and false", False),
        ("[1, null] = [1, null]", True),
        ("[1] = [true]", False),
        ("{a: 1, b: 2} = {b: 2, a: 1.0}", True),
        ("1 = 1.0", True),
        ('@"2026-01-01T12:00:00Z" = @"2026-01-01T13:00:00+01:00"', True),
        ('@"12:00:00Z" = @"13:00:00+01:00"', False),
    ],
)
def test_equality_is_lenient_with_null_and_strict_with_types(
    evaluate: Evaluate, text: str, value: bool
) -> None:
    assert evaluate(text).value is value


def test_numbers_are_decimals_of_34_digits(evaluate: Evaluate) -> None:
    assert evaluate("0.1 + 0.2").value == Decimal("0.3")
    assert str(evaluate("2 / 3").value) == "0.6666666666666666666666666666666667"
    assert str(evaluate("1.10 + 1.20").value) == "2.30"
    assert str(evaluate("10 ** 20 * 10 ** 25").value) == "1.000000000000000000000000000000000E+45"
    assert type(evaluate("10 / 2").value) is int
    assert str(evaluate("-0.0").value) == "0.0"


def test_a_filter_sees_entries_of_the_item_before_variables(evaluate: Evaluate) -> None:
    assert evaluate("xs[a > limit]", xs=[{"a": 1}, {"a": 5}], a=9, limit=3).value == [{"a": 5}]
    assert evaluate("xs[b > limit]", xs=[{"a": 1}], b=9, limit=3).value == [{"a": 1}]
    assert evaluate("xs[i]", xs=["p", "q"], i=2).value == "q"


def test_only_what_is_read_is_looked_up() -> None:
    asked: list[str] = []

    def lookup(name: str) -> bytes | None:
        asked.append(name)
        return {"a": b"true", "b": b"2", "c": b"3"}.get(name)

    evaluation = parse_expression("if a then b + b else c").evaluate(lookup, 0)
    assert evaluation.value == 4
    assert asked == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.b + c", {"a", "c"}),
        ("for x in xs return x + y + partial[1]", {"xs", "y"}),
        ("some x in xs satisfies x = y", {"xs", "y"}),
        ("xs[item > limit]", {"xs", "limit"}),
        ("xs[price > 1]", {"xs", "price"}),
        ("{a: b, c: a + d}", {"b", "d"}),
        ("function(x) x + y", {"y"}),
        ("x in (y, > z)", {"x", "y", "z"}),
        ("count(list: xs)", {"xs"}),
        ("1", set()),
    ],
)
def test_variables_are_known_at_compile_time(text: str, names: set[str]) -> None:
    assert parse_expression(text).variables == names


def test_unary_tests_read_the_input() -> None:
    assert parse_unary_tests("> x").variables == {"cellInput", "x"}


@pytest.mark.parametrize(
    ("text", "value", "outcome"),
    [
        ("-", 5, True),
        ("5", 5, True),
        ("3, 5", 5, True),
        ("> 3", 5, True),
        ("[1..4]", 5, False),
        ("not(3, 5)", 5, False),
        ("not([1..3])", 5, True),
        ("true", False, False),
        ("[4, 5]", 5, True),
        ("? > 3 and ? < 6", 5, True),
        ("odd(?)", 5, True),
        ('< "a"', 5, None),
        ("= 5", 5, True),
        ("!= 5", 5, False),
        ("not(odd(4)) and ? = 5", 5, True),
        ("null", None, True),
    ],
)
def test_unary_tests_test_the_input(
    test_input: Evaluate, text: str, value: object, outcome: object
) -> None:
    assert test_input(text, value).value is outcome


def test_a_range_is_a_value_where_a_test_makes_no_sense(evaluate: Evaluate) -> None:
    assert evaluate("before([1..3], 5)").value is True
    assert evaluate("{r: [1..3]}.r.end").value == 3
    assert to_json(evaluate("{r: [1..3]}").value) == b'{"r":null}'
    assert evaluate("5 in r", r=5).value is True


def test_names_of_several_words_can_be_announced() -> None:
    documents = {"Full Name": b'"Ada"', "a-b": b"3"}
    expression = parse_expression('"Hello " + Full Name', names=documents)
    assert expression.variables == {"Full Name"}
    assert expression.evaluate(documents.get, 0).value == "Hello Ada"
    assert parse_expression("a-b + 1", names=documents).evaluate(documents.get, 0).value == 4


def test_bindings_are_values_already() -> None:
    evaluation = parse_expression("due + period").evaluate(
        lambda _name: b"1", 0, bindings={"due": FeelDate(0), "period": Duration(86_400 * 10**9)}
    )
    assert evaluation.value == FeelDate(1)


def test_bound_functions_can_be_called() -> None:
    add = parse_expression("function(a, b) a + b").evaluate(lambda _name: None, 0).value
    evaluation = parse_expression("add(1, b: 2)".replace("b: ", "")).evaluate(
        lambda _name: None, 0, bindings={"add": add}
    )
    assert evaluation.value == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("null", "NULL"),
        ("true", "BOOLEAN"),
        ("1.5", "NUMBER"),
        ('"a"', "STRING"),
        ("[]", "ARRAY"),
        ("{}", "OBJECT"),
        ('@"2026-01-01"', "DATE"),
        ('@"2026-01-01T00:00:00"', "DATE_TIME"),
        ('@"10:00:00"', "UNKNOWN"),
        ('@"PT1H"', "DURATION"),
        ('@"P1Y"', "PERIOD"),
        ("function() 1", "UNKNOWN"),
    ],
)
def test_type_names_are_zeebes(evaluate: Evaluate, text: str, name: str) -> None:
    assert type_name(evaluate(text).value) == name


def test_a_failed_assertion_is_a_failure(evaluate: Evaluate) -> None:
    evaluation = evaluate('1 + assert(x, x > 3, "too small")', x=2)
    assert evaluation.value is None
    assert evaluation.failure == (
        "Assertion failure on evaluate the expression "
        "'1 + assert(x, x > 3, \"too small\")': too small"
    )
    assert evaluation.warnings == (FeelWarning("ASSERT_FAILURE", "too small"),)


@pytest.mark.parametrize(
    "text", ["0 ** -7", "0.0 ** -7", "0 ** -0.5", "(-8) ** 0.5", "10 ** 400.5"]
)
def test_a_power_that_is_no_number_is_a_failure(evaluate: Evaluate, text: str) -> None:
    evaluation = evaluate(text)
    assert evaluation.value is None
    assert evaluation.failure is not None
    assert "is no number" in evaluation.failure


def test_the_input_symbol_outside_of_a_test_is_a_failure(evaluate: Evaluate) -> None:
    assert "No input value available" in (evaluate("? + 1").failure or "")


def test_an_expression_can_be_evaluated_again_and_again() -> None:
    expression = parse_expression("a + 1")
    assert expression.evaluate({"a": b"1"}.get, 0).value == 2
    assert expression.evaluate({"a": b"2"}.get, 0).value == 3
    assert expression.evaluate(NO_VARIABLES.get, 0).value is None


@pytest.mark.parametrize(
    ("text", "value", "outcome"),
    [
        ("true", False, False),
        ("false", False, True),
        ("not(true)", False, False),
        ("not(false)", True, True),
        ("true, 1", False, True),
        ("1, true", False, None),
        ("1, true", True, True),
    ],
)
def test_a_boolean_is_compared_only_where_it_ends_the_text(
    test_input: Evaluate, text: str, value: object, outcome: bool | None
) -> None:
    assert test_input(text, value).value is outcome


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("false in true", False),
        ("[false in true]", [True]),
        ("2 in [[1..2[]", False),
        ("[1 in [1..2[]", [True]),
        ("1 in [1..2[", True),
        ("string({a: 1, f: function(x) x})", "{a:1}"),
        ('string(duration("-PT1.5S"))', "-PT2S"),
        ('duration("PT10S") / duration("PT3S")', 3),
        ('duration("P1Y") / duration("-P5M")', -2),
        ('duration("pt1,5s") > duration("PT1S")', True),
        ('string(@"1700-01-01T10:10:10@Australia/Melbourne".time offset)', "PT9H39M52S"),
        ('string(@"-2021-01-01T10:10:10@Australia/Melbourne".time offset)', "PT9H39M52S"),
        ('string(@"9999-01-01T10:10:10@Australia/Melbourne".time offset)', "PT11H"),
        ("{r: ]1..5], s: r.start included}.s", False),
        ("string(sqrt(10 ** 30))", "1.0E+15"),
    ],
)
def test_what_zeebe_means_by(evaluate: Evaluate, text: str, value: Value) -> None:
    assert evaluate(text).value == value
