"""Sessions, and what of FEEL needs no evaluation."""

from __future__ import annotations

import pytest

from grevy.feel import (
    Constant,
    ConstantTests,
    EvaluationFailed,
    Expression,
    FeelRange,
    FeelSyntaxError,
    Session,
    parse_cell,
    parse_entry,
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("-", ConstantTests(is_any=True)),
        ("1", ConstantTests(values=(1,))),
        ("-1", ConstantTests(values=(-1,))),
        ("true", ConstantTests(values=(True,))),
        ('"a", true', ConstantTests(values=("a", True))),
        ('"a", null', ConstantTests(values=("a", None))),
        ("< 5", ConstantTests(ranges=(FeelRange(None, 5, False, False),))),
        (">= 5", ConstantTests(ranges=(FeelRange(5, None, True, False),))),
        ("[1..2)", ConstantTests(ranges=(FeelRange(1, 2, True, False),))),
        ("1, > 2", ConstantTests(values=(1,), ranges=(FeelRange(2, None, False, False),))),
    ],
)
def test_cells_of_constants(text: str, tests: ConstantTests) -> None:
    assert parse_cell(text) == tests


@pytest.mark.parametrize("text", ["n", "not(1)", "? > 1", "!= 1", "1, n", "[1..n]", "true, 1"])
def test_other_cells(text: str) -> None:
    assert isinstance(parse_cell(text), Expression)


def test_entries() -> None:
    assert parse_entry('"a"') == Constant("a")
    assert parse_entry("null") == Constant(None)
    assert isinstance(parse_entry("1 + 1"), Expression)
    with pytest.raises(FeelSyntaxError):
        parse_entry("")


def test_a_session_decodes_a_variable_once() -> None:
    asked = []

    def lookup(name: str) -> bytes | None:
        asked.append(name)
        return b"2"

    session = Session(lookup, 0, steps=100)
    scope = session.scope({"a": 1})
    assert session.evaluate(parse_expression("a + n"), scope) == 3
    assert session.evaluate(parse_expression("n + n"), session.scope({}, scope)) == 4
    assert asked == ["n"]


def test_a_session_has_one_budget() -> None:
    session = Session(lambda _: None, 0, steps=2_000)
    loop = parse_expression("count(for i in 1..200 return i)")
    assert session.evaluate(loop, session.root) == 200
    longer = parse_expression("count(for i in 1..1900 return i)")
    with pytest.raises(EvaluationFailed, match="steps"):
        session.evaluate(longer, session.root)
    with pytest.raises(EvaluationFailed):
        session.charge(1)


def test_a_failure_leaves_the_depth_as_it_was() -> None:
    session = Session(lambda _: None, 0, steps=1_000_000)
    failing = parse_expression("assert(1, 1 + 1 = 3)")
    for _ in range(200):
        with pytest.raises(EvaluationFailed, match="Assertion failure"):
            session.evaluate(failing, session.root)
        with pytest.raises(EvaluationFailed, match="nest deeper"), session.deeper(1_000):
            pass
    assert session.evaluate(parse_expression("1 + 1"), session.root) == 2
