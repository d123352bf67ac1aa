"""The order in which the variables of one document are written.

Zeebe indexes a variable document by the offset at which each name begins in the document's
MessagePack form. The index is an open-addressing hash table (8 slots at first, doubled when more
than 65 % are taken, linear probing), and variables are written as its iterator meets them:
downwards from the slot before the first free one. Two audit trails can only be compared if they
have the same order, so the table is played here, on numbers alone. Zeebe's table does not shrink
again after a large document; this one starts afresh with each document: the order depends on
nothing but the document.
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


def in_zeebes_order(variables: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Variables (name, JSON text) of a document, in the order in which their events are written."""
    if len(variables) < 2 or sum(len(value) for _, value in variables) > ORDERED_BYTES_MAX:
        return variables
    try:
        offsets = _offsets(variables)
    except OverflowError:
        return variables  # a whole number beyond 64 bits has no MessagePack form
    slots: list[int | None] = [None] * _SLOTS_MIN
    for count, offset in enumerate(offsets, 1):
        _put(slots, offset)
        if count > int(len(slots) * _LOAD_MAX):
            slots = _doubled(slots)
    place = dict(zip(offsets, variables, strict=True))
    return [place[offset] for offset in _downwards(slots)]


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


def _put(slots: list[int | None], offset: int) -> None:
    last = len(slots) - 1
    slot = _hash(offset) & last
    while slots[slot] is not None:
        slot = (slot + 1) & last
    slots[slot] = offset


def _doubled(slots: list[int | None]) -> list[int | None]:
    larger: list[int | None] = [None] * (2 * len(slots))
    for offset in slots:
        if offset is not None:
            _put(larger, offset)
    return larger


def _downwards(slots: list[int | None]) -> list[int]:
    """What the slots hold, downwards from the top, or around from the first free slot below it."""
    start = 0 if slots[-1] is None else slots.index(None)
    around = slots[start:] + slots[:start]
    return [offset for offset in reversed(around) if offset is not None]
