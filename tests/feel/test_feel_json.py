"""Values from JSON and to JSON, as Zeebe exports them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grevy.feel import Evaluation, FeelFormatError, Value, from_json, to_json
from grevy.feel.decimals import from_float

Evaluate = Callable[..., Evaluation]


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (Decimal("3.00"), "3"),
        (Decimal("0.1"), "0.1"),
        (Decimal(1) / Decimal(3), "0.3333333333333333"),
        (2**63, str(-(2**63))),
        (-(2**63) - 1, str(2**63 - 1)),
        (Decimal("1E+30"), "5076944270305263616"),
        (Decimal("1E+100"), "0"),
        ("größe/\n\u2028", '"größe/\\n\u2028"'),
        ("\ud800x", '"\ufffdx"'),
        ([1, {"b": [], "a": {}}], '[1,{"b":[],"a":{}}]'),
    ],
)
def test_values_become_compact_json(value: Value, json: str) -> None:
    assert to_json(value).decode() == json


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("[@\"PT90M\", @\"P14M\", @\"2026-01-01\"]", '["PT1H30M","P1Y2M","2026-01-01"]'),
        ("{r: [1..3], f: function(x) x}", '{"r":null}'),
        ("[function(x) x]", "[null]"),
        ("[0.001, 0.00099, 1234567.5, -12345678.5]", "[0.001,9.9E-4,1234567.5,-1.23456785E7]"),
        ("{e: 1, d: 2, c: 3, b: 4}", '{"e":1,"d":2,"c":3,"b":4}'),
        ("{e: 1, d: 2, c: 3, b: 4, a: 5}", '{"e":1,"a":5,"b":4,"c":3,"d":2}'),
        ('context put({a: 1, b: 2, c: 3, d: 4}, "e", 5)', '{"e":5,"a":1,"b":2,"c":3,"d":4}'),
        ("{c: 1, a: 2, b: 3}", '{"c":1,"a":2,"b":3}'),
    ],
)  # fmt: skip
def test_what_json_lacks_becomes_text_or_null(evaluate: Evaluate, text: str, json: str) -> None:
    assert to_json(evaluate(text).value).decode() == json


def test_whole_numbers_are_read_exactly_and_others_as_doubles() -> None:
    value = from_json(b"[1, 1.50, 0.1, 12345678901234567890123, 1e5, 1e21, 0.00001, -0.0]")
    assert isinstance(value, list)
    assert [str(number) for number in value] == [
        "1", "1.5", "0.1", "12345678901234567890123", "100000.0", "1.0E+21", "0.000010", "0.0",
    ]  # fmt: skip
    assert type(value[0]) is int


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{1,9}", fullmatch=True))
def test_a_number_that_is_read_as_it_is_written_is_that_of_its_double(text: str) -> None:
    assert str(from_json(text)) == str(from_float(float(text)))


@pytest.mark.parametrize("raw", [b"", b"{", b"[1,]", b"nul", b'"\xff"', b"1e999", b"{1:2}"])
def test_what_is_no_json_is_an_error(raw: bytes) -> None:
    with pytest.raises(FeelFormatError):
        from_json(raw)


TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_goes_there_and_back(value: Value) -> None:
    assert from_json(to_json(value)) == value
