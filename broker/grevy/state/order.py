"""The order of the keys in a table's upper layers, made when a scan asks for it and not when a key
is written.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")


class LayerOrder(Generic[K]):
    """The rows of the keys that are noted, in groups of keys with the same first part: almost every
    scan is for one such group, which has few rows.

    `noted` are the keys to be put in order when it is needed. Keys of writes that were dropped may
    stay: whoever scans looks at the values anyway.
    """

    __slots__ = ("_groups", "_heads", "_to_head", "_to_row", "keys", "noted")

    def __init__(self, to_row: Callable[[K], bytes], to_head: Callable[[K], bytes]) -> None:
        """`to_head` gives the bytes with which the rows of a key's group begin."""
        self._to_row = to_row
        self._to_head = to_head
        self._groups: dict[bytes, list[bytes]] = {}
        self._heads: list[bytes] | None = None
        self.keys: dict[bytes, K] = {}
        self.noted: dict[K, None] = {}

    def group(self, head: bytes) -> list[bytes]:
        """The rows that begin with a head, in order."""
        if self.noted:
            self._refresh()
        return self._groups.get(head, [])

    def all(self) -> Iterator[bytes]:
        """All rows, in order."""
        if self.noted:
            self._refresh()
        if self._heads is None:
            self._heads = sorted(self._groups)
        for head in self._heads:
            yield from self._groups[head]

    def forget(self, key: K, row: bytes) -> None:
        """A key needs no place any more."""
        self.noted.pop(key, None)
        if self.keys.pop(row, None) is None:
            return
        head = self._to_head(key)
        group = self._groups[head]
        group.remove(row)
        if not group:
            del self._groups[head]
            self._heads = None

    def _refresh(self) -> None:
        keys, groups = self.keys, self._groups
        for key in self.noted:
            row = self._to_row(key)
            if row in keys:
                continue
            keys[row] = key
            head = self._to_head(key)
            group = groups.get(head)
            if group is None:
                groups[head] = [row]
                self._heads = None
            else:
                insort(group, row)
        self.noted.clear()
