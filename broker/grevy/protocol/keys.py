"""Keys and positions: the integers that identify things, and how a key tells its partition."""

from __future__ import annotations

from typing import Final, NewType

Key = NewType("Key", int)
"""Identity of an entity for life: `partition << 51 | counter`; -1 where there is none."""

Position = NewType("Position", int)
"""Number of a record in its partition's log stream, from 1; grows by one a record."""

PartitionId = NewType("PartitionId", int)
"""1-based."""

KEY_BITS: Final = 51
PARTITIONS_MAX: Final = (1 << 12) - 1
"""The thirteenth bit is the sign of a 64-bit integer, and keys are positive."""


def key_of(partition_id: int, counter: int) -> Key:
    """The `counter`-th key (from 1) that a partition gives out."""
    assert 0 < partition_id <= PARTITIONS_MAX, partition_id
    assert 0 < counter < 1 << KEY_BITS, counter
    return Key(partition_id << KEY_BITS | counter)


def partition_of(key: int) -> PartitionId:
    """The partition that gave out a key; 0 for what no partition gave out."""
    return PartitionId(key >> KEY_BITS if key > 0 else 0)


def partition_of_correlation_key(correlation_key: str, partition_count: int) -> PartitionId:
    """The partition that holds messages with this correlation key.

    Zeebe's hash, which users see in exported records: 31-polynomial over the UTF-8 bytes taken as
    signed, in wrapping 32-bit arithmetic, and a remainder that truncates.
    """
    assert partition_count > 0, partition_count
    h = 0
    for byte in correlation_key.encode():
        h = (31 * h + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    signed = h - (1 << 32) if h >> 31 else h
    return PartitionId(abs(signed) % partition_count + 1)
