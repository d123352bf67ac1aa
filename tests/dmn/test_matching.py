"""The index over the rules of a table finds what a walk over all cells finds: the same rules, or
the same failure.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.dmn.models import NOW_MS, decision, document, evaluated, lookup_of, table

from grevy.dmn import read_dmn
from grevy.feel import Evaluation, parse_expression, parse_unary_tests

CONSTANTS = (
    *("0", "1", "1.0", "2.5", "-3", "10", "null", '"a"', '"b"', '"c"', '""'),
    *('date("2020-01-01")', '@"2020-02-01"', 'duration("P1D")', 'duration("PT24H")'),
    *('time("10:00:00")', 'time("10:00:00Z")', 'date and time("2020-01-01T00:00:00")'),
    *('date and time("2020-01-01T00:00:00Z")', 'date and time("2020-01-01T01:00:00+01:00")'),
)
INPUTS = (
    *CONSTANTS,
    *("true", "false", "2", "5", "1.5", "[1]", "{a: 1}", "[1..3]", "missing", '"bb"'),
)
OTHER_CELLS = (
    *("? > m", "m", "not(1)", 'not("a", "b")', "[1, 2]", "!= 1", "cellInput = m", "? = 1 or m = 1"),
    *("[1..m]", "assert(m, m != 2)", "assert(?, ? != 1)", "? ** 0.5 = 1", "true, 1", "not(true)"),
)

constants = st.sampled_from(CONSTANTS)
comparisons = st.builds(
    lambda op, c: f"{op} {c}", st.sampled_from(("<", "<=", ">", ">=", "=")), constants
)
ranges = st.builds(
    lambda opens, low, high, closes: f"{opens}{low}..{high}{closes}",
    st.sampled_from("[(]"),
    constants,
    constants,
    st.sampled_from("])["),
)
tests = st.one_of(constants, comparisons, ranges)
cells = st.one_of(
    st.sampled_from(("-", "", "true", "false")),
    tests,
    st.lists(tests, min_size=1, max_size=3).map(", ".join),
    st.sampled_from(OTHER_CELLS),
)
rows = st.integers(1, 3).flatmap(
    lambda width: st.tuples(
        st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8),
        st.lists(st.sampled_from(INPUTS), min_size=width, max_size=width),
    )
)


def outcome_of(cell: str, value: str, variables: dict[str, object]) -> Evaluation:
    """A cell on its own, as FEEL has it."""
    lookup = lookup_of(variables)
    given = parse_expression(value).evaluate(lookup, NOW_MS)
    tests = parse_unary_tests(cell or "-")
    return tests.evaluate(lookup, NOW_MS, bindings={"cellInput": given.value})


def walk(
    rules: Sequence[Sequence[str]], values: Sequence[str], variables: dict[str, object]
) -> list[int] | str:
    """The numbers of the rules that match, found cell by cell, or the failure of the first cell
    that fails.
    """
    found = []
    for number, row in enumerate(rules, 1):
        for cell, value in zip(row, values, strict=True):
            outcome = outcome_of(cell, value, variables)
            if outcome.failure is not None:
                return outcome.failure
            if outcome.value is not True:
                break
        else:
            found.append(number)
    return found


@given(rows, st.sampled_from((0, 1, 2, "a")))
@example(([["< 1, > 2.5, [0..10]"], ["(1..2.5), [1..1], 2.5"]], ["1"]), 1)
@example(([["assert(m, m != 2)", "1"], ["1", "assert(m, m != 2)"]], ["1", "2"]), 2)
@settings(max_examples=150, deadline=None)
def test_index_is_the_walk(case: tuple[list[list[str]], list[str]], m: object) -> None:
    rules, values = case
    variables = {"m": m}
    box = table(values, ["v"], [(row, ["1"]) for row in rules], "COLLECT")

    result = evaluated(document(decision("d", box)), m=m)

    expected = walk(rules, values, variables)
    if isinstance(expected, str):
        assert result.failure.endswith(expected)
    else:
        assert not result.failure
        assert [rule.rule_index for rule in result.evaluated[0].matched_rules] == expected


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=60, max_size=120),
    st.lists(st.integers(-1, 41), min_size=5, max_size=5),
)
@settings(max_examples=20, deadline=None)
def test_many_ranges_in_one_order(bounds: list[tuple[int, int]], inputs: list[int]) -> None:
    box = table(["n"], ["v"], [([f"[{low}..{high})"], ["1"]) for low, high in bounds], "COLLECT")
    graph = read_dmn(document(decision("d", box)))
    for n in inputs:
        result = graph.evaluate("d", lookup_of({"n": n}), NOW_MS)
        found = [rule.rule_index for rule in result.evaluated[0].matched_rules]
        assert found == [at for at, (low, high) in enumerate(bounds, 1) if low <= n < high]


@pytest.mark.parametrize(
    ("cell", "matching"),
    [
        ("-", [None, True, 1, "a", [1]]),
        ("", [None, True, 1, "a", [1]]),
        ("true", [True]),
        ("null", [None]),
        ("1, null", [None, 1]),
        ("1.00", [1]),
        ('"a"', ["a"]),
        ("< 2", [1]),
        ("[1..1]", [1]),
        ('>= "a"', ["a"]),
        ("(1..2)", []),
        ("[5..1]", []),
        ('["a"..2]', []),
        ("[1]", [1, [1]]),
    ],
)
def test_cells(cell: str, matching: list[object]) -> None:
    graph = read_dmn(document(decision("d", table(["n"], ["v"], [([cell], ["1"])]))))
    values: list[object] = [None, True, 1, "a", [1]]
    found = [
        value
        for value in values
        if graph.evaluate("d", lookup_of({"n": value}), NOW_MS).output == b"1"
    ]
    assert msgspec.json.encode(found) == msgspec.json.encode(matching)


def test_short_rows_hold_for_any_value_of_the_rest() -> None:
    box = table(["n", "m"], ["v"], [(["1"], ["4"]), (["2", "3"], ["5"])])
    assert evaluated(document(decision("d", box)), n=1, m=9).output == b"4"
