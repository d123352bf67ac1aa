"""What is told by a pattern is what the parser says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.feel import FeelSyntaxError, parse_cell, parse_entry, short_cell, short_entry

PIECES = """
"a" "" "é, 1" "a\\nb" "\\" " 1 0 -1 -0 -0.0 007 2.50 -7.25 .5 1e3 1. true false null - -- , , ,
< <= > >= = != [ ] ( ) .. .. ... @"P1D" x // /*
""".replace("\n", " ").split(" ")
TEXTS = st.lists(st.sampled_from([*PIECES, " ", "\n", "\t", "\u00a0"]), max_size=9).map("".join)

CELLS = [
    "1", "-1", "- 1", '"a"', '"a","b" , 3', "true", "false", "null", "true, 1", "< 5", ">=-5.50",
    "<= 0", "[1..2]", "(1..2)", "]1..2[", "[ -1.5 .. 2.0 )", "[1..2", "-0", "-0.00", "1,",
    '"a" "b"',
]  # fmt: skip


def check(text: str) -> bool:
    """Whether either form is known."""
    cell, entry = short_cell(text), short_entry(text)
    if cell is not None:
        assert repr(parse_cell(text)) == repr(cell)
    if entry is not None:
        assert repr(parse_entry(text)) == repr(entry)
    return cell is not None or entry is not None


@settings(max_examples=1500)
@given(TEXTS)
def test_whatever_is_written(text: str) -> None:
    check(text.strip())


@pytest.mark.parametrize("text", CELLS)
def test_cells_and_entries(text: str) -> None:
    check(text)


def test_what_fills_tables_is_known() -> None:
    known = [text for text in CELLS if check(text)]
    assert {"1", "-1", '"a"', '"a","b" , 3', "< 5", "[1..2]", "true", ">=-5.50"} <= set(known)


@pytest.mark.parametrize("text", ["", " ", "1..2", '"a', "<", "[1..]", '"\\q'])
def test_what_is_wrong_is_left_to_the_parser(text: str) -> None:
    assert not check(text)
    with pytest.raises(FeelSyntaxError):
        parse_cell(text)


def test_long_texts_are_left_to_the_parser() -> None:
    assert not check("1" * 1_001)
    assert not check(f'"{"x" * 1_000}"')
