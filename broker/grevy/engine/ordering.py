"""The order in which the variables of one document are written.

Zeebe indexes a variable document by the offset at which each name begins in the document's
MessagePack form. The index is an open-addressing hash table (8 slots at first, doubled when more
than 65 % are taken, linear probing), and variables are written as its iterator meets them:
downwards from the slot before the first free one. The table stays as large as the largest document
has made it. Two audit trails can only be compared if they have the same order, so the table is
played here, on numbers alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

ORDERED_BYTES_MAX: Final = 16 * 1024
"""Larger documents keep their own order: nobody reads the audit trail of a bulk load name by name.
"""

_SLOTS_MIN: Final = 8
_LOAD_MAX: Final = 0.65
_FIXMAP_MAX: Final = 15

_decode = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode


class VariableOrder:
    """The order of documents, one after the other.

    It is no part of the state: what it decides is written as events.
    """

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots = _SLOTS_MIN

    def of(self, variables: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Variables (name, JSON text) of a document, in the order in which their events are
        written.
        """
        if len(variables) < 2 or sum(len(value) for _, value in variables) > ORDERED_BYTES_MAX:
            return variables
        try:
            offsets = _offsets(variables)
        except OverflowError:
            return variables  # a whole number beyond 64 bits has no MessagePack form
        table: dict[int, int] = {}
        for count, offset in enumerate(offsets, 1):
            _put(table, self._slots, offset)
            if count > int(self._slots * _LOAD_MAX):
                table = self._doubled(table)
        place = dict(zip(offsets, variables, strict=True))
        return [place[offset] for offset in _downwards(table, self._slots)]

    def _doubled(self, table: dict[int, int]) -> dict[int, int]:
        self._slots *= 2
        larger: dict[int, int] = {}
        for _, offset in sorted(table.items()):
            _put(larger, self._slots, offset)
        return larger


def _offsets(variables: list[tuple[str, bytes]]) -> list[int]:
    """Where each name begins in the MessagePack form of the document."""
    at = 1 if len(variables) <= _FIXMAP_MAX else 3
    offsets = []
    for name, value in variables:
        offsets.append(at)
        at += len(_pack(name)) + len(_pack(_decode(value)))
    return offsets


@lru_cache(maxsize=ORDERED_BYTES_MAX)
def _hash(offset: int) -> int:
    mixed = ((offset >> 16) ^ offset) * 0x119DE1F3 & 0xFFFFFFFF
    mixed = ((mixed >> 16) ^ mixed) * 0x119DE1F3 & 0xFFFFFFFF
    return (mixed >> 16) ^ mixed


def _put(table: dict[int, int], slots: int, offset: int) -> None:
    slot = _hash(offset) & slots - 1
    while slot in table:
        slot = slot + 1 & slots - 1
    table[slot] = offset


def _downwards(table: dict[int, int], slots: int) -> list[int]:
    """What the slots hold, downwards from the top, or around from the first free slot below it."""
    start = 0
    if slots - 1 in table:
        while start in table:
            start += 1
    below = sorted((slot for slot in table if slot < start), reverse=True)
    above = sorted((slot for slot in table if slot >= start), reverse=True)
    return [table[slot] for slot in (*below, *above)]
