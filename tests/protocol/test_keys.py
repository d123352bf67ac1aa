"""Keys and message hashes are what users of Zeebe know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grevy.protocol.keys import (
    KEY_BITS,
    PARTITIONS_MAX,
    key_of,
    partition_of,
    partition_of_correlation_key,
)


@pytest.mark.parametrize(
    ("partition_id", "first"),
    [(1, 2251799813685249), (2, 4503599627370497), (3, 6755399441055745)],
)
def test_first_keys(partition_id: int, first: int) -> None:
    assert key_of(partition_id, 1) == first


@given(st.integers(1, PARTITIONS_MAX), st.integers(1, (1 << KEY_BITS) - 1))
def test_a_key_tells_its_partition_and_fits_a_long(partition_id: int, counter: int) -> None:
    key = key_of(partition_id, counter)
    assert partition_of(key) == partition_id
    assert key < 1 << 63


@pytest.mark.parametrize(("partition_id", "counter"), [(0, 1), (4096, 1), (1, 0), (1, 1 << 51)])
def test_no_other_keys_are_given_out(partition_id: int, counter: int) -> None:
    with pytest.raises(AssertionError):
        key_of(partition_id, counter)


@pytest.mark.parametrize("key", [-1, 0, 99])
def test_keys_that_no_partition_gave_out(key: int) -> None:
    assert partition_of(key) == 0


def java_hash(text: str) -> int:
    """`String.hashCode`: the same polynomial over UTF-16 units."""
    units = text.encode("utf-16-be")
    h = 0
    for i in range(0, len(units), 2):
        h = (31 * h + int.from_bytes(units[i : i + 2])) & 0xFFFFFFFF
    return h - (1 << 32) if h >> 31 else h


def java_partition(text: str, count: int) -> int:
    return abs(java_hash(text)) % count + 1


@given(st.text(st.characters(max_codepoint=127)), st.integers(1, 50))
def test_ascii_correlation_keys_hash_as_java_strings(key: str, count: int) -> None:
    assert partition_of_correlation_key(key, count) == java_partition(key, count)


@given(st.text(), st.integers(1, PARTITIONS_MAX))
def test_every_correlation_key_has_a_partition(key: str, count: int) -> None:
    assert 1 <= partition_of_correlation_key(key, count) <= count


@pytest.mark.parametrize(
    ("key", "count", "partition"),
    [
        ("", 3, 1),
        ("a", 3, 97 % 3 + 1),
        ("order-1", 3, java_partition("order-1", 3)),
        # UTF-8 C3 A4 as signed bytes: -61 * 31 - 92 = -1983; Java hashes the one unit 228.
        ("ä", 100, 84),
        # A hash of -2147483648 has no positive twin in 32 bits; the remainder comes first.
        ("polygenelubricants", 3, 2147483648 % 3 + 1),
    ],
)
def test_known_correlation_keys(key: str, count: int, partition: int) -> None:
    assert partition_of_correlation_key(key, count) == partition


def test_umlauts_do_not_hash_as_java_strings() -> None:
    assert java_partition("ä", 100) == 29
    assert partition_of_correlation_key("ä", 100) != java_partition("ä", 100)
