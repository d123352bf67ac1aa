"""What a frame keeps once for all who point at it: its values and its documents.

A place in a table is counted from 1; 0 stands for none, or for a field's default.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from msgspec import Struct

from grevy.protocol.values import Value

__all__ = ["TableReader", "TableWriter"]


class TableReader(Struct, frozen=True, gc=False):
    """The tables of a frame that is read."""

    documents: tuple[bytes, ...]
    values: tuple[Value, ...] = ()

    def value(self, place: int) -> Value:
        """The value at a place; `IndexError` when there is none."""
        return self.values[place - 1 if place else len(self.values)]


NOTHING: TableReader = TableReader(())
"""The tables of a frame that has none."""


class TableWriter(Struct, frozen=True, gc=False):
    """The tables of a frame that is written, growing as its structs point at them.

    `documents` are documents with their places; equal ones share one.
    """

    documents: dict[bytes, int] = {}
    values: list[Value] = []
    _places: dict[int, int] = {}

    def value(self, value: Value) -> int:
        """The place of a value: one object has one place; equal ones are not looked for."""
        place = self._places.get(id(value))
        if place is None:
            self.values.append(value)
            place = self._places[id(value)] = len(self.values)
        return place

    def places(self, values: Sequence[Value]) -> list[int]:
        """The places of some values."""
        known = self._places
        ids = list(map(id, values))
        fresh = dict(zip(ids, values, strict=True))
        if known:
            fresh = {identity: value for identity, value in fresh.items() if identity not in known}
        known.update(zip(fresh, count(len(self.values) + 1), strict=False))
        self.values.extend(fresh.values())
        return list(map(known.__getitem__, ids))
