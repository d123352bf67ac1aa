"""Orders that Zeebe's decisions have from its hash tables, which clients and audit trails show.

The decisions of a requirement graph lie in a table by id (16 slots at first, doubled when three
quarters are about to be taken; a slot holds its ids in the order of their hashes), and are deployed
as they are met there. The objects in the variables that decisions read go through a table on their
way, too: small ones have its order (of 16 slots, a slot holds names as they came), larger ones that
of all contexts that were made (`arranged`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

from grevy.dmn import DecisionInfo
from grevy.feel import Lookup, arranged

_SLOTS_MIN: Final = 16
_LOAD_MAX: Final = 0.75
_KEPT_MAX: Final = 4
"""Entries of a context up to which it keeps the order in which they came to it."""

_MASK: Final = 0xFFFFFFFF
_SIGN: Final = 1 << 31


def deployment_order(decisions: Iterable[DecisionInfo]) -> list[DecisionInfo]:
    """The decisions of a graph, in the order in which their events are written."""
    every = list(decisions)
    slots = _SLOTS_MIN
    while len(every) >= int(slots * _LOAD_MAX):
        slots *= 2

    def place(decision: DecisionInfo) -> tuple[int, int]:
        mixed = _hash(decision.id)
        return mixed & slots - 1, (mixed ^ _SIGN) - _SIGN

    return sorted(every, key=place)


def in_table_order(lookup: Lookup) -> Lookup:
    """Variables as decisions see them."""

    def find(name: str) -> bytes | None:
        document = lookup(name)
        if document is None or b"{" not in document:
            return document
        return msgspec.json.encode(_reordered(_DECODER.decode(document)))

    return find


def _exact(text: str) -> Raw:
    return Raw(text.encode())


_DECODER: Final = msgspec.json.Decoder(float_hook=_exact)


def _reordered(value: object) -> object:
    """A value whose objects have their order; it is nested as deep as variables may be."""
    if isinstance(value, list):
        return [_reordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: _reordered(item) for name, item in value.items()}
    if len(inside) > _KEPT_MAX:
        return arranged(inside)
    return {name: inside[name] for name in sorted(inside, key=_slot)}


def _slot(name: str) -> int:
    return _hash(name) & _SLOTS_MIN - 1


def _hash(text: str) -> int:
    """Java's hash of a string, its halves mixed; 32 bits."""
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    value = 0
    for unit in units:
        value = value * 31 + unit & _MASK
    return value ^ value >> 16
