"""The order of the entries of a context.

Up to four keep the order in which they came; more are held in a hash trie, as in Zeebe, and whoever
writes the context or lists its entries meets them in the trie's order. Audit trails can only be
compared if their values are the same texts, so the trie's order is found here. Contexts that come
from a document keep the order of the document until something is put into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeVar

_ORDERED_MAX: Final = 4
_BITS: Final = 5
_HASH_BITS: Final = 32
_LOW: Final = 0xFFFFFFFF

T = TypeVar("T")


def arranged(context: Mapping[str, T]) -> dict[str, T]:
    """A copy of a context, its entries in the order in which one that was made has them."""
    if len(context) <= _ORDERED_MAX:
        return dict(context)
    return {key: context[key] for key in key_order(context)}


def key_order(keys: Iterable[str]) -> list[str]:
    """Different keys in the order of a context that has them."""
    found = list(keys)
    return (
        found if len(found) <= _ORDERED_MAX else _in_trie([(key, _hash(key)) for key in found], 0)
    )


def _in_trie(keys: list[tuple[str, int]], shift: int) -> list[str]:
    """Keys alone in their slot come before those that share one."""
    if shift >= _HASH_BITS:
        return [key for key, _ in keys]
    slots: dict[int, list[tuple[str, int]]] = {}
    for key, mixed in keys:
        slots.setdefault(mixed >> shift & (1 << _BITS) - 1, []).append((key, mixed))
    order: list[str] = []
    shared: list[str] = []
    for _, inside in sorted(slots.items()):
        if len(inside) == 1:
            order.append(inside[0][0])
        else:
            shared += _in_trie(inside, shift + _BITS)
    return order + shared


@lru_cache(maxsize=16_384)
def _hash(key: str) -> int:
    """The hash of a text on the Java platform, mixed as the trie does."""
    mixed = 0
    units = key.encode("utf-16-be", "surrogatepass")
    for place in range(0, len(units), 2):
        mixed = 31 * mixed + (units[place] << 8 | units[place + 1]) & _LOW
    mixed = mixed + ~(mixed << 9) & _LOW
    mixed ^= mixed >> 14
    mixed = mixed + (mixed << 4) & _LOW
    return mixed ^ mixed >> 10
