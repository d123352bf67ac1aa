"""The order of the keys in a table's upper layers, made when a scan asks for it and not when a key
is written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

from grevy.state.keys import KeyPart

K = TypeVar("K")


class LayerOrder(Generic[K]):
    """Keys, in groups with the same first part: almost every scan is for one such group, which has
    one key or few.

    Keys of writes that were dropped may stay: whoever scans looks at the values anyway. Most keys
    come and go before anybody scans, so what is written is only noted until then.
    """

    __slots__ = ("_firsts", "_groups", "_is_tuple", "_sorted", "_to_row", "noted")

    noted: dict[K, None]
    """Keys that were written and have no place yet. Who writes one puts it here."""

    def __init__(self, to_row: Callable[[K], bytes], *, is_tuple: bool) -> None:
        """`is_tuple`: keys have several parts, and their order is the order of their rows."""
        self._to_row = to_row
        self._is_tuple = is_tuple
        self._groups: dict[KeyPart, dict[K, None]] = {}
        self._sorted: dict[KeyPart, list[K]] = {}
        self._firsts: list[KeyPart] | None = []
        self.noted = {}

    def forget(self, key: K) -> None:
        """A key needs no place any more."""
        self.noted.pop(key, None)
        if self._groups:
            self._drop(key)

    def group(self, first: KeyPart) -> list[K]:
        """The keys with this first part, in order; the list is not the caller's to change."""
        if self.noted:
            self._place()
        group = self._groups.get(first)
        if group is None:
            return []
        if len(group) == 1:
            return list(group)
        found = self._sorted.get(first)
        if found is None:
            found = self._sorted[first] = sorted(group, key=self._to_row)
        return found

    def all(self) -> Iterator[K]:
        """All keys, in order; their first part is a number."""
        for first in self._firsts_in_order():
            yield from self.group(first)

    def until(self, limit: int) -> Iterator[K]:
        """The keys whose first part, a number, is at most `limit`, in order."""
        firsts = self._firsts_in_order()
        for first in islice(firsts, bisect_right(firsts, limit)):
            yield from self.group(first)

    def _place(self) -> None:
        """Put what was noted into the groups."""
        groups = self._groups
        for key in self.noted:
            first: Any = key[0] if self._is_tuple else key  # type: ignore[index]
            group = groups.get(first)
            if group is None:
                groups[first] = {key: None}
                self._firsts = None
            elif key not in group:
                group[key] = None
                self._add_sorted(first, key)
        self.noted.clear()

    def _drop(self, key: K) -> None:
        first: Any = key[0] if self._is_tuple else key  # type: ignore[index]
        group = self._groups.get(first)
        if group is None:
            return
        group.pop(key, None)
        self._sorted.pop(first, None)
        if not group:
            del self._groups[first]
            self._firsts = None

    def _add_sorted(self, first: KeyPart, key: K) -> None:
        """A group that is looked at often mostly grows at its end: a queue of jobs, say."""
        found = self._sorted.get(first)
        if found is None:
            return
        if self._to_row(found[-1]) < self._to_row(key):
            found.append(key)
        else:
            del self._sorted[first]

    def _firsts_in_order(self) -> list[KeyPart]:
        if self.noted:
            self._place()
        if self._firsts is None:
            self._firsts = sorted(self._groups)
        return self._firsts
