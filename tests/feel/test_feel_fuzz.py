"""Whatever is written: it parses or is a FeelSyntaxError; what parses evaluates, and its value can
be written as JSON.

`GREVY_EXPRESSIONS` is how many random ones of `fuzz.py` there are, `GREVY_SEED` from which seed on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.feel import FeelSyntaxError, parse_expression, parse_unary_tests, to_json

ROOT: Final = Path(__file__).resolve().parents[2]
SEED: Final = int(os.environ.get("GREVY_SEED", "1"))
EXPRESSIONS: Final = int(os.environ.get("GREVY_EXPRESSIONS", "1200"))
PARTS: Final = 2
HASH_SEEDS: Final = ("0", "1", "4711")

DOCUMENTS = {
    "a": b"1",
    "b": b"2.50",
    "s": b'"text"',
    "t": b"true",
    "n": b"null",
    "xs": b'[1, null, "x", {"a": [1]}]',
    "c": b'{"a": {"b": 3}, "s": "y"}',
}
WORDS = """
item partial x y ? 1 0 -3 2.5 1e3 null true false + - * / ** = != < <= > >= and or in between if
then else for some every return satisfies ( ) [ ] { } : , . .. // /* ` # \\ é number list<number>
count( sort( replace( string( date( min( max( modulo( not( substring( before( duration( decimal(
matches( flatten( abs( @"2026-01-31" @"10:00:00Z" @"P1M" @"PT90M" "q" "
@"2026-01-31T10:00:00@Europe/Berlin"
"""
PHRASES = "\n|instance of|function(x, y)|context put(|date and time(|get value("
FRAGMENTS = [*DOCUMENTS, *WORDS.split(), *PHRASES.split("|")]
SOUP = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(" ".join)


LEAVES = """
1 0 2.5 -7 "q" null true [] {} missing c.a.b a b s t n xs c @"2026-01-31" @"10:00:00" @"P1M"
@"-PT9H" @"2026-03-29T02:30:00@Europe/Berlin"
"""
OPERATORS = "+ - * / ** = != < <= > >= and or in"
OF_ONE = """
count|sum|min|max|string|number|date|time|abs|floor|not|flatten|mean|median|mode|stddev|upper case
|is defined|get entries|day of week|to json|from json|odd|sqrt|exp|duration|cycle|range
"""
OF_TWO = """
modulo|concatenate|append|list contains|index of|get or else|decimal|contains|split|matches|before
|overlaps|starts|partition|remove|date and time|years and months duration|string join|substring
|get value|is
"""


def listed(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name.strip() for name in text.split("|" if "|" in text else None)])


def operand() -> st.SearchStrategy[str]:
    return st.recursive(listed(LEAVES), compound, max_leaves=12)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = listed(OPERATORS)
    functions = listed(OF_ONE)
    pairs = listed(OF_TWO)
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(functions, inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(pairs, inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"if {p[0]} then {p[1]} else {p[2]}"),
        st.tuples(inner, inner).map(lambda p: f"for x in [{p[0]}] return {p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"for x in ({p[0]})..({p[1]}) return x"),
        st.tuples(inner, inner).map(lambda p: f"some x in [{p[0]}] satisfies {p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"[{p[0]}, {p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"{{a: {p[0]}, b: {p[1]}}}"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]}) in [({p[1]})..({p[2]})]"),
        inner.map(lambda p: f"-({p})"),
        inner.map(lambda p: f"({p}).a"),
        inner.map(lambda p: f"({p}).time offset"),
    )


@settings(max_examples=400)
@given(SOUP)
def test_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    for parse in (parse_expression, parse_unary_tests):
        try:
            expression = parse(text)
        except FeelSyntaxError as raised:
            error = raised
        else:
            to_json(expression.evaluate(DOCUMENTS.get, 0).value)
            continue
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= len(text) + 1


@settings(max_examples=600)
@given(operand())
def test_what_parses_evaluates_and_can_be_written(text: str) -> None:
    try:
        expression = parse_expression(text)
    except FeelSyntaxError as error:
        if "nest" in error.expected:
            return
        raise
    first = expression.evaluate(DOCUMENTS.get, 0)
    assert (first.value is None) or first.failure is None
    assert to_json(first.value) == to_json(expression.evaluate(DOCUMENTS.get, 0).value)


@settings(max_examples=300)
@given(
    st.text(alphabet="ab.*+?()[]{}|\\^$1,-dwsp", max_size=20), st.text(alphabet="ab1 ", max_size=30)
)
def test_any_pattern_is_used_or_refused(pattern: str, text: str) -> None:
    expression = parse_expression("[matches(s, p), split(s, p), extract(s, p), replace(s, p, s)]")
    documents = {"s": f'"{text}"'.encode(), "p": to_json(pattern)}
    assert expression.evaluate(documents.get, 0).failure is None


@pytest.mark.parametrize("part", range(PARTS))
def test_random_expressions_give_the_same_in_every_process(part: int) -> None:
    count = EXPRESSIONS // PARTS
    command = [sys.executable, "-W", "error", "-m", "tests.feel.fuzz"]
    given = [
        subprocess.run(
            [*command, str(count), str(SEED + part * count)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in HASH_SEEDS
    ]
    assert given[0].startswith("to ")
    assert given == given[:1] * len(HASH_SEEDS)
