"""Keys as bytes: the order of bytes is the order of keys, and no key's bytes begin another's."""

from __future__ import annotations

import struct
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grevy.protocol.limits import STATE_KEY_PART_BYTES_MAX
from grevy.state import BLOB, I64, TEXT, U64, Key, KeyOf

K = TypeVar("K")

NUMBERS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 255, 256, 2**32, 2**64 - 1])
SIGNED = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, 1, -(2**63), 2**63 - 1])
SHORT = STATE_KEY_PART_BYTES_MAX // 4
TEXTS = st.text(max_size=SHORT) | st.text("ab\0", max_size=6)
BLOBS = st.binary(max_size=SHORT) | st.lists(st.sampled_from([0, 1, 255]), max_size=6).map(bytes)
LONG = "x" * STATE_KEY_PART_BYTES_MAX


def check_order(shape: Key[K], one: K, other: K, *, is_less: bool, is_equal: bool) -> None:
    """Rows compare as keys do, and none begins another."""
    encode = shape.row_encoder(7)
    a, b = encode(one), encode(other)
    assert (a < b, a == b) == (is_less, is_equal), (one, other)
    assert is_equal or not (a.startswith(b) or b.startswith(a))


@given(NUMBERS, NUMBERS)
def test_numbers(one: int, other: int) -> None:
    check_order(U64, one, other, is_less=one < other, is_equal=one == other)


@given(SIGNED, SIGNED)
def test_signed_numbers(one: int, other: int) -> None:
    check_order(I64, one, other, is_less=one < other, is_equal=one == other)


@given(TEXTS, TEXTS)
def test_texts(one: str, other: str) -> None:
    check_order(TEXT, one, other, is_less=one < other, is_equal=one == other)


@given(BLOBS, BLOBS)
def test_blobs(one: bytes, other: bytes) -> None:
    check_order(BLOB, one, other, is_less=one < other, is_equal=one == other)


@given(st.tuples(TEXTS, TEXTS, NUMBERS), st.tuples(TEXTS, TEXTS, NUMBERS))
def test_three_parts(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    shape = KeyOf(TEXT, TEXT, U64)
    check_order(shape, one, other, is_less=one < other, is_equal=one == other)


@given(st.tuples(SIGNED, NUMBERS), st.tuples(SIGNED, NUMBERS))
def test_two_numbers(one: tuple[int, int], other: tuple[int, int]) -> None:
    check_order(KeyOf(I64, U64), one, other, is_less=one < other, is_equal=one == other)


@given(st.tuples(NUMBERS, NUMBERS, TEXTS), st.integers(0, 3))
def test_a_prefix_begins_its_keys(key: tuple[int, int, str], count: int) -> None:
    shape = KeyOf(U64, U64, TEXT)
    prefix = shape.prefix_encoder(7)(key[:count])
    assert shape.row_encoder(7)(key).startswith(prefix)
    other = (key[0] ^ 1, key[1], key[2])
    assert shape.row_encoder(7)(other).startswith(prefix) == (count == 0)


def test_long_texts_keep_apart_and_sort_by_their_beginning() -> None:
    encode = TEXT.row_encoder(1)
    texts = [LONG, LONG + "a", LONG + "b", LONG + "b" * 10_000, "w" + LONG, "y" + LONG]
    rows = [encode(text) for text in texts]
    assert len(set(rows)) == len(rows)
    assert max(map(len, rows)) < STATE_KEY_PART_BYTES_MAX + 32
    assert min(rows) == encode("w" + LONG)
    assert max(rows) == encode("y" + LONG)


@pytest.mark.parametrize(
    ("shape", "key"), [(U64, -1), (U64, 2**64), (I64, 2**63), (I64, -(2**63) - 1), (TEXT, "\ud800")]
)
def test_what_does_not_fit_is_no_other_key(shape: Key[object], key: object) -> None:
    with pytest.raises((struct.error, OverflowError, UnicodeEncodeError)):
        shape.row_encoder(1)(key)


def test_a_shape_that_could_exceed_the_backend_is_none() -> None:
    with pytest.raises(AssertionError, match="511"):
        KeyOf(TEXT, TEXT, KeyOf(TEXT, TEXT), KeyOf(TEXT, U64))
