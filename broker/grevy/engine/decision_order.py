"""The order in which the decisions of a requirement graph are deployed.

Zeebe keeps them in a hash table by id (16 slots at first, doubled when three quarters are about to
be taken; a slot holds its ids in the order of their hashes), and deploys them as it meets them
there. Clients see that order in the answer, and everybody in the keys and in the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grevy.dmn import DecisionInfo

_SLOTS_MIN: Final = 16
_LOAD_MAX: Final = 0.75
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


def _hash(text: str) -> int:
    """Java's hash of a string, its halves mixed; 32 bits."""
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    value = 0
    for unit in units:
        value = value * 31 + unit & _MASK
    return value ^ value >> 16
